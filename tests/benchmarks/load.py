"""An HTTP client that is never the slow part: raw sockets, one request in flight a connection, prepared bytes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from tests.benchmarks.outcome import Rate, percentile


class _Connection(asyncio.Protocol):
    def __init__(self, load: Load) -> None:
        self._load = load
        self._buffer = b""
        self._began = 0.0
        self._transport: Any = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        headers = self._buffer[:head].lower()
        at = headers.find(b"content-length:")
        length = int(headers[at + 15 : headers.find(b"\r\n", at)] if b"\r\n" in headers[at:] else headers[at + 15 :])
        if len(self._buffer) < head + 4 + length:
            return
        self._load.note(int(self._buffer[9:12]), perf_counter() - self._began)
        self._buffer = b""
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(None)

    def _ask(self) -> None:
        request = self._load.following()
        if request is None:
            self._transport.close()
            return
        self._began = perf_counter()
        self._transport.write(request)


class Load:
    """What was asked and how long each answer took."""

    def __init__(self, requests: Iterator[bytes], seconds: float) -> None:
        self._requests = requests
        self._until = perf_counter() + seconds
        self.times: list[float] = []
        self.statuses: Counter[int] = Counter()

    def following(self) -> bytes | None:
        return next(self._requests, None) if perf_counter() < self._until else None

    def note(self, status: int, seconds: float) -> None:
        self.statuses[status] += 1
        self.times.append(seconds)


async def run_load(
    port: int, requests: Iterator[bytes], *, seconds: float, connections: int = 32, status: int = 200
) -> Rate:
    """Ask for ``seconds``. Any answer but ``status`` is an error: what failed fast must not count as fast."""
    load, loop, began = Load(requests, seconds), asyncio.get_running_loop(), perf_counter()
    made = await asyncio.gather(
        *(loop.create_connection(lambda: _Connection(load), "127.0.0.1", port) for _ in range(connections))
    )
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(protocol.ended for _, protocol in made))
    took = perf_counter() - began
    if set(load.statuses) != {status}:
        raise RuntimeError(f"expected only {status}, got {dict(load.statuses)}")
    times = [seconds * 1000 for seconds in load.times]
    return Rate(len(times) / took, percentile(times, 0.5), percentile(times, 0.99))


def get(path: str, token: str | None = None) -> bytes:
    return _request("GET", path, token, b"", None)


def post(path: str, body: bytes, token: str | None = None, media_type: str = "application/json") -> bytes:
    return _request("POST", path, token, body, media_type)


def _request(method: str, path: str, token: str | None, body: bytes, media_type: str | None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(body)}"]
    if media_type:
        lines.append(f"Content-Type: {media_type}")
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
