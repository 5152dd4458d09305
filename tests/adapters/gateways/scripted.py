"""Servers that say what a test wrote down for them, for answers that the sandbox would never give."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

CLOSE = b"<close>"
SILENCE = b"<silence>"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """The port of a server that handles each connection by ``serve``."""
    tasks: set[asyncio.Task[None]] = set()

    async def guarded(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)  # type: ignore[misc]
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(guarded, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def http_answer(status: int, body: bytes = b"", headers: str = "") -> bytes:
    return f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


class HttpScript:
    """Answers each request by the next of ``answers``, the last for ever; keeps the requests."""

    def __init__(self, *answers: bytes) -> None:
        self._answers = list(answers)
        self.requests: list[bytes] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            self.requests.append(head + await reader.readexactly(length))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer == CLOSE:
                return
            if answer == SILENCE:
                await asyncio.sleep(60)
            writer.write(answer)
            await writer.drain()


class SmtpScript:
    """Says yes to everything but what ``replies`` has for a verb (``greeting`` and ``.`` too); keeps the lines."""

    def __init__(self, extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME"), **replies: bytes) -> None:
        self._extensions = extensions
        self._replies = {name.lower(): reply for name, reply in replies.items()}
        self.lines: list[str] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not await self._say(writer, "greeting", b"220 hi"):
            return
        while line := (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n"):
            self.lines.append(line)
            verb = line.split(" ")[0].lower()
            if verb == "ehlo":
                said = (
                    "250-scripted\r\n" + "".join(f"250-{extension}\r\n" for extension in self._extensions) + "250 HELP"
                )
                good = said.encode()
            else:
                good = {"data": b"354 go on", "quit": b"221 bye"}.get(verb, b"250 2.0.0 Ok")
            if not await self._say(writer, verb, good):
                return
            if verb == "data" and self._replies.get("data", b"354").startswith(b"354"):
                await reader.readuntil(b"\r\n.\r\n")
                if not await self._say(writer, "dot", b"250 2.0.0 Ok: queued as A1"):
                    return

    async def _say(self, writer: asyncio.StreamWriter, name: str, good: bytes) -> bool:
        reply = self._replies.get(name, good)
        if reply == SILENCE:
            await asyncio.sleep(60)
        if reply == CLOSE:
            return False
        writer.write(reply + b"\r\n")
        await writer.drain()
        return not reply.startswith(b"421")
