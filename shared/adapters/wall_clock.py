"""The real time of day, for what lives by it whatever business time says: tokens and their expiry."""

from __future__ import annotations

import time


def wall_seconds() -> float:
    """Seconds since 1970-01-01T00:00Z."""
    return time.time()
