"""What a test or an operator asks of the sandbox: ``/log``, ``/stats``, ``/knobs``, ``/replies``, ``/healthz``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.sandbox.knobs import Knobs, KnobsRefused, Panel, merge_knobs, parse_knobs
from services.sandbox.ledger import Ledger

MAX_REPLY = 65_536
MAX_PAGE = 10_000
MAX_KNOBS = 65_536


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type="application/json")


def _problem(status: int, title: str, detail: str) -> Response:
    body = msgspec.json.encode({"type": "about:blank", "title": title, "status": status, "detail": detail})
    return Response(body, status, media_type="application/problem+json")


class ReplyAsked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"sender": "from"}):
    """A text that somebody answers with."""

    sender: str
    text: str


_read_reply = msgspec.json.Decoder(ReplyAsked).decode
PushReply = Callable[[str, str], Awaitable[bool]]


class ControlDesk:
    """``stats`` gives the counters of the other parts when asked; ``push_reply`` (number, text) hands a reply on."""

    def __init__(
        self, ledger: Ledger, panel: Panel, stats: Callable[[], dict[str, object]], push_reply: PushReply
    ) -> None:
        self._push_reply = push_reply
        self._ledger = ledger
        self._panel = panel
        self._stats = stats

    def routes(self) -> list[Route]:
        return [
            Route("/log", self.log),
            Route("/stats", self.stats),
            Route("/knobs", self.show, methods=["GET"]),
            Route("/knobs", self.replace, methods=["PUT"]),
            Route("/knobs", self.merge, methods=["PATCH"]),
            Route("/replies", self.reply, methods=["POST"]),
            Route("/healthz", self.health),
        ]

    async def log(self, request: Request) -> Response:
        """``{"entries": [...], "next": seq, "more": bool}`` for ``?after=seq&limit=n``."""
        after, limit = request.query_params.get("after", "0"), request.query_params.get("limit", "1000")
        if not (_small_number(after) and _small_number(limit)):
            return _problem(422, "Bad paging", "after and limit are whole numbers from 0 on")
        entries, last, more = self._ledger.page(int(after), min(int(limit), MAX_PAGE))
        return _json(b'{"entries":%b,"next":%d,"more":%b}' % (entries, last, b"true" if more else b"false"))

    async def reply(self, request: Request) -> Response:
        """Answer our number as a customer would: ``{"from": number, "text": ...}`` goes to the callback URL at once."""
        body = await request.body()
        try:
            asked = _read_reply(body[:MAX_REPLY])
        except msgspec.DecodeError as error:
            return _problem(422, "Bad reply", str(error))
        if not await self._push_reply(asked.sender, asked.text):
            return _problem(502, "Not taken", "the callback URL is not set, or did not take it")
        return _json(b'{"status":"pushed"}')

    async def health(self, request: Request) -> Response:
        return _json(b'{"status":"ok"}')

    async def stats(self, request: Request) -> Response:
        return _json(msgspec.json.encode(self._stats()))

    async def show(self, request: Request) -> Response:
        return _json(msgspec.json.encode(self._panel.knobs))

    async def replace(self, request: Request) -> Response:
        """The whole set: a knob not named goes back to its default."""
        return await self._turn(request, parse_knobs)

    async def merge(self, request: Request) -> Response:
        """Only the knobs named change."""
        return await self._turn(request, lambda raw: merge_knobs(self._panel.knobs, raw))

    async def _turn(self, request: Request, read: Callable[[bytes], Knobs]) -> Response:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_KNOBS:
                return _problem(413, "Too long", f"knobs are at most {MAX_KNOBS} bytes")
        try:
            self._panel.knobs = read(bytes(body))
        except KnobsRefused as error:
            return _problem(422, "No such knob or setting", str(error))
        return await self.show(request)


def _small_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 15
