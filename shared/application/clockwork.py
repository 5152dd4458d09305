"""What the clock causes: claim customers with due timers, run all due timers of each in one transaction.

Facts are judged as of the instant they were due, actions are taken as of now; so a late tick ends where a punctual one
would have. A tick costs O(due): it starts from due timers, never from the book.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import structlog

from shared.application.book import Book, Changes, TimerKey
from shared.application.judging import BUCKET_ROLL, PolicyShelf, open_pages, rejudge
from shared.application.ports import UnitOfWork

AT_ONCE = 3  # transactions: while the database works for two of them, we think about the third
AHEAD = 24  # transactions' customers that one look finds: at the end of each look some wait for the others to end
EVERYBODY = "*"  # the scope of timers that belong to no customer
log = structlog.get_logger(__name__)


class DueTimer(NamedTuple):
    scope: str
    kind: str
    subject: str
    due_at: datetime


class TimerUseCase(Protocol):
    """Handles the due timers of one kind for the locked customers of ``book``, oldest first."""

    def __call__(self, tx: Any, book: Book, timers: Sequence[DueTimer], /) -> Awaitable[None]: ...


TimerTable = Mapping[str, TimerUseCase]


async def run_due(work: UnitOfWork, table: TimerTable, limit: int, stop: asyncio.Event | None = None) -> int:
    """Run the due timers of at most ``AHEAD`` times ``limit`` customers, ``limit`` a transaction, ``AT_ONCE`` of these
    at a time, until ``stop`` is set; the number of timers that ran."""
    customers = await _due_customers(work, AHEAD * limit)
    parts = iter([customers[at : at + limit] for at in range(0, len(customers), limit)])

    async def work_off() -> int:
        ran = 0
        for part in parts:
            if stop is not None and stop.is_set():
                break
            ran += await _run_part(work, table, part)
        return ran

    return sum(await asyncio.gather(*(work_off() for _ in range(AT_ONCE))))


async def _run_part(work: UnitOfWork, table: TimerTable, customers: Sequence[str]) -> int:
    try:
        return await _run_together(work, table, customers)
    except Exception as error:  # noqa: BLE001 - one customer's trouble must not stop the clock for the others
        log.warning("clockwork.batch_failed", customers=len(customers), error=type(error).__name__)
    ran = 0
    for customer_id in customers:
        try:
            ran += await _run_together(work, table, [customer_id])
        except Exception as error:
            log.exception("clockwork.customer_failed")
            async with work() as tx:
                await tx.postpone_timers(customer_id, type(error).__name__)  # its text may repeat what is personal
    return ran


async def _due_customers(work: UnitOfWork, limit: int) -> list[str]:
    async with work() as tx:
        found: list[str] = await tx.customers_with_due_timers(limit)
    return found


async def _run_together(work: UnitOfWork, table: TimerTable, customers: Sequence[str]) -> int:
    async with work() as tx:
        book = Book(tx.now)
        await tx.claim_customers(book, customers)
        timers = await tx.due_timers(list(book.customers))
        taken = await tx.take_timers_of_nobody() if EVERYBODY in customers else []
        by_kind: dict[str, list[DueTimer]] = {}
        for timer in [*taken, *timers]:
            by_kind.setdefault(timer.kind, []).append(timer)
        set_again: set[TimerKey] = set()  # a row that is moved is written once, one that is removed and added is twice
        # What a day made overdue counts for whatever was due since: for a step that a late run issues, above all.
        for kind in sorted(by_kind, key=lambda kind: kind != BUCKET_ROLL):
            await table[kind](tx, book, by_kind[kind])
            set_again.update(book.changes.timers)
            book.changes = Changes()  # written; the next kind must not write it again
        ended = Changes()
        for each in timers:
            if (each.scope, each.kind, each.subject) not in set_again:
                ended.set_timer(each.scope, each.kind, each.subject, None)
        if ended.timers:
            await tx.save(ended)
    return len(taken) + len(timers)


class BucketRolls:
    """An account's bucket changes by the calendar alone."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self.shelf = shelf

    async def roll(self, tx: Any, book: Book, timers: Sequence[DueTimer]) -> None:
        await open_pages(tx, book)
        due = {timer.scope: timer.due_at for timer in reversed(timers)}
        catch_up_all(book, self.shelf, due)
        await tx.save(book.changes)


def catch_up_all(book: Book, shelf: PolicyShelf, rolls: Mapping[str, datetime]) -> None:
    """What the clock and holds on single accounts made otherwise by now, of each customer of the book. ``rolls`` has
    the instants of bucket rolls that are due."""
    held = {owner for account_id, owner in book.owners().items() if account_id in book.held} if book.held else set()
    for customer_id in sorted(held.union(rolls)):
        catch_up(book, customer_id, shelf, rolls.get(customer_id))


def catch_up(book: Book, customer_id: str, shelf: PolicyShelf, due_at: datetime | None) -> None:
    """Judge the customer at every instant at which a bucket rolled, from ``due_at`` up to now, and at which a hold on
    an account of theirs began or was over: one on an account among others changes what the case is about."""
    page = book.customers[customer_id]
    turns: list[datetime] = []
    for hold in book.holds_of(customer_id):
        if new := hold.turns(book.now):
            turns += new
            book.changes.noted_holds[hold.hold_id] = hold.noted + len(new)
    turns.sort()
    while True:
        turn = turns[0] if turns else None
        at = min((each for each in (due_at, turn) if each is not None), default=None)
        if at is None or at > book.now:
            return
        if at == turn:
            turns.pop(0)
        reason = f"timer.{BUCKET_ROLL}" if at == due_at else "hold"
        judged_at = at if page.last_standing is None else max(at, page.last_standing.at)
        following = rejudge(book, customer_id, shelf, judged_at, reason, actor="clock")
        due_at = following if following is not None and following > at else None
