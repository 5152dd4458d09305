"""Identities that follow from what a thing is about, so that making it twice makes one."""

from __future__ import annotations

from hashlib import sha256
from uuid import UUID

_MARKED = (0x8 << 76) | (0x2 << 62)  # version and variant
_RANDOM = (1 << 128) - 1 & ~(0xF << 76) & ~(0x3 << 62)


def derive(kind: str, *parts: object) -> UUID:
    """A UUID (version 8, RFC 9562) from the natural key of a thing: ``derive("case", customer_id, 3)``."""
    return UUID(int=_derived(kind, parts))


def derive_text(kind: str, *parts: object) -> str:
    """The text of the same UUID; for an event, which carries it so, that is half the work."""
    text = f"{_derived(kind, parts):032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _derived(kind: str, parts: tuple[object, ...]) -> int:
    digest = sha256("\x1f".join((kind, *map(str, parts))).encode()).digest()
    return int.from_bytes(digest[:16], "big") & _RANDOM | _MARKED
