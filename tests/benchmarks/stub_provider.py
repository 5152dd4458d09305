"""An SMS provider on a port of its own that takes everything at once: what is measured is our side of the road."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson


class _Door(asyncio.Protocol):
    """As much HTTP as our gateway speaks: a head, a length, a body."""

    def __init__(self, taken: Callable[[str], None]) -> None:
        self._taken = taken
        self._buffer = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (head := self._buffer.find(b"\r\n\r\n")) >= 0:
            fields = self._buffer[:head].lower()
            at = fields.find(b"content-length:") + 15
            end = head + 4 + int(fields[at:].split(b"\r\n", 1)[0])
            if len(self._buffer) < end:
                return
            body, self._buffer = self._buffer[head + 4 : end], self._buffer[end:]
            self._answer(orjson.loads(body).get("messages", []))

    def _answer(self, messages: list[dict[str, str]]) -> None:
        for message in messages:
            self._taken(message["to"])
        body = orjson.dumps(
            {
                "messages": [
                    {"reference": each["reference"], "status": "accepted", "provider_id": each["reference"]}
                    for each in messages
                ]
            }
        )
        self._transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )


@asynccontextmanager
async def stub_provider(taken: Callable[[str], None]) -> AsyncIterator[str]:
    """Its address; ``taken`` hears of each number that a message came for."""
    server = await asyncio.get_running_loop().create_server(lambda: _Door(taken), "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
