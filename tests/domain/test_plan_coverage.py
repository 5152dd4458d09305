"""What payments make of instalments: early, late, in part, too much; and when a plan breaks."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.payment import Received
from shared.domain.plan_coverage import BreakRule, Coverage, cover, payoff
from shared.domain.plan_dates import DueDay, Frequency
from shared.domain.plan_schedule import Charges, Schedule, ScheduleRefused, build
from tests.domain.agreements import month_end
from tests.domain.coverage_model import Watchman

RULE = BreakRule(grace_days=3, tolerance={"CNY": 100}, missed=2, days_late=40, overdue={})
START = date(2026, 3, 2)


def schedule(count: int = 3, financed: int = 30_000, charges: Charges = Charges()) -> Schedule:  # noqa: B008
    days = [DueDay(month_end(n), month_end(n), announced=True) for n in range(1, count + 1)]
    return build("CNY", financed, START, days, Frequency.MONTHLY, charges)


def after(*came: tuple[date, int], on: date, plan: Schedule | None = None, rule: BreakRule = RULE) -> Coverage:
    return cover(plan or schedule(), [Received(*each) for each in came], rule, on)


def states(coverage: Coverage) -> list[str]:
    return [each.state.value for each in coverage.instalments]


MARCH, APRIL, MAY = month_end(1), month_end(2), month_end(3)


def test_an_instalment_is_early_on_time_or_late() -> None:
    came = [(date(2026, 3, 20), 10_000), (date(2026, 5, 3), 10_000), (date(2026, 6, 4), 10_000)]
    coverage = after(*came, on=date(2026, 6, 4))
    assert states(coverage) == ["early", "on_time", "late"]
    assert [each.covered_on for each in coverage.instalments] == [on for on, _ in came]
    assert (coverage.completed_on, coverage.left, coverage.over) == (date(2026, 6, 4), 0, 0)


def test_before_its_day_it_is_upcoming_then_due_then_missed() -> None:
    for on, expected in [(MARCH - timedelta(days=1), "upcoming"), (MARCH, "due"), (date(2026, 4, 4), "missed")]:
        assert states(after(on=on))[0] == expected
    assert after(on=date(2026, 4, 3)).overdue == 0, "the grace runs to the 3rd"
    assert after(on=date(2026, 4, 4)).overdue == 10_000


def test_a_part_is_counted_and_within_the_tolerance_it_is_enough() -> None:
    part = after((MARCH, 9_899), on=date(2026, 4, 4))
    assert (states(part)[0], part.instalments[0].paid, part.overdue) == ("missed", 9_899, 101)
    nearly = after((MARCH, 9_900), on=date(2026, 4, 4))
    assert (states(nearly)[0], nearly.covered, nearly.overdue) == ("on_time", 1, 0)
    assert after((MARCH, 9_900), (APRIL, 9_900), on=APRIL).covered == 1, "the tolerance is not granted anew each time"


def test_what_comes_early_covers_the_next_ones_and_what_is_too_much_is_told() -> None:
    coverage = after((MARCH, 25_000), on=MARCH)
    assert [each.paid for each in coverage.instalments] == [10_000, 10_000, 5_000]
    assert (states(coverage), coverage.next_due and coverage.next_due.number) == (["on_time", "early", "upcoming"], 3)
    assert after((MARCH, 31_000), on=MARCH).over == 1_000


def test_a_missed_instalment_that_is_paid_later_leaves_the_plan_alive() -> None:
    coverage = after((date(2026, 4, 20), 10_000), on=date(2026, 4, 20))
    assert (states(coverage)[0], coverage.broken_on, coverage.missed) == ("late", None, 0)


@pytest.mark.parametrize(
    ("rule", "broken_on"),
    [
        (RULE, date(2026, 5, 4)),  # the second one missed, on the day after its grace
        (replace(RULE, missed=1), date(2026, 4, 4)),
        (replace(RULE, missed=9), date(2026, 5, 11)),  # 41 days after March 31st
        (replace(RULE, missed=9, days_late=9), date(2026, 4, 10)),
        (replace(RULE, missed=9, days_late=34), date(2026, 5, 5)),  # and not with the second one's grace, on the 34th
        (replace(RULE, missed=9, overdue={"CNY": 10_000}), date(2026, 4, 4)),
        (replace(RULE, missed=9, overdue={"CNY": 10_001}), date(2026, 5, 4)),
        (replace(RULE, missed=9, overdue={"USD": 1}), date(2026, 5, 11)),
    ],
)
def test_a_plan_breaks_by_number_by_days_or_by_amount(rule: BreakRule, broken_on: date) -> None:
    assert after(on=broken_on - timedelta(days=1), rule=rule).broken_on is None
    assert after(on=broken_on, rule=rule).broken_on == broken_on
    assert after(on=broken_on + timedelta(days=300), rule=rule).broken_on == broken_on


def test_a_payment_on_the_last_day_of_grace_is_in_time_and_one_the_day_after_is_not() -> None:
    strict = replace(RULE, missed=1)
    assert after((date(2026, 4, 3), 10_000), on=date(2026, 4, 30), rule=strict).broken_on is None
    assert after((date(2026, 4, 4), 10_000), on=date(2026, 4, 30), rule=strict).broken_on == date(2026, 4, 4)


def test_what_is_paid_after_the_break_is_counted_but_mends_nothing() -> None:
    coverage = after((date(2026, 5, 20), 30_000), on=date(2026, 6, 1))
    assert (coverage.broken_on, coverage.completed_on) == (date(2026, 5, 4), None)
    assert (coverage.covered, coverage.left) == (3, 0)


def test_what_is_paid_on_the_day_of_the_break_comes_a_day_late() -> None:
    coverage = after((date(2026, 5, 4), 30_000), on=date(2026, 5, 4))
    assert (coverage.broken_on, coverage.completed_on) == (date(2026, 5, 4), None)
    assert after((date(2026, 5, 3), 30_000), on=date(2026, 5, 4)).completed_on == date(2026, 5, 3)


def test_paid_off_early_the_interest_of_periods_not_begun_is_not_asked_for() -> None:
    plan = schedule(charges=Charges(1_200))
    interest = [each.interest for each in plan.instalments]
    assert interest == [300, 201, 101]
    on_the_day = plan.financed + 300
    assert payoff(plan, 0, MARCH) == on_the_day
    assert payoff(plan, 0, MARCH + timedelta(days=1)) == on_the_day + 201
    assert payoff(plan, 10_000, START) == on_the_day - 10_000
    rule = replace(RULE, tolerance={})
    assert after((MARCH, on_the_day - 1), on=MARCH, plan=plan, rule=rule).completed_on is None
    coverage = after((MARCH, on_the_day + 7), on=date(2027, 1, 1), plan=plan, rule=rule)
    assert (coverage.completed_on, coverage.waived, coverage.over, coverage.left) == (MARCH, 302, 7, 0)
    assert states(coverage) == ["on_time", "early", "early"]


def test_within_the_tolerance_the_last_cents_do_not_keep_a_plan_open() -> None:
    coverage = after((MARCH, 10_000), (APRIL, 10_000), (MAY, 9_900), on=MAY)
    assert coverage.completed_on == MAY


rules = st.builds(
    BreakRule,
    st.integers(0, 6),
    st.sampled_from([{}, {"CNY": 3}, {"CNY": 40}]),
    st.integers(1, 4),
    st.integers(6, 70),
    st.sampled_from([{}, {"CNY": 150}, {"USD": 1}]),
)
receipts = st.lists(
    st.builds(Received, st.dates(date(2026, 2, 25), date(2026, 10, 1)), st.integers(1, 400)), max_size=8
)
days = st.dates(START, date(2026, 12, 1))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    gaps = draw(st.lists(st.integers(5, 35), min_size=1, max_size=6))
    on, due = START, []
    for gap in gaps:
        on += timedelta(days=gap)
        due.append(DueDay(on, on + timedelta(days=draw(st.sampled_from([0, 0, 2]))), announced=True))
    charges = Charges(draw(st.sampled_from([0, 0, 2_400])), draw(st.sampled_from([0, 0, 100])))
    try:
        return build("CNY", draw(st.integers(50, 900)), START, due, Frequency.MONTHLY, charges)
    except ScheduleRefused:
        return build("CNY", 500, START, due, Frequency.MONTHLY, charges)


@given(plan=schedules(), came=receipts, rule=rules, on=days, pick=st.randoms())
@settings(max_examples=200)
def test_the_watchman_who_looks_every_day_sees_the_same(
    plan: Schedule, came: list[Received], rule: BreakRule, on: date, pick: random.Random
) -> None:
    coverage, watchman = cover(plan, came, rule, on), Watchman(plan, came, rule, on)
    pick.shuffle(came)
    assert cover(plan, came, rule, on) == coverage
    ended = {"completed": coverage.completed_on, "broken": coverage.broken_on, "active": None}
    assert ended[watchman.state] == watchman.ended_on
    assert [name for name, day in ended.items() if day is not None] in ([], [watchman.state])
    assert coverage.received == watchman.came
    if watchman.state == "completed":
        assert (coverage.covered, coverage.left, coverage.overdue) == (len(plan.instalments), 0, 0)
        return
    assert coverage.covered == len(plan.instalments) - len(watchman.lacking)
    assert coverage.missed == len(watchman.missed)
    assert coverage.overdue == (watchman.needed(watchman.missed[-1]) - watchman.came if watchman.missed else 0)
    assert coverage.left == max(0, plan.total - watchman.came)
    assert sum(each.paid for each in coverage.instalments) + coverage.over == watchman.came


RANK = {"broken": 0, "active": 1, "completed": 2}


def verdict(coverage: Coverage) -> str:
    return "broken" if coverage.broken_on else "completed" if coverage.completed_on else "active"


@given(plan=schedules(), came=receipts, more=receipts, rule=rules, on=days)
@settings(max_examples=200)
def test_more_payment_never_means_a_worse_standing(
    plan: Schedule, came: list[Received], more: list[Received], rule: BreakRule, on: date
) -> None:
    less, plenty = cover(plan, came, rule, on), cover(plan, [*came, *more], rule, on)
    assert RANK[verdict(plenty)] >= RANK[verdict(less)]
    assert plenty.covered >= less.covered
    assert plenty.overdue <= less.overdue
    assert plenty.left <= less.left
    if less.broken_on and plenty.broken_on:
        assert plenty.broken_on >= less.broken_on
