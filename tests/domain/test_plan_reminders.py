"""Reminders of instalments: once for each, before its day, of what is not there yet, whenever the clock looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.plan import Plan, PlanState
from shared.domain.plan_life import judge, standing
from shared.domain.plan_reminders import Reminder, covered_through, next_reminder, open_on, remind
from tests.domain.agreements import TODAY, active, debt, pay, quoted, terms

AMOUNT = 50_000
TOLERANCE = 1_000  # of the repayment policy, granted once
DAYS = st.integers(0, 130).map(lambda days: TODAY + timedelta(days=days))


def four() -> Plan:
    """Four instalments of 500.00 at month ends."""
    return active(quoted(debt(4 * AMOUNT), asked=terms(count=4)))


def due_days(plan: Plan) -> list[date]:
    return [each.due_on for each in plan.schedules[0].instalments]


def test_the_next_reminder_is_three_days_before_the_first_that_is_open() -> None:
    plan = four()
    first, second, *_ = due_days(plan)
    assert next_reminder(plan) == Reminder(first - timedelta(days=3), first)
    paid = judge(plan, [pay("p", AMOUNT, TODAY)], TODAY, "payment.posted").state
    assert next_reminder(paid) == Reminder(second - timedelta(days=3), second)
    assert next_reminder(replace(plan, state=PlanState.BROKEN)) is None
    assert next_reminder(replace(plan, remind=None)) is None, "agreed before there were reminders"


def test_a_reminder_names_all_that_has_to_be_there_by_its_day() -> None:
    plan = four()
    first, second, *_ = due_days(plan)
    coverages = standing(plan, [pay("p", 10_000, TODAY)], TODAY)
    assert open_on(coverages, first) == {"CNY": 40_000}
    assert open_on(coverages, second) == {"CNY": 90_000}
    assert covered_through(coverages) is None
    assert covered_through(standing(plan, [pay("p", 2 * AMOUNT, TODAY)], TODAY)) == second


@given(
    looks=st.lists(DAYS, min_size=1, max_size=12),
    payments=st.lists(st.tuples(DAYS, st.integers(1, 90_000)), max_size=6),
)
@example(looks=[TODAY + timedelta(days=57)], payments=[(TODAY + timedelta(days=1), AMOUNT - TOLERANCE)])
def test_whenever_the_clock_looks_each_day_is_named_once_in_time_and_for_what_lacks(
    looks: list[date], payments: list[tuple[date, int]]
) -> None:
    plan, named = four(), []
    for today in sorted(looks):
        known = [pay(f"p{n}", amount, on) for n, (on, amount) in enumerate(payments) if on <= today]
        plan = judge(plan, known, today, "look").state
        outcome = remind(plan, standing(plan, known, today), today)
        plan = outcome.state
        for news in outcome.announcements:
            due_on = date.fromisoformat(news.data["due_on"])
            assert plan.state is PlanState.ACTIVE
            assert today <= due_on <= today + timedelta(days=3)
            (lacking,) = news.data["amounts"]
            asked_by_then = AMOUNT * (due_days(plan).index(due_on) + 1)
            paid = sum(amount for on, amount in payments if on <= today)
            assert lacking["amount"] == asked_by_then - paid - _forgiven(paid)
            named.append(due_on)
        following = next_reminder(plan)
        assert following is None or following.on > today
    assert len(named) == len(set(named))


def _forgiven(paid: int) -> int:
    """What lacks of the instalments that are covered all the same, within the tolerance."""
    covered = sum(paid >= number * AMOUNT - TOLERANCE for number in range(1, 5))
    return max(0, covered * AMOUNT - paid)


@given(paid=st.integers(0, 4 * AMOUNT))
def test_more_payment_never_asks_for_more(paid: int) -> None:
    plan = four()
    for due_on in due_days(plan):
        less = open_on(standing(plan, [pay("p", paid, TODAY)] if paid else [], TODAY), due_on).get("CNY", 0)
        more = open_on(standing(plan, [pay("p", paid + 1_000, TODAY)], TODAY), due_on).get("CNY", 0)
        assert more <= less
