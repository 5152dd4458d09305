"""The SMS provider over HTTP: take messages, answer queries, and do wrong what the knobs ask for."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.knobs import Panel, Throttle
from services.sandbox.ledger import Entry, Ledger, Taken
from services.sandbox.receipts import ReceiptPusher, report_on
from shared.adapters.gateways.http_sms.signature import SignatureRefused, verify

MAX_BODY = 2 * 1024 * 1024
MAX_BATCH = 200
MAX_TEXT = 2_000

Reference = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class Message(msgspec.Struct, frozen=True):
    reference: Reference
    to: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    text: Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
    valid_until: Annotated[datetime, msgspec.Meta(tz=True)]
    group: str | None = None


class SendRequest(msgspec.Struct, frozen=True):
    messages: Annotated[list[Message], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class QueryRequest(msgspec.Struct, frozen=True):
    references: Annotated[list[Reference], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class Answer(msgspec.Struct, frozen=True):
    reference: str
    provider_id: str | None
    status: str
    code: str | None


_send_request = msgspec.json.Decoder(SendRequest).decode
_query_request = msgspec.json.Decoder(QueryRequest).decode


def _json(content: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, media_type="application/json")


def _refusal(status: int, code: str, headers: dict[str, str] | None = None) -> Response:
    return _json({"code": code}, status, headers)


class SmsDesk:
    """The provider's counter. Requests are signed; a second message under a reference is a second message."""

    def __init__(self, ledger: Ledger, panel: Panel, receipts: ReceiptPusher, keys: dict[str, str]) -> None:
        self._ledger = ledger
        self._panel = panel
        self._receipts = receipts
        self._keys = keys
        self._throttle = Throttle()
        self._one_at_a_time = asyncio.Lock()
        self.counts: Counter[str] = Counter()

    def routes(self) -> list[Route]:
        return [
            Route("/sms/messages", self.send, methods=["POST"]),
            Route("/sms/query", self.query, methods=["POST"]),
        ]

    async def send(self, request: Request) -> Response:
        knobs = self._panel.knobs.sms
        body, refusal = await self._admit(request)
        if refusal is not None:
            return refusal
        try:
            messages, business_at = _read(body, request.headers.get("x-business-time"), knobs.idempotent)
        except (msgspec.DecodeError, ValueError):
            return _refusal(400, "malformed")
        if wait := self._throttle.wait(knobs.throttle_per_second, len(messages), time.monotonic()):
            self.counts["throttled"] += 1
            return _refusal(429, "too_many_requests", {"Retry-After": str(wait)})
        first = messages[0].reference
        fails = self._panel.chance(knobs.fail_5xx, "fail_5xx", first)
        if fails and not self._panel.chance(knobs.fail_5xx_takes, "fail_5xx_takes", first):
            return self._failed()
        try:
            answers = await self._take_in_turn(messages, business_at)
        except OSError:
            self.counts["log_failures"] += 1
            return self._failed()
        await self._dawdle(request, first)
        return self._failed() if fails else _json({"messages": answers})

    def _failed(self) -> Response:
        self.counts["failed_5xx"] += 1
        return _refusal(500, "internal_error")

    async def _dawdle(self, request: Request, reference: str) -> None:
        """Answer late, or never."""
        if delay := self._panel.knobs.sms.delay_ms:
            await asyncio.sleep(delay / 1000)
        if self._panel.never_answers("sms", reference):
            await self._leave_waiting(request)

    async def _take_in_turn(self, messages: list[Message], business_at: str | None) -> list[Answer]:
        if not self._panel.knobs.sms.idempotent:
            return await self._take(messages, business_at)
        # One at a time: the same reference in two requests at once has to be seen by the second.
        async with self._one_at_a_time:
            return await self._take(messages, business_at)

    async def _take(self, messages: list[Message], business_at: str | None) -> list[Answer]:
        """Log what is taken, in one group, and answer for each message in order."""
        now = time.time()
        business_now = datetime.fromisoformat(business_at) if business_at else datetime.fromtimestamp(now, UTC)
        answers: list[Answer | None] = []
        taken: list[Taken] = []
        for message in messages:
            answer = self._refused(message, business_now) or self._known(message)
            answers.append(answer)
            if answer is None:
                taken.append(Taken("sms", message.to, message.text, message.reference, message.group))
        entries = await self._ledger.keep(taken, now, business_at) if taken else []
        self.counts["taken"] += len(entries)
        self._receipts.expect(entries)
        rest = iter(entries)
        return [answer or _accepted(next(rest)) for answer in answers]

    def _refused(self, message: Message, now: datetime) -> Answer | None:
        code = by_suffix(self._panel.knobs.sms.reject, message.to)
        if code is None and message.valid_until <= now:
            code = "expired"
        if code is None and not message.text.strip():
            code = "empty_text"
        if code is None:
            return None
        self.counts["rejected"] += 1
        return Answer(message.reference, None, "rejected", code)

    def _known(self, message: Message) -> Answer | None:
        """The first answer once more, where the provider is told to be idempotent."""
        if not self._panel.knobs.sms.idempotent:
            return None
        entries = self._ledger.by_reference(message.reference)
        if not entries:
            return None
        self.counts["repeated"] += 1
        return _accepted(entries[0])

    async def query(self, request: Request) -> Response:
        body, refusal = await self._admit(request)
        if refusal is not None:
            return refusal
        try:
            references = _query_request(body).references
        except msgspec.DecodeError:
            return _refusal(400, "malformed")
        self.counts["queries"] += 1
        knobs, now = self._panel.knobs, time.time()
        found, unknown = [], []
        for reference in references:
            entries = self._ledger.by_reference(reference)
            shown = [entry for entry in entries if entry.at + knobs.sms.query_delay_ms / 1000 <= now]
            if shown:
                found.append(report_on(shown[0], knobs, now))
            else:
                unknown.append(reference)
        return _json({"messages": found, "unknown": unknown})

    async def _admit(self, request: Request) -> tuple[bytes, Response | None]:
        """(the body, the refusal or None): down, too long, or not signed by a known key in the last minutes."""
        if self._panel.knobs.sms.down:
            return b"", _refusal(503, "down")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                return b"", _refusal(413, "too_long")
        secret = self._keys.get(request.headers.get("x-key-id", ""))
        if secret is None:
            self.counts["unauthenticated"] += 1
            return b"", _refusal(401, "unknown_key")
        try:
            verify(secret, request.headers, bytes(body), time.time())
        except SignatureRefused as refused:
            self.counts["unauthenticated"] += 1
            return b"", _refusal(401, f"bad_{refused}")
        return bytes(body), None

    async def _leave_waiting(self, request: Request) -> None:
        """Close the connection, or hold it until the client has had enough. What is answered after is heard by none."""
        self.counts["never_answered"] += 1
        transport = request.scope.get("transport")
        if self._panel.knobs.sms.never_answer_mode == "close" and transport is not None:
            transport.abort()
        while (await request.receive())["type"] != "http.disconnect":
            pass


def _accepted(entry: Entry) -> Answer:
    return Answer(entry.reference or "", entry.provider_id, "accepted", None)


def by_suffix(table: dict[str, str], number: str) -> str | None:
    """The code that a number's last digits have in the table."""
    for suffix, code in table.items():
        if number.endswith(suffix):
            return code
    return None


def _read(body: bytes, business_time: str | None, idempotent: bool) -> tuple[list[Message], str | None]:
    """(the messages, the sender's time). Raises DecodeError and ValueError."""
    messages = _send_request(body).messages
    if idempotent and len({message.reference for message in messages}) < len(messages):
        raise ValueError("the same reference twice in one request")
    return messages, _business_time(business_time)


def _business_time(header: str | None) -> str | None:
    """The sender's own time as RFC 3339 in UTC. Raises ValueError when it is no instant."""
    if header is None:
        return None
    instant = datetime.fromisoformat(header)
    if instant.tzinfo is None:
        raise ValueError("no offset")
    return instant.astimezone(UTC).isoformat()
