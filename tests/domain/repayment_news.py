"""Every announcement that promises, plans, settlements, waivers and approvals can make, made once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from shared.domain import approval, plan_life, plan_reminders, promise, settlement_life, waiver
from shared.domain.announcement import Announcement
from shared.domain.outcome import Outcome
from shared.domain.plan import Plan
from shared.domain.plan_news import moved_news
from shared.domain.plan_schedule import Schedule
from tests.domain.agreements import PLANS, SIGNED, TODAY, active, debt, month_end, new_plan, pay, quoted, terms
from tests.domain.seeds import CALENDAR, REPAYMENT
from tests.domain.test_approval import ASKED_AT, EXPIRES, PENDING, decided
from tests.domain.test_promise import asked as asked_promise
from tests.domain.test_promise import promise as a_promise
from tests.domain.test_settlement import DUE, asked, running
from tests.domain.test_waiver import waiver as a_waiver

LATER = date(2026, 12, 1)


def everything_announced() -> Iterator[Announcement]:
    for outcome in (*_promises(), *_plans(), *_settlements(), *_waivers(), *_approvals()):
        yield from outcome.announcements


def _promises() -> Iterator[Outcome[Any]]:
    made = promise.make(asked_promise(), (), 60_000, 60_000, REPAYMENT.promises, date(2026, 5, 4))
    yield made
    yield promise.cancel(made.state, date(2026, 5, 5), "plan")
    one, day = a_promise(), date(2026, 5, 6)
    kept = promise.judge([one], [pay("p", 50_000, day)], day, "payment.posted")
    yield kept
    yield promise.judge(kept.state, [], day, "payment.reversed")
    yield promise.judge([one], [pay("p", 1, day)], LATER, "promise_due")
    yield promise.judge([one], [], LATER, "promise_due")


def _plans() -> Iterator[Outcome[Any]]:
    proposed = plan_life.propose(new_plan(quoted()), (), PLANS, TODAY)
    yield proposed
    yield plan_life.activate(proposed.state, SIGNED, PLANS, TODAY)
    yield plan_life.cancel(proposed.state, TODAY, "customer")
    plan = active(quoted(debt(200_000), asked=terms(count=2)))
    before = plan.schedules[0].instalments[0].due_on - timedelta(days=3)
    yield plan_reminders.remind(plan, plan_life.standing(plan, [], before), before)
    coverages = plan_life.standing(plan, [], TODAY)
    yield Outcome(plan, moved_news(replace(plan, schedules=tuple(_a_day_before(plan))), plan, coverages))
    paid = [pay("p", 200_000, month_end(1))]
    completed = plan_life.judge(plan, paid, month_end(1), "payment.posted")
    yield completed
    yield plan_life.judge(completed.state, [], month_end(1), "payment.reversed")
    broken = plan_life.judge(plan, [], LATER, "instalment_due")
    yield broken
    new = new_plan(quoted(debt(200_000)), plan_id=UUID(int=2), replaces=broken.state)
    successor = plan_life.activate(
        plan_life.propose(new, [broken.state], PLANS, TODAY).state, SIGNED, PLANS, TODAY
    ).state
    yield plan_life.restructure(broken.state, successor, TODAY)


def _a_day_before(plan: Plan) -> Iterator[Schedule]:
    for each in plan.schedules:
        days = [replace(one, due_on=one.due_on - timedelta(days=1)) for one in each.instalments]
        yield replace(each, instalments=tuple(days))


def _settlements() -> Iterator[Outcome[Any]]:
    offered = settlement_life.propose(asked(), (), REPAYMENT.settlements, CALENDAR, TODAY)
    yield offered
    yield settlement_life.expire(offered.state, LATER)
    yield settlement_life.withdraw(offered.state, TODAY, "bank")
    accepted = settlement_life.accept(offered.state, TODAY)
    yield accepted
    yield settlement_life.activate(accepted.state, TODAY)
    fulfilled = settlement_life.judge(running(), [pay("p", 450_000, DUE)], DUE, "payment.posted")
    yield fulfilled
    yield settlement_life.judge(fulfilled.state, [], DUE, "payment.reversed")
    yield settlement_life.judge(running(), [], LATER, "instalment_due")


def _waivers() -> Iterator[Outcome[Any]]:
    granted = waiver.propose(a_waiver(), {"collector"}, REPAYMENT.waivers, ASKED_AT)
    yield granted
    larger = waiver.propose(a_waiver(amount=20_000), {"collector"}, REPAYMENT.waivers, ASKED_AT)
    yield waiver.withdraw(larger.state, "refused")


def _approvals() -> Iterator[Outcome[Any]]:
    yield approval.request(PENDING)
    yield decided()
    yield decided(granted=False)
    yield approval.expire(PENDING, EXPIRES)
    yield approval.withdraw(PENDING, "u-7", ASKED_AT + timedelta(hours=1), "mistake")
