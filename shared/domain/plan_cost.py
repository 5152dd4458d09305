"""What a plan costs and the rate that this is: exact, to the basis point, with the convention named.

Two annual rates, both of which discount the instalments to the debt at the start:

* ``nominal_bps``: the rate of one period times the periods of a year (twelve months, or 365 days), as if every period
  were alike and the first began at the start. This is simple, not compounded.
* ``effective_bps``: compounded, from the days themselves, a day being a 365th of a year (Actual/365 fixed).

Each is the annual rate rounded half up to the basis point, found by bisection: the nominal one in whole numbers, the
effective one with 28 digits, because its powers are no fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Context, Decimal
from fractions import Fraction
from itertools import pairwise

from shared.domain.plan_dates import Frequency
from shared.domain.plan_schedule import Schedule

HIGHEST_BPS = 10**8
"""A million per cent a year: beyond it a rate says nothing any more, and this is told instead."""

_DIGITS = Context(prec=28)
_DAYS = Decimal(365)


@dataclass(frozen=True, slots=True)
class Cost:
    """Amounts in minor units of ``currency``; ``cost`` is what is paid beyond ``financed``."""

    currency: str
    financed: int
    total: int
    interest: int
    fees: int
    nominal_bps: int
    effective_bps: int

    @property
    def cost(self) -> int:
        return self.total - self.financed


def cost_of(schedule: Schedule, frequency: Frequency) -> Cost:
    amounts = [each.amount for each in schedule.instalments]
    days = [each.due_on for each in schedule.instalments]
    nominal = nominal_bps(schedule.financed, amounts, frequency)
    return Cost(
        currency=schedule.currency,
        financed=schedule.financed,
        total=schedule.total,
        interest=schedule.interest,
        fees=schedule.fees,
        nominal_bps=nominal,
        effective_bps=effective_bps(
            schedule.financed, schedule.start_on, amounts, days, guess=_compound(nominal, frequency)
        ),
    )


def _compound(nominal: int, frequency: Frequency) -> int:
    """About what a nominal rate comes to when it is compounded; where the search for the effective one begins."""
    year = frequency.per_year
    whole = 10_000 + nominal * year.denominator // year.numerator
    return int(whole ** round(year) // 10_000 ** (round(year) - 1)) - 10_000


def nominal_bps(financed: int, amounts: Sequence[int], frequency: Frequency) -> int:
    """``amounts`` are paid at the end of each period. Raises ValueError when they do not reach ``financed``."""
    year = frequency.per_year

    def carries(double_bps: int) -> bool:
        """Are the amounts, at half so many basis points a year, worth the debt or more?"""
        growth = 1 + Fraction(double_bps * year.denominator, 20_000 * year.numerator)
        worth, power = 0, 1
        for amount in amounts:  # the sum of amount / growth**number, times numerator**count to stay whole
            power *= growth.denominator
            worth = worth * growth.numerator + amount * power
        return bool(worth >= financed * growth.numerator ** len(amounts))

    cost = _cost(financed, amounts)
    rough = 20_000 * cost * year.numerator // (financed * (len(amounts) + 1) * year.denominator)
    return _highest(carries, cost, rough)


def effective_bps(
    financed: int, start_on: date, amounts: Sequence[int], days: Sequence[date], *, guess: int = 0
) -> int:
    """``amounts`` are paid on ``days``, all after the start and in order. Raises ValueError when they do not reach
    ``financed``. ``guess`` is where to begin to look; it saves time and changes nothing."""
    gaps = [(later - earlier).days for earlier, later in pairwise([start_on, *days])]
    debt = Decimal(financed)

    def carries(double_bps: int) -> bool:
        yearly = _DIGITS.ln(_DIGITS.divide(Decimal(20_000 + double_bps), Decimal(20_000)))
        daily = _DIGITS.exp(_DIGITS.divide(-yearly, _DAYS))
        spans = {gap: _DIGITS.power(daily, gap) for gap in set(gaps)}
        worth, discount = Decimal(0), Decimal(1)
        for amount, gap in zip(amounts, gaps, strict=True):
            discount = _DIGITS.multiply(discount, spans[gap])
            worth = _DIGITS.fma(discount, amount, worth)
        return worth >= debt

    return _highest(carries, _cost(financed, amounts), guess)


def _cost(financed: int, amounts: Sequence[int]) -> int:
    cost = sum(amounts) - financed
    if cost < 0:
        raise ValueError("the instalments do not sum to the debt")
    return cost


def _highest(carries: Callable[[int], bool], cost: int, guess: int) -> int:
    """The annual rate in whole basis points, rounded half up: the highest b for which b - 1/2 still carries the debt,
    for what instalments are worth falls as the rate rises. From the guess outwards, then halving."""
    if not cost:
        return 0
    low = min(guess, HIGHEST_BPS)
    width = start = 4 + low // 64
    while low > 0 and not carries(2 * low - 1):
        low, width = max(0, low - width), 4 * width
    high = low + start
    while low < HIGHEST_BPS and carries(2 * high - 1):
        low, high = high, low + 4 * (high - low)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if carries(2 * middle - 1) else (low, middle)
    return min(low, HIGHEST_BPS)
