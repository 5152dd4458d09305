"""What of a personal value may be shown to everybody: enough to recognise it, not enough to use it."""

from __future__ import annotations

HIDDEN = "****"


def mask_name(name: str) -> str:
    """``王小明`` -> ``王**``, ``Anna Berg`` -> ``A**``; the length is hidden too."""
    return f"{name.strip()[:1]}**"


def mask_phone(number: str) -> str:
    """``+8613812340001`` -> ``+86138****0001``; of a short or unreadable number only the last two digits."""
    if len(number) < 11:
        return HIDDEN + number[-2:] if len(number) > 4 else HIDDEN
    return number[: len(number) - 8] + HIDDEN + number[-4:]


def mask_email(address: str) -> str:
    """``chen@example.com`` -> ``c***@example.com``."""
    local, at, domain = address.partition("@")
    return f"{local[:1]}***{at}{domain}" if at else HIDDEN


def mask_point(kind: str, value: str) -> str:
    """A contact point of ``kind`` (mobile, phone, email, address) as it may be shown."""
    if kind in ("mobile", "phone"):
        return mask_phone(value)
    if kind == "email":
        return mask_email(value)
    return HIDDEN
