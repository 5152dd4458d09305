"""The signature on requests and callbacks: HMAC-SHA256 (hex) over ``<epoch seconds>.<body>``, good for 15 minutes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

MAX_AGE_SECONDS = 900


class SignatureRefused(Exception):
    """Why, in one word: ``timestamp``, ``age`` or ``signature``."""


def sign(secret: str, timestamp: str, body: bytes) -> str:
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def signed_headers(secret: str, key_id: str, body: bytes, now: float) -> dict[str, str]:
    """The headers that go with ``body``; ``now`` in epoch seconds."""
    timestamp = str(int(now))
    return {
        "Content-Type": "application/json",
        "X-Key-Id": key_id,
        "X-Timestamp": timestamp,
        "X-Signature": sign(secret, timestamp, body),
    }


def verify(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """Raises SignatureRefused unless ``body`` was signed with ``secret`` less than 15 minutes from ``now``."""
    wanted = {name.lower(): value for name, value in headers.items() if name.lower() in ("x-timestamp", "x-signature")}
    timestamp, signature = wanted.get("x-timestamp", ""), wanted.get("x-signature", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise SignatureRefused("timestamp")
    expected = sign(secret, timestamp, body)
    if not hmac.compare_digest(expected.encode(), signature.lower().encode("utf-8", "replace")):
        raise SignatureRefused("signature")
    # After the signature: a stranger does not learn how far our clocks are apart.
    if abs(now - int(timestamp)) > MAX_AGE_SECONDS:
        raise SignatureRefused("age")
