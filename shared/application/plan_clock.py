"""A day has come on which the calendar alone decides about a plan.

Before it is judged or reminded of, the days of its instalments are moved off holidays that were announced since: as of
the day it was last judged, so that a late clock finds the days that a punctual one would have found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from shared.application.agreements import weigh
from shared.application.book import Book, PlanOnFile
from shared.application.clockwork import DueTimer
from shared.application.judging import PolicyShelf, open_pages, zone_of
from shared.application.plan_judging import ACTOR_CLOCK, BY_CLOCK, put_plan, remind_of_instalments, standing_on, tell
from shared.application.plans import PlanStore
from shared.domain.calendar import local_date
from shared.domain.plan_dates import Shift
from shared.domain.plan_life import cancel, fix_dates, lapses_on
from shared.domain.plan_news import moved_news


class PlanClock:
    """Judges what is in force, and calls off what nobody brought to life."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def tick(self, tx: PlanStore, book: Book, timers: Sequence[DueTimer]) -> None:
        await open_pages(tx, book)
        for timer in timers:
            customer_id = timer.scope
            zone = zone_of(book.customers[customer_id].time_zone, self._shelf.policy())
            page = book.agreements.get(customer_id)
            filed = None if page is None else page.plans.get(UUID(timer.subject))
            self._fix_dates(book, customer_id, zone)
            if filed is not None:
                self._lapse(book, book.agreements[customer_id].plans[filed.plan.plan_id], zone)
            weigh(book, customer_id, zone, tx.now, BY_CLOCK, ACTOR_CLOCK)
        await tx.save(book.changes)

    async def remind(self, tx: PlanStore, book: Book, timers: Sequence[DueTimer]) -> None:
        """An instalment is due soon."""
        await open_pages(tx, book)
        for timer in timers:
            zone = zone_of(book.customers[timer.scope].time_zone, self._shelf.policy())
            if timer.scope in book.agreements:
                self._fix_dates(book, timer.scope, zone)
                weigh(book, timer.scope, zone, tx.now, BY_CLOCK, ACTOR_CLOCK)
                remind_of_instalments(book, timer.scope, UUID(timer.subject), zone)
        await tx.save(book.changes)

    def _fix_dates(self, book: Book, customer_id: str, zone: str) -> None:
        page = book.agreements.get(customer_id)
        for filed in [] if page is None else list(page.plans.values()):
            plan, today = filed.plan, local_date(book.now, zone)
            since = filed.looked_on if plan.terms.dates.shift is Shift.FOLLOWING else today
            fixed = fix_dates(plan, self._shelf.calendar(self._shelf.policy()), min(since, today))
            if fixed is not plan:
                news = moved_news(plan, fixed, standing_on(book, fixed, today))
                tell(book, customer_id, filed.case_id, news, ACTOR_CLOCK)
                lapses = lapses_on(fixed, self._shelf.repayment().plans)
                put_plan(book, replace(filed, plan=fixed), zone, ACTOR_CLOCK, lapses_on=lapses)

    def _lapse(self, book: Book, filed: PlanOnFile, zone: str) -> None:
        day = lapses_on(filed.plan, self._shelf.repayment().plans)
        if day is not None and day <= local_date(book.now, zone):
            outcome = cancel(filed.plan, day, "expired")
            tell(book, filed.customer_id, filed.case_id, outcome.announcements, ACTOR_CLOCK)
            put_plan(book, replace(filed, plan=outcome.state), zone, ACTOR_CLOCK)
