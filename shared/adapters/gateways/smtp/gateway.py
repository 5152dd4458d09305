"""The adapter of a mail relay by SMTP."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import aiosmtplib

from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.gateways.smtp.errors import Point, Reply, outcome_of
from shared.adapters.gateways.smtp.message import Mail, MailRefused, Sender, write_mail
from shared.adapters.gateways.smtp.session import Session
from shared.application.gateway import (
    Callback,
    CallbackRefused,
    ErrorClass,
    GatewayFacts,
    Outcome,
    OutcomeKind,
    Receipt,
    Submission,
)

IDLE_SECONDS = 20.0


class _NoSession(Exception):
    """There is no connection to send on; carries what that means for the mails that were to go."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.code)
        self.outcome = outcome


class SmtpGateway:
    """Each call of ``submit`` takes one connection of the pool and sends its mails over it, one after another."""

    def __init__(self, settings: GatewaySettings, business_time: Callable[[], datetime | None]) -> None:
        self._facts = GatewayFacts(
            name="smtp",
            channel="email",
            idempotent=False,
            query_for=None,
            query_delay=timedelta(0),
            batch_size=settings.smtp_batch_size,
            concurrency=settings.smtp_concurrency,
        )
        self._settings = settings
        self._business_time = business_time
        self._sender = Sender(settings.smtp_sender, settings.smtp_sender_name, settings.smtp_bounce_domain)
        self._timeout = settings.smtp_answer_timeout.total_seconds()
        self._idle: list[tuple[float, Session]] = []
        self._places = asyncio.Semaphore(settings.smtp_concurrency)

    @property
    def facts(self) -> GatewayFacts:
        return self._facts

    async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
        if len(batch) > self._facts.batch_size:
            raise ValueError(f"a batch of {len(batch)} is above the relay's {self._facts.batch_size}")
        outcomes: list[Outcome] = []
        async with self._places:
            session: Session | None = None
            try:
                for item in batch:
                    if session is None or not session.usable:
                        session = await self._session()
                    outcomes.append(await self._send(session, item, still_allowed))
            except _NoSession as none:
                # The next mail would wait for the same connection in vain.
                outcomes += [none.outcome] * (len(batch) - len(outcomes))
            finally:
                if session is not None and session.usable:
                    self._idle.append((time.monotonic(), session))
        return outcomes

    async def _send(self, session: Session, item: Submission, still_allowed: Callable[[], bool]) -> Outcome:
        try:
            mail = self._write(item, session)
        except MailRefused as refused:
            error = ErrorClass.ADDRESS if refused.address else ErrorClass.CONTENT
            return Outcome(OutcomeKind.REJECTED, error, code=refused.code)
        if not still_allowed():
            return Outcome(OutcomeKind.NOT_SENT, code="not_allowed")
        try:
            return await session.send(mail, still_allowed)
        except asyncio.CancelledError:
            session.close()
            raise

    def _write(self, item: Submission, session: Session) -> Mail:
        now, business_time = datetime.fromtimestamp(time.time(), UTC), self._business_time()
        mail = write_mail(item, self._sender, now, business_time, eight_bit=session.eight_bit)
        if mail.needs_utf8 and not session.utf8:
            raise MailRefused("server_without_smtputf8", address=True)
        return mail

    async def _session(self) -> Session:
        """A connection that was used a moment ago, else a new one. Raises _NoSession."""
        while self._idle:
            since, session = self._idle.pop()
            if session.usable and time.monotonic() - since < IDLE_SECONDS:
                return session
            session.say_goodbye()
        client = self._client()
        try:
            await client.connect()
            # On a connection without STARTTLS or AUTH nobody has said hello yet.
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise _NoSession(outcome_of(Reply(error.code, error.message), Point.SESSION)) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            client.close()
            raise _NoSession(Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code=type(error).__name__)) from error
        transport = client.transport
        if transport is None:
            raise _NoSession(Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code="Disconnected"))
        return Session(client, cast(asyncio.Transport, transport), self._timeout)

    def _client(self) -> aiosmtplib.SMTP:
        settings = self._settings
        password = settings.smtp_password
        return aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            use_tls=settings.smtp_security == "tls",
            # Required or not done at all: an upgrade that may silently fail is none.
            start_tls=settings.smtp_security == "starttls",
            cert_bundle=settings.smtp_ca_file,
            username=settings.smtp_username,
            password=password.get_secret_value() if password is not None else None,
            local_hostname=self._sender.domain,
            timeout=settings.smtp_connect_timeout.total_seconds(),
        )

    async def query(self, references: Sequence[str]) -> dict[str, Receipt | None]:
        """SMTP can not be asked."""
        return {}

    def callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        """A mail relay calls nobody back; bounces come by mail."""
        raise CallbackRefused("there are no callbacks for mail")

    async def aclose(self) -> None:
        while self._idle:
            self._idle.pop()[1].say_goodbye()
