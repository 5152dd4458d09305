"""Days and amounts of instalments: month ends, leap days, holidays, and not a cent lost."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.domain.outcome import Refused
from shared.domain.plan_dates import (
    DateRule,
    DueDay,
    Frequency,
    Shift,
    add_months,
    due_day,
    due_days,
    months_spanned,
    pay_day_rule,
)
from shared.domain.plan_schedule import (
    CENTS,
    FREE,
    LEVEL,
    Charges,
    Given,
    Remainder,
    Rounding,
    RoundingMode,
    Schedule,
    ScheduleRefused,
    Shape,
    Steps,
    build,
)
from tests.domain.seeds import CALENDAR

START = date(2026, 1, 15)


def days(count: int, rule: DateRule | None = None) -> tuple[DueDay, ...]:
    return due_days(rule or DateRule(date(2026, 2, 15), shift=Shift.NONE), count, CALENDAR)


def plan(
    financed: int, count: int, charges: Charges = FREE, shape: Shape = LEVEL, rounding: Rounding = CENTS
) -> Schedule:
    return build("CNY", financed, START, days(count), Frequency.MONTHLY, charges, shape, rounding)


def amounts(schedule: Schedule) -> list[int]:
    return [each.amount for each in schedule.instalments]


# Days


def test_the_31st_is_each_months_last_day_and_comes_back_as_the_31st() -> None:
    found = days(26, DateRule(date(2027, 1, 31), shift=Shift.NONE))
    assert [each.due_on.isoformat() for each in found[:4]] == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]
    assert found[13].due_on == date(2028, 2, 29), "a leap year"
    assert found[25].due_on == date(2029, 2, 28)


def test_a_plan_may_begin_at_a_short_months_end() -> None:
    found = days(3, DateRule(date(2026, 2, 28), day=31, shift=Shift.NONE))
    assert [each.due_on.day for each in found] == [28, 31, 30]
    with pytest.raises(Refused, match="2026-02-27 is not the day 31 of its month, nor its last"):
        DateRule(date(2026, 2, 27), day=31)
    with pytest.raises(Refused, match="no 32th"):
        DateRule(date(2026, 2, 27), day=32)


def test_instalments_follow_the_pay_day() -> None:
    rule = pay_day_rule(date(2026, 3, 11), day=10, after=2)
    assert [each.nominal_on.isoformat() for each in days(3, rule)] == ["2026-04-12", "2026-05-12", "2026-06-12"]
    assert pay_day_rule(date(2026, 3, 10), day=10).first_on == date(2026, 3, 10)
    last_day = pay_day_rule(date(2026, 1, 31), day=31, after=1, shift=Shift.NONE)
    assert [each.due_on.isoformat() for each in days(3, last_day)] == ["2026-02-01", "2026-03-01", "2026-04-01"]


def test_a_day_off_moves_the_due_day_and_not_the_rhythm() -> None:
    spring_festival = date(2026, 2, 15)  # to the 23rd; the 14th and the 28th, Saturdays, are worked
    following, preceding = DateRule(spring_festival), DateRule(spring_festival, shift=Shift.PRECEDING)
    assert [each.due_on for each in days(2, following)] == [date(2026, 2, 24), date(2026, 3, 16)]
    assert [each.due_on for each in days(2, preceding)] == [date(2026, 2, 14), date(2026, 3, 13)]
    assert [each.nominal_on for each in days(2, following)] == [date(2026, 2, 15), date(2026, 3, 15)]
    assert due_day(date(2026, 2, 28), Shift.FOLLOWING, CALENDAR).due_on == date(2026, 2, 28)


def test_a_year_that_is_not_announced_is_not_guessed_at_but_said_to_be_provisional() -> None:
    found = days(3, DateRule(date(2026, 11, 21)))
    assert [(each.due_on.isoformat(), each.announced) for each in found] == [
        ("2026-11-23", True),
        ("2026-12-21", True),
        ("2027-01-21", False),
    ]
    over_the_turn = due_day(date(2025, 1, 1), Shift.PRECEDING, CALENDAR)
    assert over_the_turn == DueDay(date(2025, 1, 1), date(2025, 1, 1), announced=False), "it would fall into 2024"


def test_weeks_are_counted_in_days() -> None:
    found = days(4, DateRule(date(2026, 3, 5), Frequency.FORTNIGHTLY, shift=Shift.NONE))
    assert [(later.due_on - START).days for later in found] == [49, 63, 77, 91]
    assert Frequency.WEEKLY.per_year * 7 == Frequency.FORTNIGHTLY.per_year * 14 == 365


@pytest.mark.parametrize("count", [0, 601])
def test_a_count_that_is_none_is_refused(count: int) -> None:
    with pytest.raises(Refused, match="between 1 and 600"):
        days(count)


@given(start=st.dates(date(2000, 1, 1), date(2090, 1, 1)), months=st.integers(0, 120), more=st.integers(1, 27))
def test_months_are_counted_as_people_count_them(start: date, months: int, more: int) -> None:
    end = add_months(start, months)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    assert end.day == min(start.day, monthrange(end.year, end.month)[1])
    assert months_spanned(start, end) <= months
    assert months_spanned(start, end + timedelta(days=more)) == months + 1
    assume(start.day <= 28)
    assert months_spanned(start, end) == months


# Amounts


def test_the_last_instalment_takes_what_rounding_leaves() -> None:
    assert amounts(plan(10_000, 3)) == [3_333, 3_333, 3_334]
    assert amounts(plan(20_000, 3)) == [6_667, 6_667, 6_666]


def test_or_the_first_one_does_when_there_is_no_interest() -> None:
    first = Rounding(mode=RoundingMode.DOWN, remainder=Remainder.FIRST)
    assert amounts(plan(20_000, 3, rounding=first)) == [6_668, 6_666, 6_666]
    with pytest.raises(ScheduleRefused, match="goes to the last instalment"):
        plan(20_000, 3, Charges(1_200), rounding=first)


def test_instalments_in_whole_yuan() -> None:
    assert amounts(plan(100_000, 3, rounding=Rounding(unit=100))) == [33_300, 33_300, 33_400]
    assert amounts(plan(100_000, 3, rounding=Rounding(100, RoundingMode.UP))) == [33_400, 33_400, 33_200]


def test_instalments_that_step_up() -> None:
    stepped = plan(1_200_000, 24, shape=Steps(step=10_000, every=12))
    assert amounts(stepped) == [45_000] * 12 + [55_000] * 12


def test_a_fee_is_asked_with_every_instalment() -> None:
    charged = plan(1_200_000, 12, Charges(fee_bps=60))
    assert amounts(charged) == [107_200] * 12
    assert (charged.total, charged.fees) == (1_286_400, 86_400)


@pytest.mark.parametrize(
    ("shape", "charges", "code"),
    [
        (Given((50_000, 20_000)), FREE, None),
        (Given((50_000, 20_000, 30_000)), FREE, None),
        (Given((50_000, 20_000, 30_001)), FREE, "sum"),
        (Given((50_000, 20_000, 29_999)), FREE, "sum"),
        (Given((50_000,)), FREE, "count"),
        (Given((50_000, 50_000)), FREE, "too-large"),
        (Given((0, 50_000)), FREE, "too-small"),
        (Given((900, 50_000)), Charges(1_200), "interest-not-covered"),
        (Given((1_000, 50_000)), Charges(1_200), None),  # interest only, for a month
        (Steps(60_000, 1), FREE, "steps"),
    ],
)
def test_amounts_that_people_agree_on_have_to_make_a_plan(shape: Shape, charges: Charges, code: str | None) -> None:
    if code is None:
        made = plan(100_000, 3, charges, shape)
        assert sum(each.principal for each in made.instalments) == 100_000
        return
    with pytest.raises(ScheduleRefused) as refused:
        plan(100_000, 3, charges, shape)
    assert refused.value.code == code


@pytest.mark.parametrize(("financed", "count", "code"), [(0, 3, "nothing-owed"), (1, 3, "too-small"), (3, 2, "")])
def test_a_debt_may_be_too_small_for_so_many_instalments(financed: int, count: int, code: str) -> None:
    if not code:
        assert amounts(plan(financed, count)) == [2, 1]
        return
    with pytest.raises(ScheduleRefused) as refused:
        plan(financed, count)
    assert refused.value.code == code


def test_days_come_after_the_start_and_after_each_other() -> None:
    for wrong in [(), days(2)[::-1], (DueDay(START, START, announced=True),)]:
        with pytest.raises(ScheduleRefused, match="due after the start"):
            build("CNY", 1_000, START, wrong, Frequency.MONTHLY)


shapes = st.one_of(st.just(LEVEL), st.builds(Steps, st.integers(1, 500), st.integers(1, 12)))
charge = st.builds(Charges, st.sampled_from([0, 1, 600, 1_825, 3_600]), st.sampled_from([0, 30, 75]))
roundings = st.builds(Rounding, st.sampled_from([1, 10, 100]), st.sampled_from(RoundingMode))


@given(financed=st.integers(1, 10**9), count=st.integers(1, 60), shape=shapes, charges=charge, rounding=roundings)
def test_no_cent_is_lost_whatever_the_plan(
    financed: int, count: int, shape: Shape, charges: Charges, rounding: Rounding
) -> None:
    try:
        made = plan(financed, count, charges, shape, rounding)
    except ScheduleRefused:
        assert financed < 100 * 500 * 61 * 61, "only a small debt is refused"
        return
    owed = financed
    for each in made.instalments:
        assert each.amount == each.principal + each.interest + each.fee
        assert each.interest == (2 * owed * charges.annual_bps + 120_000) // 240_000
        assert each.principal >= 0
        owed -= each.principal
    assert owed == 0
    assert made.total == financed + made.interest + made.fees == made.cumulative[-1]
    others = [each.amount - each.fee for each in made.instalments[:-1]]
    assert all(each % rounding.unit == 0 for each in others)
    if shape is LEVEL and len(others) > 1:
        assert len(set(others)) == 1
