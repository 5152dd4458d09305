"""What a plan costs, held against pyxirr, which reckons in floats and by other means."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
import pyxirr
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.plan_cost import HIGHEST_BPS, Cost, cost_of, effective_bps, nominal_bps
from shared.domain.plan_dates import DateRule, DueDay, Frequency, Shift, add_months, due_days
from shared.domain.plan_schedule import (
    CENTS,
    FREE,
    Charges,
    Given,
    Level,
    Schedule,
    Shape,
    Steps,
    build,
)
from tests.domain.seeds import CALENDAR

PLANS = 10_000
HALF = 0.5 + 1e-4  # a basis point rounded half up, and what a float may be off


def schedule(financed: int, count: int, charges: Charges = FREE, frequency: Frequency = Frequency.MONTHLY) -> Schedule:
    start = date(2026, 3, 31)
    first = add_months(start, 1) if frequency.days is None else start + timedelta(days=frequency.days)
    rule = DateRule(first, frequency, 31 if frequency.days is None else None, shift=Shift.NONE)
    return build("CNY", financed, start, due_days(rule, count, CALENDAR), frequency, charges)


def days_from(start: date, count: int, pick: random.Random) -> list[DueDay]:
    """Month by month from a first day up to 45 days off, each shifted by up to a long holiday."""
    first = start + timedelta(days=pick.randint(20, 45))
    nominal = [add_months(first, number) for number in range(count)]
    shifts = pick.choices((0, 0, 0, 1, 2, 8), k=count)
    return [DueDay(day, day + timedelta(days=shift), True) for day, shift in zip(nominal, shifts, strict=True)]


def random_plans() -> list[tuple[Schedule, Charges, Shape]]:
    pick = random.Random(20260515)
    plans = []
    for _ in range(PLANS):
        financed, count = pick.randint(10_000, 50_000_000), pick.randint(1, pick.choice((12, 24, 60)))
        charges = Charges(pick.choice((0, pick.randint(1, 2_400), 1_825)), pick.choice((0, 0, pick.randint(1, 90))))
        start = date(2026, 1, 1) + timedelta(days=pick.randint(0, 1_500))
        shape = pick.choice((Level(), Level(), Steps(pick.randint(1, max(1, financed // (4 * count**2))), 12)))
        days = days_from(start, count, pick)
        plans.append((build("CNY", financed, start, days, Frequency.MONTHLY, charges, shape), charges, shape))
    return plans


def agrees_with_pyxirr(plan: Schedule, charges: Charges, cost: Cost) -> None:
    amounts = [-plan.financed, *(each.amount for each in plan.instalments)]
    days = [plan.start_on, *(each.due_on for each in plan.instalments)]
    if not cost.cost:
        assert (cost.nominal_bps, cost.effective_bps) == (0, 0)
        return
    nominal, effective = pyxirr.irr(amounts), pyxirr.xirr(days, amounts)
    assert nominal is not None
    assert effective is not None
    assert abs(nominal * 12 * 10_000 - cost.nominal_bps) <= HALF
    assert abs(effective * 10_000 - cost.effective_bps) <= HALF
    if not charges.fee_bps and len(plan.instalments) > 1:
        assert abs(cost.nominal_bps - charges.annual_bps) <= 1 + 12 * 10_000 * len(plan.instalments) // plan.financed


@pytest.mark.slow
@pytest.mark.timeout(180)  # seconds of one core, on a machine that others share
def test_ten_thousand_random_plans_agree_with_pyxirr_to_the_cent_and_the_basis_point() -> None:
    for plan, charges, shape in random_plans():
        assert sum(each.principal for each in plan.instalments) == plan.financed
        agrees_with_pyxirr(plan, charges, cost_of(plan, Frequency.MONTHLY))
        rate, count = charges.annual_bps / 120_000, len(plan.instalments)
        first, fee = plan.instalments[0], (2 * plan.financed * charges.fee_bps + 10_000) // 20_000
        if count > 1 and isinstance(shape, Level):
            payment = -pyxirr.pmt(rate, count, plan.financed)
            assert abs(first.amount - fee - payment) <= HALF, "the level instalment, to the cent"
            owed = -pyxirr.fv(rate, count - 1, -(first.amount - fee), plan.financed)
            off = abs(plan.instalments[-1].principal - owed)
            assert off <= 0.5 * sum((1 + rate) ** number for number in range(count)) + HALF, "cents of each period"
        assert abs(first.interest - plan.financed * rate) <= HALF


@pytest.mark.parametrize(
    ("charges", "frequency", "nominal", "effective"),
    [
        (Charges(1_200), Frequency.MONTHLY, 1_200, 1_265),
        (Charges(1_825), Frequency.MONTHLY, 1_825, 1_981),  # 0.05 % a day
        (Charges(0, 60), Frequency.MONTHLY, 1_303, 1_381),  # 0.6 % a month of the amount at the start is 13 % a year
        (Charges(1_825), Frequency.WEEKLY, 1_825, 1_998),
        (Charges(1_825), Frequency.FORTNIGHTLY, 1_825, 1_995),
    ],
)
def test_a_rate_is_shown_as_it_is_charged_and_compounded(
    charges: Charges, frequency: Frequency, nominal: int, effective: int
) -> None:
    cost = cost_of(schedule(12_000_000, 12, charges, frequency), frequency)
    assert (cost.nominal_bps, cost.effective_bps) == (nominal, effective)


def test_without_charges_nothing_is_paid_beyond_the_debt() -> None:
    cost = cost_of(schedule(100_000, 7), Frequency.MONTHLY)
    assert (cost.cost, cost.interest, cost.fees, cost.nominal_bps, cost.effective_bps) == (0, 0, 0, 0, 0)


def test_interest_and_fee_of_a_small_plan_by_hand() -> None:
    """CNY 100 over two months at 12 % a year and 0.5 % a month: 100 * 1 % = 1.00; then 50.25 falls due."""
    plan = schedule(10_000, 2, Charges(1_200, 50))
    assert [(each.principal, each.interest, each.fee) for each in plan.instalments] == [
        (4_975, 100, 50),
        (5_025, 50, 50),
    ]
    assert (plan.total, plan.interest, plan.fees) == (10_250, 150, 100)


def test_instalments_that_do_not_reach_the_debt_have_no_rate() -> None:
    with pytest.raises(ValueError, match="do not sum"):
        nominal_bps(100, [50, 49], Frequency.MONTHLY)
    with pytest.raises(ValueError, match="do not sum"):
        effective_bps(100, date(2026, 1, 1), [50, 49], [date(2026, 2, 1), date(2026, 3, 1)])


def test_an_absurd_rate_is_cut_off_and_no_endless_search() -> None:
    assert nominal_bps(1, [10**15], Frequency.WEEKLY) == HIGHEST_BPS
    assert effective_bps(1, date(2026, 1, 1), [10**15], [date(2026, 1, 2)]) == HIGHEST_BPS


@given(
    financed=st.integers(1_000, 10**9),
    amounts=st.lists(st.integers(0, 10**7), min_size=1, max_size=12),
    guess=st.integers(0, 50_000),
)
def test_where_the_search_begins_does_not_matter(financed: int, amounts: list[int], guess: int) -> None:
    paid = [*amounts, max(1, financed - sum(amounts)) + 77]
    days = [date(2026, 1, 31) + timedelta(days=31 * number) for number in range(1, len(paid) + 1)]
    start = date(2026, 1, 31)
    assert effective_bps(financed, start, paid, days, guess=guess) == effective_bps(financed, start, paid, days)


def test_amounts_that_people_agreed_on_carry_their_interest() -> None:
    days = schedule(100_000, 3).instalments
    due = [DueDay(each.nominal_on, each.due_on, announced=True) for each in days]
    plan = build(
        "CNY", 100_000, date(2026, 1, 31), due, Frequency.MONTHLY, Charges(1_200), Given((50_000, 30_000)), CENTS
    )
    assert [each.amount for each in plan.instalments] == [50_000, 30_000, 21_725]
    assert [each.interest for each in plan.instalments] == [1_000, 510, 215]
