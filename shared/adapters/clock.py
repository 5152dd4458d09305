"""The business clock as processes see it between transactions, and the manual one's row in the database."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


class BusinessClock:
    """Now, for the look right before a write. Under the manual clock it is the instant last read in a transaction."""

    def __init__(self, *, manual: bool = False) -> None:
        self._manual = manual
        self._seen: datetime | None = None

    def observe(self, now: datetime) -> None:
        self._seen = now

    def now(self) -> datetime:
        if self._manual and self._seen is not None:
            return self._seen
        return datetime.now(UTC)

    def business_time(self) -> datetime | None:
        """For the sandbox's log: the manual instant, or None when the clock is the real one."""
        return self._seen if self._manual else None


async def read_manual_clock(conn: Any) -> datetime | None:
    found: datetime | None = await conn.fetchval("select now from arrears.business_clock where id = 1")
    return found


async def move_manual_clock(conn: Any, to: datetime) -> None:
    """Set the manual clock; it never moves backwards. Raises ValueError when it would."""
    moved = await conn.fetchval(
        """
        insert into arrears.business_clock (id, now) values (1, $1)
        on conflict (id) do update set now = excluded.now where business_clock.now <= excluded.now
        returning id
        """,
        to,
    )
    if moved is None:
        raise ValueError("the manual clock never moves backwards")
