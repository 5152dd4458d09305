"""Instalments that sum to the debt and its charges, to the last minor unit. Whole numbers and fractions only.

Interest is charged on what is still owed, for each period alike: a twelfth of the annual rate for a month, so many
365ths of it for weeks; it is rounded half up to the minor unit, period by period. A fee is a share of the amount at the
start, asked for with every instalment. All instalments but one are rounded as the rounding says; that one, the last
(or, without interest, the first), takes what is left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate, pairwise

from shared.domain.outcome import Refused
from shared.domain.plan_dates import DueDay, Frequency


class ScheduleRefused(Refused):
    """No such schedule can be made."""


class RoundingMode(StrEnum):
    HALF_UP = "half_up"
    UP = "up"
    DOWN = "down"


class Remainder(StrEnum):
    """Which instalment takes what rounding leaves."""

    LAST = "last"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Rounding:
    """``unit`` in minor units: 1 for cents, 100 for whole yuan."""

    unit: int = 1
    mode: RoundingMode = RoundingMode.HALF_UP
    remainder: Remainder = Remainder.LAST

    def of(self, numerator: int, denominator: int) -> int:
        """A fraction of minor units, rounded to the unit."""
        divisor = denominator * self.unit
        whole, rest = divmod(numerator, divisor)
        if self.mode is RoundingMode.HALF_UP:
            whole += 2 * rest >= divisor
        elif self.mode is RoundingMode.UP:
            whole += rest > 0
        return whole * self.unit


CENTS = Rounding()


@dataclass(frozen=True, slots=True)
class Charges:
    """In basis points: ``annual_bps`` of what is still owed in a year, ``fee_bps`` of the amount at the start with
    every instalment."""

    annual_bps: int = 0
    fee_bps: int = 0

    def rate(self, frequency: Frequency) -> Fraction:
        """The interest of one period, as a fraction of what is owed."""
        year = frequency.per_year
        return Fraction(self.annual_bps * year.denominator, 10_000 * year.numerator)


FREE = Charges()


@dataclass(frozen=True, slots=True)
class Level:
    """Every instalment alike."""


@dataclass(frozen=True, slots=True)
class Steps:
    """Every ``every`` instalments the next ones are ``step`` minor units higher."""

    step: int
    every: int


@dataclass(frozen=True, slots=True)
class Given:
    """Amounts that people agreed on, without fees: all of them, or all but the last, which is worked out."""

    amounts: tuple[int, ...]


Shape = Level | Steps | Given
LEVEL = Level()


@dataclass(frozen=True, slots=True)
class Instalment:
    """``amount`` is the sum of the rest, all in minor units. Numbers count from 1."""

    number: int
    nominal_on: date
    due_on: date
    amount: int
    principal: int
    interest: int
    fee: int
    announced: bool = True


@dataclass(frozen=True, slots=True)
class Schedule:
    """The instalments of one currency. ``principal`` of all of them sums to ``financed``."""

    currency: str
    financed: int
    start_on: date
    instalments: tuple[Instalment, ...]

    @property
    def total(self) -> int:
        return sum(each.amount for each in self.instalments)

    @property
    def interest(self) -> int:
        return sum(each.interest for each in self.instalments)

    @property
    def fees(self) -> int:
        return sum(each.fee for each in self.instalments)

    @property
    def cumulative(self) -> tuple[int, ...]:
        """What is to have been paid with each instalment."""
        return tuple(accumulate(each.amount for each in self.instalments))


def build(
    currency: str,
    financed: int,
    start_on: date,
    days: Sequence[DueDay],
    frequency: Frequency,
    charges: Charges = FREE,
    shape: Shape = LEVEL,
    rounding: Rounding = CENTS,
) -> Schedule:
    """Raises ScheduleRefused for an amount that is none, days that do not follow the start and each other, amounts that
    do not carry their interest or do not sum, and a debt too small for so many instalments."""
    if financed < 1:
        raise ScheduleRefused("nothing-owed", "a plan pays a positive amount")
    if not days or days[0].due_on <= start_on or any(a.nominal_on >= b.nominal_on for a, b in pairwise(days)):
        raise ScheduleRefused("days", "instalments are due after the start, one after the other")
    rate = charges.rate(frequency)
    wanted = _wanted(financed, len(days), rate, shape, rounding)
    fee = _half_up(financed * charges.fee_bps, 10_000)
    rate_of, per = rate.numerator, rate.denominator
    instalments, owed = [], financed
    for number, (day, amount) in enumerate(zip(days, wanted, strict=True), start=1):
        interest = _half_up(owed * rate_of, per)
        principal = owed if amount is None else amount - interest
        _check(number, len(days), principal, interest, owed)
        owed -= principal
        instalments.append(
            Instalment(
                number, day.nominal_on, day.due_on, principal + interest + fee, principal, interest, fee, day.announced
            )
        )
    return Schedule(currency, financed, start_on, tuple(instalments))


def _check(number: int, count: int, principal: int, interest: int, owed: int) -> None:
    if principal < 0:
        raise ScheduleRefused("interest-not-covered", f"instalment {number} does not cover its interest of {interest}")
    if number == count and principal != owed:
        raise ScheduleRefused("sum", f"instalment {number} has to be {owed + interest}, which is what is left")
    if principal + interest == 0:
        raise ScheduleRefused("too-small", "the debt is too small for so many instalments")
    if number < count and principal >= owed:
        raise ScheduleRefused("too-large", f"after instalment {number} nothing would be left for the others")


def _wanted(financed: int, count: int, rate: Fraction, shape: Shape, rounding: Rounding) -> list[int | None]:
    """Principal and interest of each instalment; None for what is left."""
    if isinstance(shape, Given):
        if len(shape.amounts) not in (count, count - 1):
            raise ScheduleRefused("count", f"{count} instalments need {count} amounts, or {count - 1} and the rest")
        return [*shape.amounts, None][:count]
    amounts = _level(financed, count, rate, shape, rounding)
    if rounding.remainder is Remainder.LAST:
        return [*amounts[:-1], None]
    if rate:
        raise ScheduleRefused("remainder", "with interest what rounding leaves goes to the last instalment")
    return [financed - sum(amounts[1:]), *amounts[1:]]


def _level(financed: int, count: int, rate: Fraction, shape: Level | Steps, rounding: Rounding) -> list[int]:
    """Amounts whose value today is the debt: level, or level and a step more every so often. Exact, then rounded."""
    rises = [shape.step * (number // shape.every) if isinstance(shape, Steps) else 0 for number in range(count)]
    now, later = rate.denominator, rate.denominator + rate.numerator  # one unit in a period is worth now/later today
    worth = [now**number * later ** (count - number) for number in range(1, count + 1)]
    numerator = financed * later**count - sum(rise * each for rise, each in zip(rises, worth, strict=True))
    denominator = sum(worth)
    if numerator <= 0:
        raise ScheduleRefused("steps", "the steps alone are more than the debt")
    rounded = {rise: rounding.of(numerator + rise * denominator, denominator) for rise in set(rises)}
    return [rounded[rise] for rise in rises]


def _half_up(numerator: int, denominator: int) -> int:
    return (2 * numerator + denominator) // (2 * denominator)
