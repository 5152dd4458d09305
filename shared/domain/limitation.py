"""The clock of limitation: until when a claim can be brought, what started it anew and by what proof, and when to warn.

China: three years from when the creditor knew of the breach (Civil Code art. 188), started in full by each
interruption (art. 195; for cards also by a text message, letter or e-mail to what the holder left with the issuer, a
deduction, a report to the police: interpretation 2021 no. 10, art. 3), never after twenty years. The first day is not
counted; a period ends on the corresponding date, or the month's last day; a last day that is a rest day moves to the
day after the rest days (arts. 201 to 203). Where the start is arguable (due date, or the day after) the earlier end
counts. Years and kinds of interruption are data: the ``limitation`` rule of a pack. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from shared.domain.calendar import ONE_DAY, BusinessCalendar, CalendarYearMissing, add_months, local_date
from shared.domain.contact_legal_checks import Limitation

SUSPENDED_LAST_MONTHS = 6
"""Obstacles count when they fall into the last six months, and then leave six months after their end (art. 194)."""


class InterruptionKind(StrEnum):
    """As a pack names them; which of them count is the jurisdiction's."""

    DEMAND = "demand"  # by text message, letter or e-mail to what the holder left
    DEDUCTION = "deduction"
    AGREEMENT = "agreement"  # promise, plan, request for more time: in writing or recorded
    PART_PAYMENT = "part_payment"
    SUIT = "suit"  # suit or arbitration
    PAYMENT_ORDER = "payment_order"
    POLICE_REPORT = "police_report"
    ASSIGNMENT_NOTICE = "assignment_notice"


_RENEWS = frozenset({InterruptionKind.AGREEMENT})
_HAS_TO_ARRIVE = frozenset({InterruptionKind.DEMAND, InterruptionKind.ASSIGNMENT_NOTICE})


@dataclass(frozen=True, slots=True)
class Interruption:
    """What may have started the period anew. ``proof`` names what is on record of it (a receipt, a recording, a
    posting); for what has to arrive, ``arrived`` and whether it went ``to_point_left`` by the holder."""

    kind: InterruptionKind
    at: datetime
    proof: str | None
    arrived: bool | None = None
    to_point_left: bool | None = None


@dataclass(frozen=True, slots=True)
class Suspension:
    """An obstacle (force majeure, no guardian, no heir) on local dates in [``first``, ``ends``); None: it lasts."""

    reason: str
    first: date
    ends: date | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """An interruption and why it did not count; ``refused`` is None when it did."""

    event: Interruption
    on: date
    refused: str | None


@dataclass(frozen=True, slots=True)
class LimitationClock:
    """``ends_on`` is the last local date on which the claim can be brought; None while an obstacle lasts. ``moved``
    tells whether rest days put it off, None where the calendar of that year is not announced and it was left where it
    falls, which is the earlier. ``alerts`` are dates to warn on, ``long_stop_on`` the end that nothing puts off."""

    counted_from: date
    ends_on: date | None
    moved: bool | None
    long_stop_on: date | None
    alerts: tuple[date, ...]
    events: tuple[Judged, ...]

    @property
    def interrupted_by(self) -> tuple[Judged, ...]:
        return tuple(each for each in self.events if each.refused is None)

    @property
    def guard_until(self) -> date | None:
        """For the gate's guard on legal steps: the end, or while an obstacle lasts the one that nothing puts off."""
        return self.ends_on or self.long_stop_on

    def barred_on(self, day: date) -> bool:
        return self.ends_on is not None and day > self.ends_on

    def alerts_by(self, day: date) -> tuple[date, ...]:
        """Those that are due on a date, the earliest first."""
        return tuple(each for each in self.alerts if each <= day)


def limitation_clock(
    due_on: date,
    events: Iterable[Interruption],
    suspensions: Sequence[Suspension],
    rule: Limitation,
    calendar: BusinessCalendar,
    zone_name: str,
) -> LimitationClock:
    """The clock of one account, whose oldest claim fell due on ``due_on``.

    Events count in the order they happened, each only before the period had run out; after that only a new agreement
    does. Raises ValueError for a rule that sets no years.
    """
    if rule.years is None:
        raise ValueError("this jurisdiction's period depends on more than the pack knows")
    long_stop = None if rule.long_stop_years is None else add_months(due_on, 12 * rule.long_stop_years)
    period = _Period(12 * rule.years, suspensions, calendar, long_stop)
    start, judged = due_on, []
    for event in sorted(events, key=lambda each: each.at):
        on = local_date(event.at, zone_name)
        refused = _refused(event, on, start, period.end(start)[0], rule)
        judged.append(Judged(event, on, refused))
        if refused is None:
            start = on
    ends_on, moved = period.end(start)
    alerts = tuple(add_months(start, months) for months in rule.alert_months)
    return LimitationClock(start, ends_on, moved, long_stop, alerts, tuple(judged))


def _refused(event: Interruption, on: date, start: date, ends_on: date | None, rule: Limitation) -> str | None:
    if event.kind not in rule.interrupted_by:
        return f"{event.kind} does not interrupt here"
    if not event.proof:
        return "nothing on record proves it"
    if event.kind in _HAS_TO_ARRIVE and not event.arrived:
        return "that it arrived is not proved"
    if event.kind is InterruptionKind.DEMAND and not event.to_point_left:
        return "it did not go to a number or address that the holder left"
    if on < start:
        return "it was before the period began"
    if ends_on is not None and on > ends_on and event.kind not in _RENEWS:
        return "the period had run out"
    return None


@dataclass(frozen=True, slots=True)
class _Period:
    months: int
    suspensions: Sequence[Suspension]
    calendar: BusinessCalendar
    long_stop: date | None

    def end(self, start: date) -> tuple[date | None, bool | None]:
        """The last date of the period that began on ``start``, and whether rest days moved it."""
        ends = add_months(start, self.months)
        for obstacle in sorted(self.suspensions, key=lambda each: each.first):
            if obstacle.first > ends:
                continue
            if obstacle.ends is None:
                return None, None
            ends = max(ends, add_months(obstacle.ends, SUSPENDED_LAST_MONTHS))
        if self.long_stop is not None and ends > self.long_stop:
            return self.long_stop, False
        return self._after_rest_days(ends)

    def _after_rest_days(self, ends: date) -> tuple[date, bool | None]:
        day = ends
        try:
            while not self.calendar.is_business_day(day):
                day += ONE_DAY
        except CalendarYearMissing:
            return ends, None
        return day, day != ends
