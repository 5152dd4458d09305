"""Try parked events again, customer by customer, in their order; give up after a while, visibly.

Payments and stops that were parked are tried like all else; what can not be applied after many tries becomes a dead
letter, which blocks its customer for its consumer until a person replays or discards it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog

from shared.application.book import Book
from shared.application.intake import replay
from shared.application.judging import PolicyShelf
from shared.application.pipeline import SOURCE, Consumer, OurEvent, run_use_cases
from shared.domain.announcement import Announcement
from shared.domain.event_types import DEAD_LETTER, dead_letter_topic

MOST_TRIES = 8
LONGEST_WAIT = timedelta(minutes=10)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parked:
    """A parked event; ``envelope`` is the bytes it was kept as."""

    entry: int
    customer_id: str
    source: str
    event_id: str
    type: str
    envelope: bytes
    tries: int


class Retrier:
    """``apply`` runs one parked event inside an open transaction; it raises when the event still can not be applied."""

    def __init__(self, work: Any, consumer: str, apply: Any) -> None:
        self._work = work
        self._consumer = consumer
        self._apply = apply

    async def retry_due(self, limit: int = 100) -> int:
        """One try for the first parked event of each customer whose time has come; how many were applied."""
        async with self._work() as tx:
            due: Sequence[Parked] = await tx.parked_due(self._consumer, limit)
        applied = 0
        for parked in due:
            applied += await self._retry(parked)
        return applied

    async def _retry(self, parked: Parked) -> int:
        try:
            async with self._work() as tx:
                book = Book(tx.now)
                await tx.lock_customers(book, [parked.customer_id])
                if not await tx.end_parked(parked.entry, "replayed"):
                    return 0  # somebody else was quicker
                await self._apply(tx, book, parked)
        except Exception as error:
            log.exception("retrying.failed", consumer=self._consumer, tries=parked.tries + 1)
            reason = type(error).__name__  # what a driver says may repeat what the row says
            await self._put_off(parked, reason)
            return 0
        return 1

    async def _put_off(self, parked: Parked, reason: str) -> None:
        """Until a later try, or for good; the end is announced, without the event's content."""
        tries = parked.tries + 1
        wait = min(timedelta(seconds=2**tries), LONGEST_WAIT)
        async with self._work() as tx:
            book = Book(tx.now)
            await tx.lock_customers(book, [parked.customer_id])
            await tx.fail_parked(parked.entry, reason, wait, dead=tries >= MOST_TRIES)
            if tries >= MOST_TRIES:
                book.changes.announce([_given_up(parked, self._consumer, reason, tries)])
                await tx.save(book.changes)


def _given_up(parked: Parked, consumer: str, reason: str, tries: int) -> Announcement:
    data = {
        "entry": parked.entry,
        "consumer": consumer,
        "event_source": parked.source,
        "event_id": parked.event_id,
        "event_type": parked.type,
        "error": reason,
        "tries": tries,
    }
    return Announcement(dead_letter_topic(parked.type), DEAD_LETTER, parked.customer_id, data)


def inbound_events(shelf: PolicyShelf) -> Any:
    """How a parked inbound event is applied: through intake, past those that queue behind it."""

    async def apply(tx: Any, _book: Book, parked: Parked) -> None:
        await replay(tx, shelf, parked.envelope)

    return apply


def own_events(consumer: Consumer, read: Any) -> Any:
    """How a parked event of ours is applied: through the consumer's own table."""

    async def apply(tx: Any, book: Book, parked: Parked) -> None:
        event: OurEvent = read(parked)
        if await tx.take(consumer.name, [(SOURCE, event.id)]):
            await run_use_cases(tx, book, consumer, [event])

    return apply
