"""What is thrown away once a day: kept answers after a week, unmatched payments after 60 days, sent outbox rows.

A timer that belongs to no customer; it sets itself again: for tomorrow, or soon when one turn was not enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import structlog

from shared.application.book import Book
from shared.application.clockwork import EVERYBODY, DueTimer

HOUSEKEEPING = "housekeeping"
EVERY = timedelta(days=1)
SOON = timedelta(minutes=1)
AT_ONCE = 50_000  # rows of a kind in one transaction
KEEP_ANSWERS = timedelta(days=7)
KEEP_UNMATCHED = timedelta(days=60)
KEEP_SENT = timedelta(days=14)
log = structlog.get_logger(__name__)


async def keep_house(tx: Any, book: Book, _timers: Sequence[DueTimer]) -> None:
    """Purge what has outlived its purpose, and come again when there is more."""
    purged = await tx.purge(answers=KEEP_ANSWERS, unmatched=KEEP_UNMATCHED, sent=KEEP_SENT, at_once=AT_ONCE)
    pause = SOON if max(purged.values()) >= AT_ONCE else EVERY
    book.changes.set_timer(EVERYBODY, HOUSEKEEPING, "daily", book.now + pause)
    await tx.save(book.changes)
    log.info("housekeeping.purged", **purged)


async def ensure_housekeeping(work: Any) -> None:
    """Set the first timer of a new database; one that is set stays."""
    async with work() as tx:
        await tx.add_timer_once(EVERYBODY, HOUSEKEEPING, "daily", tx.now + EVERY)
