"""The consumer pipeline: our own events, from whichever transport, into use cases. Once, in order per customer.

A batch is one transaction: lock the customers, enter the events into the inbox, drop those that were there, run each
use case on its events, commit. A batch that fails is tried customer by customer; a customer that still fails is parked
for this consumer alone, and what comes for them later queues behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
import structlog

from shared.application.book import Book, Changes
from shared.application.ports import BEHIND, Transaction, UnitOfWork
from shared.application.transport import Fenced
from shared.domain.event_types import EVENT_TYPES

SOURCE = "arrears"
FIRST_RETRY = timedelta(seconds=2)
log = structlog.get_logger(__name__)


class OurEvent(msgspec.Struct, frozen=True):
    """An event of ours as consumers see it; ``written`` makes the bytes to keep it as, where it must be parked."""

    id: str
    type: str
    topic: str
    customer_id: str
    at: datetime
    data: Mapping[str, Any]
    written: Callable[[], bytes]

    @property
    def envelope(self) -> bytes:
        return self.written()

    @property
    def source(self) -> str:
        return SOURCE


class UseCase(Protocol):
    """Runs inside the pipeline's transaction, with the customers of its events locked in ``book``."""

    def __call__(self, tx: Any, book: Book, events: Sequence[OurEvent], /) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True)
class Consumer:
    """``handlers`` is the table of event types this consumer cares about; all others pass it by."""

    name: str
    handlers: Mapping[str, UseCase]

    @property
    def types(self) -> dict[str, str]:
        """Each event type this consumer takes up, to its topic."""
        return {kind: EVENT_TYPES[kind].topic for kind in self.handlers}

    @property
    def topics(self) -> frozenset[str]:
        return frozenset(self.types.values())


async def consume(work: UnitOfWork, consumer: Consumer, events: Sequence[OurEvent]) -> None:
    """Apply or park every event. Returns only when each is committed as one or the other."""
    first_of_each: dict[str, OurEvent] = {}  # the inbox tells batches apart, not the copies within one
    for event in events:
        if event.type in consumer.handlers:
            first_of_each.setdefault(event.id, event)
    mine = list(first_of_each.values())
    if not mine:
        return
    try:
        await _consume_together(work, consumer, mine)
    except Fenced:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not stop the other customers
        log.warning("pipeline.batch_failed", consumer=consumer.name, events=len(mine), error=type(error).__name__)
        for customer_id in dict.fromkeys(event.customer_id for event in mine):
            await _consume_one(work, consumer, customer_id, [e for e in mine if e.customer_id == customer_id])


async def _consume_one(work: UnitOfWork, consumer: Consumer, customer_id: str, events: Sequence[OurEvent]) -> None:
    try:
        await _consume_together(work, consumer, events)
    except Fenced:
        raise
    except Exception as error:
        log.exception("pipeline.customer_failed", consumer=consumer.name, events=len(events))
        async with work() as tx:
            seen = await tx.seen(consumer.name, [(SOURCE, event.id) for event in events])
            reason = type(error).__name__  # what a driver says may repeat what the row says
            for event in events:
                if (SOURCE, event.id) not in seen:
                    await tx.park(consumer.name, customer_id, event, tries=1, retry_in=FIRST_RETRY, error=reason)


async def _consume_together(work: UnitOfWork, consumer: Consumer, events: Sequence[OurEvent]) -> None:
    async with work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, {event.customer_id for event in events})
        fresh = await _fresh(tx, consumer, events)
        await run_use_cases(tx, book, consumer, fresh)


async def _fresh(tx: Transaction, consumer: Consumer, events: Sequence[OurEvent]) -> list[OurEvent]:
    """Those of the events that are new here; what comes for a blocked customer is parked behind."""
    blocked = await tx.blocked(consumer.name, {event.customer_id for event in events})
    if blocked:
        await _queue_behind(tx, consumer, [event for event in events if event.customer_id in blocked])
    open_events = [event for event in events if event.customer_id not in blocked]
    new = await tx.take(consumer.name, [(SOURCE, event.id) for event in open_events])
    return [event for event in open_events if (SOURCE, event.id) in new]


async def _queue_behind(tx: Transaction, consumer: Consumer, events: Sequence[OurEvent]) -> None:
    seen = await tx.seen(consumer.name, [(SOURCE, event.id) for event in events])
    for event in events:
        if (SOURCE, event.id) not in seen:
            await tx.park(consumer.name, event.customer_id, event, tries=0, retry_in=timedelta(), error=BEHIND)


async def run_use_cases(tx: Any, book: Book, consumer: Consumer, events: Iterable[OurEvent]) -> None:
    """Each use case once with all of its events, in the order of the table's first event."""
    by_case: dict[Callable[..., Awaitable[None]], list[OurEvent]] = {}
    for event in events:
        by_case.setdefault(consumer.handlers[event.type], []).append(event)
    for use_case, its_events in by_case.items():
        await use_case(tx, book, its_events)
        book.changes = Changes()  # written; the next use case must not write it again
