"""Reading a mail as far as the log needs it: our headers, the subject and the text."""

from __future__ import annotations

import base64
import email
import email.policy
import re
from email.header import decode_header, make_header
from email.message import EmailMessage

from services.sandbox.ledger import Taken

_WANTED = re.compile(
    r"^(x-arrears-reference|x-arrears-business-time|message-id|subject|content-type|content-transfer-encoding)"
    r"[ \t]*:((?:[^\r\n]|\r\n[ \t])*)",
    re.IGNORECASE | re.MULTILINE,
)
_OUR_WORDS = re.compile(r"(?:=\?utf-8\?b\?[A-Za-z0-9+/=]*\?= ?)+")
_OUR_WORD = re.compile(r"=\?utf-8\?b\?([A-Za-z0-9+/=]*)\?=")
_PLAIN_ENCODINGS = ("8bit", "7bit", "binary", "")


def read_mail(content: bytes, sender: str, recipients: list[str]) -> tuple[list[Taken], str | None]:
    """(one message for each recipient, the business time the sender gave)."""
    if content.startswith(b"\r\n"):
        head, body = b"", content[2:]
    else:
        head, _, body = content.partition(b"\r\n\r\n")
    headers = _headers(head)
    text = _text(headers, body, content)
    messages = [
        Taken(
            channel="email",
            to=recipient,
            text=text,
            reference=headers.get("x-arrears-reference"),
            group=_group(headers.get("message-id")),
            subject=_decoded(headers.get("subject", "")),
            sender=sender,
        )
        for recipient in recipients
    ]
    return messages, headers.get("x-arrears-business-time")


def _headers(head: bytes) -> dict[str, str]:
    """The headers that the log is made of, unfolded, by lower-case name; of a repeated one the first."""
    headers: dict[str, str] = {}
    for name, value in _WANTED.findall(head.decode("utf-8", "replace")):
        headers.setdefault(name.lower(), value.replace("\r\n", "").strip())
    return headers


def _group(message_id: str | None) -> str | None:
    return message_id.strip("<>").partition("@")[0] if message_id else None


def _decoded(value: str) -> str:
    if "=?" not in value:
        return value
    try:
        if _OUR_WORDS.fullmatch(value):
            return b"".join(map(base64.b64decode, _OUR_WORD.findall(value))).decode("utf-8", "replace")
        return _clean(str(make_header(decode_header(value))))
    except (ValueError, LookupError):
        return value


def _text(headers: dict[str, str], body: bytes, content: bytes) -> str:
    kind = headers.get("content-type", "text/plain").lower()
    encoding = headers.get("content-transfer-encoding", "").lower()
    if kind.startswith("text/plain") and encoding in _PLAIN_ENCODINGS and ("charset" not in kind or "utf-8" in kind):
        return body.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
    return _text_by_parser(content)


def _text_by_parser(content: bytes) -> str:
    """The slow way, for what other clients send: several parts, base64, other charsets."""
    message = email.message_from_bytes(content, EmailMessage, policy=email.policy.default)
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        return _clean(str(part.get_content())).replace("\r\n", "\n").rstrip("\n")
    except (LookupError, ValueError):
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else ""


def _clean(text: str) -> str:
    """Without the lone surrogates by which the parser marks bytes it could not read."""
    return text.encode("utf-8", "replace").decode("utf-8")
