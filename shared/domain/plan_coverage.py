"""How payments cover instalments, and when that is no longer a plan that is kept.

Payments cover instalments in order, whatever they were meant for: what comes early covers the next ones, what lacks
is lacking from the oldest. An instalment is missed when the days of grace are over and more than the tolerance lacks.
A plan breaks on the first day on which its rule is met by what had come in up to the evening before, so that a payment
on the last day of grace is in time.

A debt that is paid off early owes no interest and no fee of periods that have not begun; the first one has.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from itertools import accumulate

from shared.domain.document import DocumentError, Section
from shared.domain.ladder import currency_amounts
from shared.domain.payment import Received
from shared.domain.plan_schedule import Schedule

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class BreakRule:
    """An instalment is in time up to ``grace_days`` late and ``tolerance`` short (minor units by currency). The plan
    breaks when ``missed`` instalments are missed at once, or the oldest is more than ``days_late`` late, or
    ``overdue`` is missing (by currency; one that is not named is not bounded)."""

    grace_days: int
    tolerance: Mapping[str, int] = field(hash=False)
    missed: int
    days_late: int
    overdue: Mapping[str, int] = field(hash=False)


class InstalmentState(StrEnum):
    EARLY = "early"  # covered before its day
    ON_TIME = "on_time"
    LATE = "late"  # covered after the grace
    UPCOMING = "upcoming"
    DUE = "due"  # its day has come, the grace runs
    MISSED = "missed"


@dataclass(frozen=True, slots=True)
class InstalmentStanding:
    """``paid`` of ``amount`` so far, in minor units; ``covered_on`` is the day on which enough was there."""

    number: int
    due_on: date
    amount: int
    paid: int
    covered_on: date | None
    state: InstalmentState


@dataclass(frozen=True, slots=True)
class Coverage:
    """One currency of a plan on a day. ``covered`` instalments, of which ``missed`` are not but should be; ``overdue``
    is what they lack. ``waived`` is interest and fees that an early end leaves unasked, ``over`` what came in beyond
    the plan. At most one of ``completed_on`` and ``broken_on`` is given: what came first."""

    currency: str
    received: int
    instalments: tuple[InstalmentStanding, ...]
    covered: int
    missed: int
    overdue: int
    completed_on: date | None
    broken_on: date | None
    waived: int
    over: int
    left: int

    @property
    def missed_through(self) -> int:
        """The number of the newest missed instalment, 0 when none is."""
        return self.covered + self.missed if self.missed else 0

    @property
    def next_due(self) -> InstalmentStanding | None:
        """The first instalment that is not covered."""
        return self.instalments[self.covered] if self.covered < len(self.instalments) else None


class _Money:
    """What had come in by each day."""

    def __init__(self, received: Sequence[Received], until: date) -> None:
        known = sorted(each for each in received if each.on <= until)
        self.days = [each.on for each in known]
        self._sums = [0, *accumulate(each.amount for each in known)]

    def by(self, day: date) -> int:
        return self._sums[bisect_right(self.days, day)]

    def reached(self, amount: int) -> date | None:
        """The day on which so much was there; None when it is not yet."""
        place = bisect_left(self._sums, amount)
        if amount <= 0 or place == len(self._sums):
            return None
        return self.days[place - 1]


def cover(schedule: Schedule, received: Sequence[Received], rule: BreakRule, on: date) -> Coverage:
    """How a schedule stands at the end of ``on``; the answer depends on what came in, the rule and the day alone."""
    money = _Money(received, on)
    tolerance = rule.tolerance.get(schedule.currency, 0)
    needed = schedule.cumulative
    enough = [max(1, each - tolerance) for each in needed]
    completed_on, asked = _completed(schedule, money, tolerance)
    broken_on = _broken(schedule, money, needed, rule, on, completed_on)
    if broken_on is not None:
        completed_on = None
    came = money.by(on)
    total = needed[-1] if completed_on is None else asked
    covered = len(needed) if completed_on is not None else bisect_right(enough, came)
    instalments = tuple(
        _instalment(schedule, index, money, needed, enough[index], rule, on, completed_on)
        for index in range(len(needed))
    )
    missed = sum(each.state is InstalmentState.MISSED for each in instalments)
    return Coverage(
        currency=schedule.currency,
        received=came,
        instalments=instalments,
        covered=covered,
        missed=missed,
        overdue=needed[covered + missed - 1] - came if missed else 0,
        completed_on=completed_on,
        broken_on=broken_on,
        waived=needed[-1] - total,
        over=max(0, came - total),
        left=0 if completed_on is not None else max(0, needed[-1] - came),
    )


def payoff(schedule: Schedule, received: int, on: date) -> int:
    """What ends a plan on ``on``, in minor units, when so much has come in: all that is left of the debt, and the
    charges of the periods that have begun."""
    return max(0, _asked_by(schedule, on) - received)


def _asked_by(schedule: Schedule, day: date) -> int:
    begun = bisect_left([each.due_on for each in schedule.instalments[:-1]], day) + 1
    return schedule.financed + sum(each.interest + each.fee for each in schedule.instalments[:begun])


def _completed(schedule: Schedule, money: _Money, tolerance: int) -> tuple[date | None, int]:
    """The first day on which what had come in paid the debt off, and what that took."""
    for day in money.days:
        asked = _asked_by(schedule, day)
        if money.by(day) >= max(1, asked - tolerance):
            return day, asked
    return None, 0


def _broken(
    schedule: Schedule, money: _Money, needed: Sequence[int], rule: BreakRule, on: date, completed_on: date | None
) -> date | None:
    due = [each.due_on for each in schedule.instalments]
    tolerance = rule.tolerance.get(schedule.currency, 0)
    enough = [max(1, each - tolerance) for each in needed]
    bound = rule.overdue.get(schedule.currency)
    for day in break_days(schedule, rule):
        if day > on or (completed_on is not None and completed_on < day):
            return None
        came = money.by(day - ONE_DAY)
        oldest = bisect_right(enough, came)
        last = bisect_left(due, day - timedelta(days=rule.grace_days))  # so many are past their grace
        if oldest >= last:
            continue
        too_many = last - oldest >= rule.missed
        too_late = (day - due[oldest]).days > rule.days_late
        if too_many or too_late or (bound is not None and needed[last - 1] - came >= bound):
            return day
    return None


def break_days(schedule: Schedule, rule: BreakRule) -> list[date]:
    """The days on which the calendar alone can break a plan: an instalment's grace or its last delay is over."""
    grace, late = timedelta(days=rule.grace_days + 1), timedelta(days=rule.days_late + 1)
    return sorted({each.due_on + wait for each in schedule.instalments for wait in (grace, late)})


def _instalment(
    schedule: Schedule,
    index: int,
    money: _Money,
    needed: Sequence[int],
    enough: int,
    rule: BreakRule,
    on: date,
    completed_on: date | None,
) -> InstalmentStanding:
    each = schedule.instalments[index]
    covered_on = money.reached(enough)
    if covered_on is None and completed_on is not None:
        covered_on = completed_on
    last_day = each.due_on + timedelta(days=rule.grace_days)
    if covered_on is None:
        late = InstalmentState.MISSED if on > last_day else InstalmentState.DUE
        state = late if on >= each.due_on else InstalmentState.UPCOMING
    elif covered_on < each.due_on:
        state = InstalmentState.EARLY
    else:
        state = InstalmentState.ON_TIME if covered_on <= last_day else InstalmentState.LATE
    paid = min(each.amount, max(0, money.by(on) - (needed[index] - each.amount)))
    return InstalmentStanding(each.number, each.due_on, each.amount, paid, covered_on, state)


def read_break_rule(section: Section) -> BreakRule:
    """Raises DocumentError naming the place."""
    rule = BreakRule(
        grace_days=section.whole("grace_days", high=60),
        tolerance=currency_amounts(section, "tolerance"),
        missed=section.whole("missed", low=1, high=600),
        days_late=section.whole("days_late", high=3660),
        overdue=currency_amounts(section, "overdue"),
    )
    section.finish()
    if rule.days_late < rule.grace_days:
        raise DocumentError(section.at("days_late"), f"is inside the {rule.grace_days} days of grace")
    return rule
