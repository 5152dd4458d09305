"""A day has come on which the calendar alone decides about a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from shared.application.agreements import weigh
from shared.application.book import Book, PlanOnFile
from shared.application.clockwork import DueTimer
from shared.application.judging import PolicyShelf, zone_of
from shared.application.plan_judging import ACTOR_CLOCK, BY_CLOCK, put_plan, remind_of_instalments, tell
from shared.application.plans import PlanStore
from shared.domain.calendar import local_date
from shared.domain.plan_life import cancel, lapses_on


class PlanClock:
    """Judges what is in force, and calls off what nobody brought to life."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def tick(self, tx: PlanStore, book: Book, timers: Sequence[DueTimer]) -> None:
        await tx.load_cases(book)
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        for timer in timers:
            customer_id = timer.scope
            zone = zone_of(book.customers[customer_id].time_zone, self._shelf.policy())
            page = book.agreements.get(customer_id)
            filed = None if page is None else page.plans.get(UUID(timer.subject))
            if filed is not None:
                self._lapse(book, filed, zone)
            weigh(book, customer_id, zone, tx.now, BY_CLOCK, ACTOR_CLOCK)
        await tx.save(book.changes)

    async def remind(self, tx: PlanStore, book: Book, timers: Sequence[DueTimer]) -> None:
        """An instalment is due soon."""
        await tx.load_cases(book)
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        for timer in timers:
            zone = zone_of(book.customers[timer.scope].time_zone, self._shelf.policy())
            if timer.scope in book.agreements:
                weigh(book, timer.scope, zone, tx.now, BY_CLOCK, ACTOR_CLOCK)
                remind_of_instalments(book, timer.scope, UUID(timer.subject), zone)
        await tx.save(book.changes)

    def _lapse(self, book: Book, filed: PlanOnFile, zone: str) -> None:
        day = lapses_on(filed.plan, self._shelf.repayment().plans)
        if day is not None and day <= local_date(book.now, zone):
            outcome = cancel(filed.plan, day, "expired")
            tell(book, filed.customer_id, filed.case_id, outcome.announcements, ACTOR_CLOCK)
            put_plan(book, replace(filed, plan=outcome.state), zone, ACTOR_CLOCK)
