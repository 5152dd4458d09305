"""On which days instalments fall due: from pay days, over month ends and leap days, off days that are no business days.

A day of the month that a month does not have is its last one, and the months after it go back to the day itself: the
31st is February 28th or 29th, then March 31st. What is shifted is only the day it is due on, never the rhythm.
"""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from shared.domain.calendar import BusinessCalendar, CalendarYearMissing
from shared.domain.outcome import Refused

ONE_DAY = timedelta(days=1)
_LENGTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LONGEST = 600  # instalments; no plan is longer, and a typing error should not be worked out


class Frequency(StrEnum):
    MONTHLY = "monthly"
    FORTNIGHTLY = "fortnightly"
    WEEKLY = "weekly"

    @property
    def days(self) -> int | None:
        """Days of a period; None for months."""
        return {"fortnightly": 14, "weekly": 7}.get(self.value)

    @property
    def per_year(self) -> Fraction:
        """How many periods make a year: twelve months, or 365 days by the days of the period."""
        return Fraction(12) if self.days is None else Fraction(365, self.days)


class Shift(StrEnum):
    """Where a day goes that is no business day."""

    NONE = "none"
    FOLLOWING = "following"
    PRECEDING = "preceding"


class DueDay(NamedTuple):
    """``nominal_on`` is the day by the rhythm, ``due_on`` the day it is asked for. ``announced`` is False when the
    calendar has no data for that year yet: then nothing was shifted so far."""

    nominal_on: date
    due_on: date
    announced: bool


@dataclass(frozen=True, slots=True)
class DateRule:
    """``first_on`` is the first pay day (or simply the first day), ``day`` the day of the month it stands for (1 to
    31; not asked for when counting weeks), ``after`` how many days later the instalment is due. Raises Refused when
    ``first_on`` is not that day of its month."""

    first_on: date
    frequency: Frequency = Frequency.MONTHLY
    day: int | None = None
    after: int = 0
    shift: Shift = Shift.FOLLOWING

    def __post_init__(self) -> None:
        if self.day is not None and not 1 <= self.day <= 31:
            raise Refused("no-such-day", f"there is no {self.day}th of a month")
        if not 0 <= self.after <= 31:
            raise Refused("no-such-day", "an instalment is due on the pay day or up to a month after it")
        if self.frequency is Frequency.MONTHLY and on_day(self.first_on, self.of_month) != self.first_on:
            raise Refused("first-day", f"{self.first_on} is not the day {self.of_month} of its month, nor its last")

    @property
    def of_month(self) -> int:
        return self.first_on.day if self.day is None else self.day

    def nominal(self, number: int) -> date:
        """The day of the instalment with this number, counted from 1, before it is shifted."""
        days = self.frequency.days
        if days is None:
            base = on_day(add_months(self.first_on.replace(day=1), number - 1), self.of_month)
        else:
            base = self.first_on + timedelta(days=days * (number - 1))
        return base + timedelta(days=self.after)


def pay_day_rule(earliest: date, day: int, after: int = 1, shift: Shift = Shift.FOLLOWING) -> DateRule:
    """Monthly, ``after`` days after the pay day; the first one is the first pay day on or after ``earliest``."""
    first = on_day(earliest, day)
    if first < earliest:
        first = on_day(add_months(earliest.replace(day=1), 1), day)
    return DateRule(first, Frequency.MONTHLY, day, after, shift)


def due_days(rule: DateRule, count: int, calendar: BusinessCalendar) -> tuple[DueDay, ...]:
    """The days of ``count`` instalments. Raises Refused for a count that is none."""
    if not 1 <= count <= LONGEST:
        raise Refused("no-such-count", f"a plan has between 1 and {LONGEST} instalments")
    return tuple(due_day(rule.nominal(number), rule.shift, calendar) for number in range(1, count + 1))


def due_day(nominal_on: date, shift: Shift, calendar: BusinessCalendar) -> DueDay:
    """Shift one day. In a year that is not announced it stays where it is, and is said to be provisional: to refuse
    would make every plan over the turn of the year impossible, to guess would be wrong in silence."""
    if shift is Shift.NONE:
        return DueDay(nominal_on, nominal_on, announced=True)
    step = ONE_DAY if shift is Shift.FOLLOWING else -ONE_DAY
    day = nominal_on
    try:
        while not calendar.is_business_day(day):
            day += step
    except CalendarYearMissing:
        return DueDay(nominal_on, nominal_on, announced=False)
    return DueDay(nominal_on, day, announced=True)


def on_day(within: date, day: int) -> date:
    """That day of the month of ``within``, or the month's last."""
    return within.replace(day=min(day, _last(within.year, within.month)))


def add_months(day: date, months: int) -> date:
    """The same day so many months on, or the last of that month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, _last(year, month + 1)))


def months_spanned(start: date, end: date) -> int:
    """How many months a plan from ``start`` to ``end`` lasts, a begun month counted in full."""
    months = max(0, (end.year - start.year) * 12 + end.month - start.month)
    return months if add_months(start, months) >= end else months + 1


def _last(year: int, month: int) -> int:
    return 29 if month == 2 and isleap(year) else _LENGTHS[month - 1]
