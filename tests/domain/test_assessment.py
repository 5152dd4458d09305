"""What an assessment lets a plan ask for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.assessment import dearest_month, objections
from shared.domain.household import Item, Statement, parse_guide, unknown_kinds
from shared.domain.plan_dates import DateRule, Frequency, Shift
from shared.domain.plan_life import propose
from shared.domain.plan_terms import PlanKind, PlanRefused
from tests.domain.agreements import ASSESSED, PLANS, TODAY, debt, new_plan, quoted, terms
from tests.domain.seeds import load


def monthly(amount: int, count: int, **changes: Any) -> Any:
    return quoted(debt(amount * count), asked=terms(count=count, **changes))


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        ({}, []),
        ({"available": 100_000}, []),
        ({"available": 99_999}, ["not-affordable"]),
        ({"available": -5}, ["not-affordable"]),
        ({"valid_until": TODAY}, []),
        ({"valid_until": TODAY - timedelta(days=1)}, ["assessment-expired"]),
        ({"accounts": frozenset({("A1", "USD"), ("A2", "CNY")})}, ["assessment-of-others"]),
    ],
)
def test_a_plan_fits_its_assessment_or_it_is_said_why_not(changes: Any, codes: list[str]) -> None:
    assert list(objections(replace(ASSESSED, **changes), monthly(100_000, 6), TODAY)) == codes


def test_the_words_tell_what_the_plan_asks_for_and_not_what_the_household_has() -> None:
    words = objections(replace(ASSESSED, available=12_345), monthly(100_000, 6), TODAY)["not-affordable"]
    assert "100000" in words
    assert "12345" not in words


def test_too_dear_is_put_aside_by_name_and_the_rest_is_not() -> None:
    new = new_plan(monthly(100_000, 6), assessment=replace(ASSESSED, available=1), waived={"not-affordable"})
    made = propose(new, (), PLANS, TODAY).state
    assert (made.assessment_id, made.waived) == (ASSESSED.assessment_id, ("not-affordable",))
    affordable = propose(replace(new, assessment=ASSESSED), (), PLANS, TODAY).state
    assert affordable.waived == (), "only what stood against it"
    late = replace(new, assessment=replace(ASSESSED, valid_until=date(2026, 1, 1)), waived={"assessment-expired"})
    with pytest.raises(PlanRefused, match="good until 2026-01-01"):
        propose(late, (), PLANS, TODAY)


def test_one_that_no_rule_asks_for_is_held_against_the_plan_all_the_same() -> None:
    made = monthly(100_000, 6, kind=PlanKind.EQUAL)
    with pytest.raises(PlanRefused, match="more than the assessment found"):
        propose(new_plan(made, assessment=replace(ASSESSED, available=1)), (), PLANS, TODAY)


@given(
    st.sampled_from([Frequency.WEEKLY, Frequency.FORTNIGHTLY]),
    st.integers(1, 30),
    st.integers(1, 40),
)
def test_by_the_week_it_is_what_falls_into_a_month(frequency: Frequency, count: int, ahead: int) -> None:
    rule = DateRule(TODAY + timedelta(days=ahead), frequency, shift=Shift.NONE)
    (schedule,) = quoted(debt(10_000 * count), asked=terms(count=count, dates=rule)).schedules
    assert frequency.days is not None
    fits = {30 // frequency.days + 1, 27 // frequency.days + 1}  # of months of 31 and of 28 days
    most = dearest_month(schedule, frequency)
    assert most in {10_000 * min(count, each) for each in fits}
    assert most >= max(each.amount for each in schedule.instalments)


@given(st.integers(1, 31), st.integers(2, 24))
def test_by_the_month_it_is_one_instalment_whatever_the_day(day: int, count: int) -> None:
    rule = DateRule(date(2026, 3, min(day, 31)), day=day, after=1, shift=Shift.NONE)
    (schedule,) = monthly(10_000, count, dates=rule).schedules if day > 2 else monthly(10_000, count).schedules
    assert dearest_month(schedule, Frequency.MONTHLY) == 10_000


def test_what_the_guide_does_not_know_is_told_with_its_place() -> None:
    guide = parse_guide(load("policies/affordability/cn.yaml"))
    said = Statement(
        adults=1,
        children=0,
        incomes=(Item("wages", 1), Item("lottery", 1)),
        fixed=(Item("yacht", 1),),
        flexible=(Item("food", 1),),
        pay_day=1,
        explained=frozenset({"housing"}),
    )
    assert list(unknown_kinds(said, guide)) == [("incomes", 1, "kind"), ("fixed", 0, "kind"), ("explained",)]
    assert len(guide.hash) == 64
