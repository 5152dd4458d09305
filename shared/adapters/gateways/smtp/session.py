"""One kept-alive connection to the mail server.

aiosmtplib connects, secures and signs in. The mails themselves go by a dialogue of our own on its transport: it writes
MAIL, RCPT and DATA in one go where the server allows it (PIPELINING), and it has a point, between the server's go-ahead
and the first byte of the mail, at which the guard is asked for the last time. Up to that point nothing was sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiosmtplib

from shared.adapters.gateways.smtp.errors import Point, Reply, outcome_of
from shared.adapters.gateways.smtp.message import Mail
from shared.application.gateway import ErrorClass, Outcome, OutcomeKind

MAX_REPLY = 32_768


class Disconnected(ConnectionError):
    """The connection is gone, or the server answers nonsense."""


class Dialogue(asyncio.Protocol):
    """Replies in the order in which they come, each a waiting place of its own."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._text: list[str] = []
        self._replies: list[Reply] = []
        self._waiting: tuple[int, asyncio.Future[None]] | None = None
        self.lost = False

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if len(self._buffer) > MAX_REPLY:
            self._lose()
            return
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).rstrip(b"\r")
            del self._buffer[: end + 1]
            if not (line[:3].isdigit() and line[3:4] in (b" ", b"-", b"")) or len(self._text) > 100:
                self._lose()
                return
            self._text.append(line[4:].decode("utf-8", "replace"))
            if line[3:4] != b"-":
                self._replies.append(Reply(int(line[:3]), "\n".join(self._text)))
                self._text = []
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self._lose()

    def eof_received(self) -> bool:
        self._lose()
        return False

    def _lose(self) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is None:
            return
        wanted, future = self._waiting
        if (self.lost or len(self._replies) >= wanted) and not future.done():
            future.set_result(None)

    async def replies(self, wanted: int, seconds: float) -> list[Reply]:
        """The next ``wanted`` replies, or the fewer that came before the connection was lost.

        Raises Disconnected when there is none, TimeoutError after ``seconds``.
        """
        if len(self._replies) < wanted and not self.lost:
            future = asyncio.get_running_loop().create_future()
            self._waiting = (wanted, future)
            try:
                async with asyncio.timeout(seconds):
                    await future
            finally:
                self._waiting = None
        if not self._replies:
            raise Disconnected("the server closed the connection")
        taken, self._replies = self._replies[:wanted], self._replies[wanted:]
        return taken

    @property
    def in_step(self) -> bool:
        """Nothing was said that was not asked for."""
        return not (self.lost or self._replies or self._buffer or self._text)


class Session:
    """Sends mails one after another. ``usable`` is false once the dialogue may be out of step."""

    def __init__(self, client: aiosmtplib.SMTP, transport: asyncio.Transport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._dialogue = Dialogue()
        self._closed = False
        self._pipelining = client.supports_extension("pipelining")
        self.eight_bit = client.supports_extension("8bitmime")
        self.utf8 = client.supports_extension("smtputf8")
        # From here on the client object hears nothing any more.
        transport.set_protocol(self._dialogue)

    @property
    def usable(self) -> bool:
        return not self._closed and self._dialogue.in_step and not self._transport.is_closing()

    async def send(self, mail: Mail, still_allowed: Callable[[], bool]) -> Outcome:
        """One try. Not sent for sure until the first byte of the mail was written, in doubt after it until a reply."""
        try:
            refused = await self._envelope(mail)
        except (OSError, Disconnected) as error:
            self.close()
            return _not_sent(type(error).__name__)
        if refused is not None:
            return refused
        if not still_allowed():
            # The server waits for the mail; without its closing dot nothing is taken.
            self.close()
            return Outcome(OutcomeKind.NOT_SENT, code="not_allowed")
        if not self.usable:
            self.close()
            return _not_sent("Disconnected")
        self._transport.write(mail.content + b".\r\n")
        try:
            [reply] = await self._dialogue.replies(1, self._timeout)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                return Outcome(OutcomeKind.IN_DOUBT, code=type(error).__name__)
            raise
        return self._end(reply)

    def _end(self, reply: Reply) -> Outcome:
        if reply.code == 250:
            return Outcome(OutcomeKind.ACCEPTED, provider_id=_queue_id(reply.text), code="250")
        self._leave_if_closing(reply)
        if reply.code >= 400:
            return outcome_of(reply, Point.CONTENT)
        self.close()
        return Outcome(OutcomeKind.IN_DOUBT, code=str(reply.code))

    async def _envelope(self, mail: Mail) -> Outcome | None:
        """MAIL, RCPT, DATA; None when the server waits for the mail."""
        options = (" BODY=8BITMIME" if self.eight_bit else "") + (" SMTPUTF8" if mail.needs_utf8 else "")
        commands = [
            f"MAIL FROM:<{mail.envelope_from}>{options}\r\n".encode(),
            f"RCPT TO:<{mail.envelope_to}>\r\n".encode(),
            b"DATA\r\n",
        ]
        if self._pipelining:
            self._transport.write(b"".join(commands))
            replies = await self._dialogue.replies(3, self._timeout)
        else:
            replies = []
            for command in commands:
                self._transport.write(command)
                replies += await self._dialogue.replies(1, self._timeout)
                if replies[-1].code >= 400:
                    break
        return await self._refusal(replies)

    async def _refusal(self, replies: list[Reply]) -> Outcome | None:
        wanted = ((Point.SESSION, (250,)), (Point.RECIPIENT, (250, 251)), (Point.CONTENT, (354,)))
        for reply, (point, good) in zip(replies, wanted, strict=False):
            if reply.code in good:
                continue
            self._leave_if_closing(reply)
            if replies[-1].code == 354:
                # It would take a mail for nobody: there is no way back to a clean state but the door.
                self.close()
            elif self.usable:
                await self._reset()
            return outcome_of(reply, point)
        if len(replies) < len(wanted):
            raise Disconnected("the server closed the connection")
        return None

    def _leave_if_closing(self, reply: Reply) -> None:
        if reply.code == 421:
            self.close()

    async def _reset(self) -> None:
        """Back to a clean state for the next mail; what this one came to is already known."""
        try:
            self._transport.write(b"RSET\r\n")
            [reply] = await self._dialogue.replies(1, self._timeout)
        except OSError:
            self.close()
            return
        if reply.code != 250:
            self.close()

    def close(self) -> None:
        """Hang up. What was not yet written stays unwritten, so that a mail without its end does not get one."""
        if not self._closed:
            self._closed = True
            self._transport.abort()

    def say_goodbye(self) -> None:
        if self.usable:
            self._closed = True
            self._transport.write(b"QUIT\r\n")
            self._transport.close()
        else:
            self.close()


def _not_sent(code: str) -> Outcome:
    return Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code=code)


def _queue_id(text: str) -> str | None:
    """The id in ``2.0.0 Ok: queued as 4F1A2``: servers say it in their own words, the last one is the id."""
    words = text.split()
    return words[-1][:128] if words else None
