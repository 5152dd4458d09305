"""The adapter of the HTTP SMS provider."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.adapters.gateways.http_sms.errors import of_answer
from shared.adapters.gateways.http_sms.signature import SignatureRefused, signed_headers, verify
from shared.adapters.gateways.http_sms.wire import (
    WireError,
    read_answers,
    read_callback,
    read_code,
    read_found,
    write_messages,
    write_query,
)
from shared.adapters.gateways.settings import GatewaySettings
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
from shared.runtime.authorities import authorities

MAX_RETRY_AFTER = 86_400
MAX_CALLBACK = 4 * 1024 * 1024

# Providers close idle connections; one that is closed while we write leaves a whole batch in doubt, so ours is first.
KEEP_ALIVE_SECONDS = 4.0

_WRITE_BEGINS = "http11.send_request_headers.started"


class _NotAllowed(Exception):
    """The guard said no right before the first byte."""


class _Wire:
    """Follows one request down to its socket: asks the guard before the first byte, remembers if it was written."""

    def __init__(self, still_allowed: Callable[[], bool]) -> None:
        self._still_allowed = still_allowed
        self.written = False

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event == _WRITE_BEGINS:
            if not self._still_allowed():
                raise _NotAllowed
            self.written = True


class HttpSmsGateway:
    """One call, one request; nothing is retried, no redirect is followed, no proxy is taken from the environment."""

    def __init__(self, settings: GatewaySettings, business_time: Callable[[], datetime | None]) -> None:
        self._facts = GatewayFacts(
            name="http_sms",
            channel="sms",
            idempotent=settings.sms_idempotent,
            query_for=settings.sms_query_for,
            query_delay=settings.sms_query_delay,
            batch_size=settings.sms_batch_size,
            concurrency=settings.sms_concurrency,
        )
        self._key_id = settings.sms_key_id
        self._secret = settings.sms_secret.get_secret_value()
        self._callback_secret = (settings.sms_callback_secret or settings.sms_secret).get_secret_value()
        self._business_time = business_time
        answer, connect = settings.sms_answer_timeout.total_seconds(), settings.sms_connect_timeout.total_seconds()
        self._whole_call = connect + answer * 2
        self._client = httpx.AsyncClient(
            base_url=settings.sms_url,
            transport=httpx.AsyncHTTPTransport(
                retries=0,
                verify=authorities(),
                trust_env=False,
                # One above the facts' concurrency, so that a query does not wait behind submissions.
                limits=httpx.Limits(max_connections=settings.sms_concurrency + 1, keepalive_expiry=KEEP_ALIVE_SECONDS),
            ),
            timeout=httpx.Timeout(connect=connect, read=answer, write=answer, pool=connect),
            follow_redirects=False,
            trust_env=False,
        )

    @property
    def facts(self) -> GatewayFacts:
        return self._facts

    async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
        if len(batch) > self._facts.batch_size:
            raise ValueError(f"a batch of {len(batch)} is above the provider's {self._facts.batch_size}")
        if not batch:
            return []
        try:
            body = write_messages(batch)
        except WireError:
            return await self._without_unwritable(batch, still_allowed)
        return await self._send(batch, body, still_allowed)

    async def _without_unwritable(
        self, batch: Sequence[Submission], still_allowed: Callable[[], bool]
    ) -> list[Outcome]:
        """One text that is no Unicode must not cost the others their turn."""
        good = [item for item in batch if _writable(item)]
        sent = iter(await self.submit(good, still_allowed))
        refused = Outcome(OutcomeKind.REJECTED, ErrorClass.CONTENT, code="not_unicode")
        kept = {id(item) for item in good}
        return [next(sent) if id(item) in kept else refused for item in batch]

    async def _send(self, batch: Sequence[Submission], body: bytes, still_allowed: Callable[[], bool]) -> list[Outcome]:
        wire = _Wire(still_allowed)
        headers = signed_headers(self._secret, self._key_id, body, time.time())
        if (business_time := self._business_time()) is not None:
            headers["X-Business-Time"] = business_time.astimezone(UTC).isoformat()
        try:
            # Over all, for a provider that answers a byte at a time.
            async with asyncio.timeout(self._whole_call):
                answer = await self._client.post(
                    "/sms/messages", content=body, headers=headers, extensions={"trace": wire.trace}
                )
        except _NotAllowed:
            return [Outcome(OutcomeKind.NOT_SENT, code="not_allowed")] * len(batch)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            # What was partly written may still reach the provider: only what did not leave at all is surely unsent.
            if wire.written:
                outcome = Outcome(OutcomeKind.IN_DOUBT, code=type(error).__name__)
            else:
                outcome = Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code=type(error).__name__)
            return [outcome] * len(batch)
        return _outcomes(answer, batch)

    async def query(self, references: Sequence[str]) -> dict[str, Receipt | None]:
        found: dict[str, Receipt | None] = {}
        for start in range(0, len(references), self._facts.batch_size):
            asked = references[start : start + self._facts.batch_size]
            body = write_query(asked)
            headers = signed_headers(self._secret, self._key_id, body, time.time())
            try:
                async with asyncio.timeout(self._whole_call):
                    answer = await self._client.post("/sms/query", content=body, headers=headers)
                if answer.is_success:
                    found.update(read_found(answer.content, asked))
            except (httpx.HTTPError, httpx.InvalidURL, OSError, WireError):
                continue
        return found

    def callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        if len(body) > MAX_CALLBACK:
            raise CallbackRefused("too long")
        try:
            verify(self._callback_secret, headers, body, time.time())
        except SignatureRefused as refused:
            raise CallbackRefused(f"the {refused} does not hold") from refused
        try:
            return read_callback(body)
        except WireError as error:
            raise CallbackRefused(str(error)) from error

    async def aclose(self) -> None:
        await self._client.aclose()


def _outcomes(answer: httpx.Response, batch: Sequence[Submission]) -> list[Outcome]:
    if answer.is_success:
        try:
            return read_answers(answer.content, batch)
        except WireError:
            return [Outcome(OutcomeKind.IN_DOUBT, code="unreadable_answer")] * len(batch)
    code = read_code(answer.content)
    kind, error = of_answer(answer.status_code, code)
    retry_after = _seconds(answer.headers.get("retry-after")) if error is ErrorClass.THROTTLED else None
    return [Outcome(kind, error, None, code or f"http_{answer.status_code}", retry_after)] * len(batch)


def _seconds(header: str | None) -> int | None:
    """Retry-After in seconds; the date form is not used by SMS providers and is left unread."""
    if header is None or not (header.isascii() and header.isdigit()) or len(header) > 9:
        return None
    return min(int(header), MAX_RETRY_AFTER)


def _writable(item: Submission) -> bool:
    try:
        write_messages([item])
    except WireError:
        return False
    return True
