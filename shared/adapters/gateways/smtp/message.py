"""Writing a mail: headers, one text part, the addresses of the envelope. Bytes as they go over the wire."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from shared.application.gateway import Submission

MAX_LINE = 998
MAX_ADDRESS = 254

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ADDRESS = re.compile(r"[^\s<>()\[\]\\,;:\"@]+@[^\s<>()\[\]\\,;:\"@]+")
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LONE_LINE_END = re.compile(r"\r\n|\r|\n")


class MailRefused(ValueError):
    """A mail that must not be written; ``code`` says why, ``address`` whether it is the address's fault."""

    def __init__(self, code: str, *, address: bool = False) -> None:
        super().__init__(code)
        self.code = code
        self.address = address


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the address and name of ``From``, and the domain that bounces come back to."""

    address: str
    name: str
    bounce_domain: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]

    def envelope(self, reference: str) -> str:
        """A return path of its own for each attempt (VERP), so that a bounce names the attempt."""
        return f"b+{reference}@{self.bounce_domain}"


@dataclass(frozen=True, slots=True)
class Mail:
    """Ready to be sent: envelope, and content with CRLF line ends, dots doubled, the closing dot not yet there."""

    envelope_from: str
    envelope_to: str
    content: bytes
    needs_utf8: bool


def write_mail(
    item: Submission, sender: Sender, now: datetime, business_time: datetime | None, *, eight_bit: bool
) -> Mail:
    """Raises MailRefused for control characters in what becomes a header, and for an address that is none."""
    to = _address(item.to)
    subject = item.subject or ""
    if _CONTROL.search(subject):
        raise MailRefused("control_character_in_subject")
    if not (_ID.fullmatch(item.reference) and _ID.fullmatch(item.message_group)):
        raise MailRefused("malformed_reference")
    try:
        text, encoding = _body(item.body, eight_bit=eight_bit)
        headers = _headers(item, sender, to, subject, format_datetime(business_time or now), encoding)
        if business_time is not None:
            headers.append(f"X-Arrears-Business-Time: {business_time.isoformat()}")
        head = "\r\n".join(headers).encode("utf-8")
    except UnicodeError as error:
        raise MailRefused("not_unicode") from error
    return Mail(sender.envelope(item.reference), to, head + b"\r\n\r\n" + text, not to.isascii())


def _headers(item: Submission, sender: Sender, to: str, subject: str, date: str, encoding: str) -> list[str]:
    return [
        f"From: {_phrase(sender.name)} <{sender.address}>",
        f"To: <{to}>",
        f"Subject: {encoded(subject)}",
        f"Date: {date}",
        f"Message-ID: <{item.message_group}@{sender.domain}>",
        f"X-Arrears-Reference: {item.reference}",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Transfer-Encoding: {encoding}",
    ]


def _address(address: str) -> str:
    """The address as it goes on the wire: its domain in ASCII, its local part as it is."""
    if _CONTROL.search(address):
        raise MailRefused("control_character_in_address")
    if len(address) > MAX_ADDRESS or not _ADDRESS.fullmatch(address):
        raise MailRefused("malformed_address", address=True)
    if address.isascii():
        return address
    local, _, domain = address.rpartition("@")
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
        local.encode("utf-8")
    except UnicodeError as error:
        raise MailRefused("malformed_address", address=True) from error
    return f"{local}@{ascii_domain}"


def _body(text: str, *, eight_bit: bool) -> tuple[bytes, str]:
    """(the text as bytes, its transfer encoding): as it is where the server takes it and the lines are short."""
    raw = _LONE_LINE_END.sub("\r\n", text).encode("utf-8")
    if not raw.endswith(b"\r\n"):
        raw += b"\r\n"
    plain = (eight_bit or raw.isascii()) and b"\0" not in raw
    if not plain or max(map(len, raw.split(b"\r\n"))) > MAX_LINE:
        return base64.encodebytes(raw).replace(b"\n", b"\r\n"), "base64"
    if raw.startswith(b"."):
        raw = b"." + raw
    return raw.replace(b"\r\n.", b"\r\n.."), "8bit"


def _phrase(name: str) -> str:
    if _CONTROL.search(name):
        raise MailRefused("control_character_in_sender_name")
    if not name.isascii():
        return encoded(name)
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def encoded(text: str) -> str:
    """A header value: as it is when short ASCII that no reader would trim, else folded encoded words (RFC 2047)."""
    if text.isascii() and len(text) <= 900 and "=?" not in text and text == text.strip():
        return text
    words: list[str] = []
    piece = b""
    for character in text:
        raw = character.encode("utf-8")
        if len(piece) + len(raw) > 45:  # 60 characters of base64 and the frame: within 75
            words.append(_word(piece))
            piece = b""
        piece += raw
    words.append(_word(piece))
    return "\r\n ".join(words)


def _word(raw: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(raw).decode('ascii')}?="
