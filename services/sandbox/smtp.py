"""A lean SMTP server (RFC 5321 with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, ENHANCEDSTATUSCODES).

Its own, because it takes pipelined commands in one read and answers them in one write, and because what it does wrong
on purpose has to happen at exact points of the dialogue. A mail counts as taken when the log has it on disk.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from services.sandbox.knobs import Panel, Throttle
from services.sandbox.ledger import Ledger
from services.sandbox.mail import read_mail

MAX_MAIL = 10 * 1024 * 1024
MAX_LINE = 2048
MAX_RECIPIENTS = 100
IDLE_SECONDS = 300.0

_PATH = re.compile(r"^\s*<(?:@[^>:]*:)?([^<>\s]*)>((?:\s+\S+)*)\s*$")
_GREETING = b"220 sandbox ESMTP Arrears\r\n"
_EXTENSIONS = (
    b"250-sandbox\r\n250-PIPELINING\r\n"
    + f"250-SIZE {MAX_MAIL}\r\n".encode()
    + b"250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n"
)


class MailDesk:
    """What the connections share: the log, the knobs, the counters, and who is connected."""

    def __init__(self, ledger: Ledger, panel: Panel) -> None:
        self.ledger = ledger
        self.panel = panel
        self.throttle = Throttle()
        self.counts: dict[str, int] = {}
        self.connections: set[SmtpConnection] = set()

    def count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1

    def close(self) -> None:
        for connection in list(self.connections):
            connection.drop()


class SmtpConnection(asyncio.Protocol):
    """One client. Commands are answered in order; while a mail is being kept, what follows it waits."""

    def __init__(self, desk: MailDesk) -> None:
        self._desk = desk
        self._buffer = bytearray()
        self._scanned = 0
        self._replies: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._busy: asyncio.Task[None] | None = None
        self._greeted = False
        self._in_data = False
        self._too_long = False
        self._paused = False
        self._sender: str | None = None
        self._recipients: list[str] = []
        self._idle: asyncio.TimerHandle | None = None
        self._last = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes, only alike.
        self._transport = cast(asyncio.Transport, transport)
        if self._desk.panel.knobs.email.down:
            self._reply(b"421 4.3.2 Service not available")
            self._close()
            return
        self._desk.connections.add(self)
        self._last = time.monotonic()
        self._watch_idle()
        self._transport.write(_GREETING)

    def connection_lost(self, exc: Exception | None) -> None:
        self._desk.connections.discard(self)
        self._transport = None
        if self._idle is not None:
            self._idle.cancel()

    def drop(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _watch_idle(self) -> None:
        left = IDLE_SECONDS - (time.monotonic() - self._last)
        if left <= 0:
            self._reply(b"421 4.4.2 Idle for too long")
            self._close()
        else:
            self._idle = asyncio.get_running_loop().call_later(left, self._watch_idle)

    def data_received(self, data: bytes) -> None:
        self._last = time.monotonic()
        self._buffer += data
        if self._busy is None:
            self._work()
        elif self._transport is not None and not self._paused and len(self._buffer) > MAX_LINE:
            self._paused = True
            self._transport.pause_reading()

    def _work(self) -> None:
        while self._busy is None and self._transport is not None:
            if not (self._take_content() if self._in_data else self._take_command()):
                break
        self._flush()

    def _take_command(self) -> bool:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_LINE:
                self._reply(b"500 5.5.2 Line too long")
                self._close()
            return False
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        verb, _, argument = line.partition(b" ")
        command = _COMMANDS.get(verb.upper())
        if command is None or b"\n" in line or b"\0" in line:
            self._reply(b"500 5.5.2 Command not recognised")
        else:
            command(self, argument.decode("utf-8", "replace"))
        return True

    def _take_content(self) -> bool:
        """Take the mail up to the line with a single dot. Only CRLF ends a line, so nothing can be smuggled in."""
        if self._buffer.startswith(b".\r\n"):
            content, length = b"", 3
        else:
            end = self._buffer.find(b"\r\n.\r\n", self._scanned)
            if end < 0:
                self._scanned = max(0, len(self._buffer) - 4)
                if len(self._buffer) > MAX_MAIL:
                    self._too_long = True
                    del self._buffer[: self._scanned]
                    self._scanned = 0
                return False
            content, length = bytes(self._buffer[: end + 2]), end + 5
        del self._buffer[:length]
        self._scanned, self._in_data = 0, False
        if self._too_long or len(content) > MAX_MAIL:
            self._too_long = False
            self._reset()
            self._reply(b"552 5.3.4 Message too big")
            return True
        if content.startswith(b"."):
            content = content[1:]
        self._busy = asyncio.get_running_loop().create_task(self._keep(content.replace(b"\r\n..", b"\r\n.")))
        return True

    async def _keep(self, content: bytes) -> None:
        """Log the mail, then answer; or, where the knobs say so, never answer."""
        panel, knobs = self._desk.panel, self._desk.panel.knobs.email
        messages, business_at = read_mail(content, self._sender or "", self._recipients)
        self._reset()
        try:
            entries = await self._desk.ledger.keep(messages, time.time(), business_at)
        except OSError:
            self._desk.count("log_failures")
            self._finish(b"451 4.3.1 The log can not be written")
            return
        if knobs.delay_ms:
            await asyncio.sleep(knobs.delay_ms / 1000)
        self._desk.count("taken")
        if panel.never_answers("email", entries[0].reference or entries[0].provider_id):
            self._desk.count("never_answered")
            if knobs.never_answer_mode == "close":
                self.drop()
            return  # busy for ever: this connection hears no more
        self._finish(b"250 2.0.0 Ok: queued as " + entries[0].provider_id.encode())

    def _finish(self, reply: bytes) -> None:
        self._reply(reply)
        self._busy = None
        if self._transport is not None:
            if self._paused:
                self._paused = False
                self._transport.resume_reading()
            self._work()

    def _reply(self, line: bytes) -> None:
        self._replies.append(line + b"\r\n")

    def _flush(self) -> None:
        if self._transport is not None and self._replies:
            self._transport.write(b"".join(self._replies))
        self._replies.clear()

    def _close(self) -> None:
        self._flush()
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _reset(self) -> None:
        self._sender, self._recipients = None, []

    def _ehlo(self, argument: str) -> None:
        self._reset()
        self._greeted = True
        self._replies.append(_EXTENSIONS)

    def _helo(self, argument: str) -> None:
        self._reset()
        self._greeted = True
        self._reply(b"250 sandbox")

    def _mail(self, argument: str) -> None:
        path = _path(argument, "FROM:")
        knobs = self._desk.panel.knobs.email
        if knobs.down:
            self._reply(b"421 4.3.2 Service not available")
            self._close()
        elif not self._greeted or self._sender is not None:
            self._reply(b"503 5.5.1 Bad sequence of commands")
        elif path is None:
            self._reply(b"501 5.1.7 Bad sender address syntax")
        elif _declared_size(path[1]) > MAX_MAIL:
            self._reply(b"552 5.3.4 Message too big")
        elif self._desk.throttle.wait(knobs.throttle_per_second, 1, time.monotonic()):
            self._desk.count("throttled")
            self._reply(b"451 4.7.1 Too much mail, come again later")
        else:
            self._sender = path[0]
            self._reply(b"250 2.1.0 Ok")

    def _rcpt(self, argument: str) -> None:
        path = _path(argument, "TO:")
        if self._sender is None:
            self._reply(b"503 5.5.1 Need MAIL first")
        elif path is None or "@" not in path[0]:
            self._reply(b"501 5.1.3 Bad recipient address syntax")
        elif len(self._recipients) >= MAX_RECIPIENTS:
            self._reply(b"452 4.5.3 Too many recipients")
        elif refusal := self._desk.panel.knobs.email.reject.get(path[0].rpartition("@")[0].lower()):
            self._desk.count("rejected")
            self._reply(refusal.encode("utf-8", "replace").replace(b"\r", b" ").replace(b"\n", b" "))
        else:
            self._recipients.append(path[0])
            self._reply(b"250 2.1.5 Ok")

    def _data(self, argument: str) -> None:
        if self._sender is None or not self._recipients:
            self._reply(b"503 5.5.1 Need MAIL and RCPT first")
        else:
            self._in_data = True
            self._reply(b"354 End data with <CR><LF>.<CR><LF>")

    def _rset(self, argument: str) -> None:
        self._reset()
        self._reply(b"250 2.0.0 Ok")

    def _noop(self, argument: str) -> None:
        self._reply(b"250 2.0.0 Ok")

    def _vrfy(self, argument: str) -> None:
        self._reply(b"252 2.5.2 Not verified, but will be taken")

    def _quit(self, argument: str) -> None:
        self._reply(b"221 2.0.0 Bye")
        self._close()


_COMMANDS: dict[bytes, Callable[[SmtpConnection, str], None]] = {
    b"EHLO": SmtpConnection._ehlo,
    b"HELO": SmtpConnection._helo,
    b"MAIL": SmtpConnection._mail,
    b"RCPT": SmtpConnection._rcpt,
    b"DATA": SmtpConnection._data,
    b"RSET": SmtpConnection._rset,
    b"NOOP": SmtpConnection._noop,
    b"VRFY": SmtpConnection._vrfy,
    b"QUIT": SmtpConnection._quit,
}


def _path(argument: str, keyword: str) -> tuple[str, str] | None:
    """(address, parameters) of ``FROM:<a@b> SIZE=1``, None when it is none."""
    if argument[: len(keyword)].upper() != keyword:
        return None
    found = _PATH.match(argument[len(keyword) :])
    return (found[1], found[2]) if found else None


def _declared_size(parameters: str) -> int:
    for parameter in parameters.upper().split():
        if parameter.startswith("SIZE="):
            with suppress(ValueError):
                return int(parameter[5:])
    return 0
