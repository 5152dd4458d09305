"""A specialist's days: promises, plans and settlements from the first word to the last payment."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain.account import Due
from shared.domain.allocation import AllocationRules, replay
from shared.domain.allocation_entries import Part, PaymentEntry, ReversalEntry, SnapshotEntry
from shared.domain.allocation_scheme import scheme_of
from shared.domain.approval import Approval, ApprovalRefused, decide, request
from shared.domain.outcome import Outcome
from shared.domain.payment import Payment
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_dates import DateRule, Shift, add_months
from shared.domain.plan_life import activate, approve, judge, next_look, propose, restructure
from shared.domain.plan_quote import quote
from shared.domain.plan_terms import PlanKind, PlanRefused
from shared.domain.promise import NewPromise, Promise, Promiser, PromiseState, make, waits_until
from shared.domain.promise import judge as judge_promises
from shared.domain.settlement import SettlementState
from shared.domain.settlement_life import accept, offer
from shared.domain.settlement_life import activate as activate_settlement
from shared.domain.settlement_life import judge as judge_settlement
from shared.domain.settlement_life import propose as propose_settlement
from tests.domain.agreements import (
    ASSESSED,
    PLANS,
    RECKONED_AT,
    SIGNED,
    TODAY,
    active,
    debt,
    month_end,
    new_plan,
    pay,
    quoted,
    terms,
)
from tests.domain.seeds import CALENDAR, POLICY, REPAYMENT
from tests.domain.test_settlement import asked


def told(outcome: Outcome[Any]) -> list[str]:
    return [news.type.removeprefix("arrears.").removesuffix(".v1") for news in outcome.announcements]


class Followed:
    """A plan with what is heard of it: payments as they are posted, and the timer whenever it rings."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.payments, self.told = plan, list[Payment](), list[tuple[str, str]]()
        self.looked = plan.active_from or TODAY

    def hear(self, on: date, reason: str) -> None:
        outcome = judge(self.plan, self.payments, on, reason)
        self.plan, self.looked = outcome.state, on
        self.told += [(on.isoformat(), word) for word in told(outcome)]

    def let_time_pass(self, until: date) -> None:
        """Each time the timer rings before ``until``."""
        while (day := next_look(self.plan, self.looked) or until) < until:
            self.hear(day, "instalment_due")

    def posted(self, payment: Payment) -> None:
        self.payments = [each for each in self.payments if each.payment_id != payment.payment_id] + [payment]
        self.hear(payment.posted_at.date(), "payment.reversed" if payment.reversed_amount else "payment.posted")


def test_a_missed_instalment_is_paid_late_and_the_plan_lives_on() -> None:
    followed = Followed(active(quoted(debt(300_000), asked=terms(count=3))))
    followed.let_time_pass(date(2026, 4, 9))
    followed.posted(pay("p1", 100_000, date(2026, 4, 9)))
    followed.posted(pay("p2", 100_000, month_end(2)))
    followed.posted(pay("p3", 100_000, date(2026, 5, 20)))
    assert followed.told == [
        ("2026-04-04", "plan.instalment_missed"),
        ("2026-04-09", "plan.instalment_covered"),
        ("2026-04-30", "plan.instalment_covered"),
        ("2026-05-20", "plan.instalment_covered"),
        ("2026-05-20", "plan.completed"),
    ]
    assert not followed.plan.stops_collection, "nothing is left to collect"


def a_promise() -> Promise:
    """On Monday March 2nd: CNY 500 by Friday."""
    new = NewPromise(
        promise_id=UUID(int=1),
        customer_id="C1",
        account_id="A1",
        currency="CNY",
        amount=50_000,
        due_on=date(2026, 3, 6),
        made_at=RECKONED_AT,
        channel="phone",
        promised_by=Promiser.DEBTOR,
        recorded_by="u-7",
    )
    return make(new, (), 120_000, 120_000, REPAYMENT.promises, TODAY).state


def test_a_promise_is_broken_and_then_kept_by_a_back_dated_payment() -> None:
    """Wang says on Monday he pays CNY 500 by Friday. On Sunday it is broken and the calls begin again; on Tuesday the
    transfer he made on Friday is posted."""
    promise, account = a_promise(), [("A1", "CNY")]
    assert waits_until([promise], account, TODAY) == date(2026, 3, 8)
    broken = judge_promises([promise], [], promise.due_for_judgement, "promise_due")
    assert (told(broken), waits_until(broken.state, account, date(2026, 3, 9))) == (["promise.broken"], None)
    transfer = pay("p1", 50_000, date(2026, 3, 6), posted_on=date(2026, 3, 10))
    kept = judge_promises(broken.state, [transfer], date(2026, 3, 10), "payment.posted")
    assert told(kept) == ["promise.kept"]
    assert (kept.state[0].state, kept.state[0].kept_on) == (PromiseState.KEPT, date(2026, 3, 6))
    assert (kept.announcements[0].data["previous"], kept.announcements[0].data["reason"]) == (
        "broken",
        "payment.posted",
    )


def test_a_personalised_plan_of_sixty_months_is_performed_to_the_end_through_leap_years() -> None:
    """Five years at month ends, two accounts, CNY 123,456.78 and 10,000.00, with two leap days on the way."""
    start = date(2027, 3, 1)
    reckoned = datetime(2027, 3, 1, 1, tzinfo=UTC)
    asked_for = terms(kind=PlanKind.PERSONALISED, count=60, dates=DateRule(date(2027, 3, 31), day=31, shift=Shift.NONE))
    made = quote("C1", (debt(12_345_678), debt(1_000_000, "A2")), asked_for, PLANS, CALENDAR, reckoned, start)
    assert made.months == 60
    waiting = propose(new_plan(made, assessment=ASSESSED), (), PLANS, start).state
    signed = activate(approve(waiting, "u-9").state, replace(SIGNED, agreed_on=start), PLANS, start).state
    followed = Followed(signed)
    days = [each.due_on for each in signed.schedules[0].instalments]
    assert {date(2028, 2, 29), date(2032, 2, 29)} <= set(days)
    assert (days[0], days[-1]) == (date(2027, 3, 31), date(2032, 2, 29))
    for number, each in enumerate(signed.schedules[0].instalments):
        followed.let_time_pass(each.due_on)
        assert followed.plan.stops_collection
        followed.posted(pay(f"p{number}", each.amount, each.due_on, account_id="A1" if number % 2 else "A2"))
    assert [word for _, word in followed.told] == ["plan.instalment_covered"] * 60 + ["plan.completed"]
    assert followed.plan.state is PlanState.COMPLETED
    assert sum(each.amount for each in followed.payments) == 13_345_678 == followed.plan.progress[0].received
    assert {account: sum(row) for account, row in signed.shares.items()} == {
        ("A1", "CNY"): 12_345_678,
        ("A2", "CNY"): 1_000_000,
    }


def test_a_plan_breaks_and_is_restructured_into_one_that_is_kept() -> None:
    first = Followed(active(quoted(debt(600_000), asked=terms(count=6)), roles={"supervisor"}))
    first.posted(pay("p1", 100_000, month_end(1)))
    first.let_time_pass(date(2026, 7, 1))
    assert first.told[-2:] == [("2026-05-04", "plan.instalment_missed"), ("2026-05-31", "plan.broken")]
    assert not first.plan.stops_collection
    left = first.plan.progress[0].left
    assert left == 500_000
    july = date(2026, 7, 1)
    longer = terms(kind=PlanKind.HARDSHIP, count=20, dates=DateRule(date(2026, 7, 15), shift=Shift.NONE))
    made = quote("C1", (debt(left),), longer, PLANS, CALENDAR, datetime(2026, 7, 1, 1, tzinfo=UTC), july)
    new = new_plan(made, plan_id=UUID(int=2), replaces=first.plan, assessment=ASSESSED, roles={"supervisor"})
    successor = activate(propose(new, [first.plan], PLANS, july).state, SIGNED, PLANS, july).state
    outcome = restructure(first.plan, successor, july)
    assert (told(outcome), outcome.state.replaced_by) == (["plan.restructured"], successor.plan_id)
    second = Followed(successor)
    for number, each in enumerate(successor.schedules[0].instalments):
        second.posted(pay(f"q{number}", each.amount, each.due_on))
    assert second.plan.state is PlanState.COMPLETED
    assert 100_000 + second.plan.progress[0].received == 600_000, "what was owed was paid, over both"


def test_a_settlement_needs_a_second_person_is_breached_and_the_debt_is_back() -> None:
    """CNY 5,000 owed, 3,800 to be paid in two parts: that gives up principal, so a supervisor has to agree."""
    waiting = propose_settlement(
        asked(pays=380_000, bucket="M6", instalments=2), (), REPAYMENT.settlements, CALENDAR, TODAY
    )
    one = waiting.state
    assert (told(waiting), one.state) == (["settlement.proposed"], SettlementState.PROPOSED)
    approval = Approval(
        approval_id=UUID(int=9),
        subject="settlement",
        subject_id=str(one.settlement_id),
        content=one.fingerprint,
        requested_by=one.proposed_by,
        requested_at=RECKONED_AT,
        expires_at=RECKONED_AT + timedelta(days=REPAYMENT.approval_days),
        approvers=one.approvers,
        customer_id="C1",
    )
    how = {"granted": True, "roles": {"supervisor"}, "at": RECKONED_AT, "reason": "hardship"}
    with pytest.raises(ApprovalRefused, match="nobody decides"):
        decide(request(approval).state, by="u-7", content=one.fingerprint, **how)
    granted = decide(approval, by="u-9", content=one.fingerprint, **how)
    assert told(granted) == ["approval.approved"]
    offered = offer(one, "u-9").state
    in_force = activate_settlement(accept(offered, TODAY).state, TODAY).state
    paid = [pay("p1", 190_000, date(2026, 3, 20))]
    breached = judge_settlement(in_force, paid, date(2026, 4, 24), "instalment_due")
    assert told(breached) == ["settlement.breached"]
    after = breached.state
    assert (after.owed, after.received, after.back) == (500_000, 190_000, 310_000)
    assert after.oldest_due == (("A1", date(2025, 11, 25)),), "it is as old as it was"


def test_a_reversal_uncures_the_plan_the_promise_and_the_account() -> None:
    """One payment cured everything in March; in May it comes back."""
    cutoff = datetime(2026, 3, 1, tzinfo=UTC)
    snapshot = SnapshotEntry(
        1, cutoff, (Part("principal", 95_000), Part("interest", 5_000)), (Due(date(2026, 2, 25), 100_000, 100_000),)
    )
    entry = PaymentEntry("core", "p1", 100_000, date(2026, 3, 10), datetime(2026, 3, 10, 2, tzinfo=UTC))
    back = ReversalEntry("core", "r1", "p1", 100_000, datetime(2026, 5, 6, 2, tzinfo=UTC))
    rules = AllocationRules(scheme_of(POLICY), POLICY.grace, "CNY", "Asia/Shanghai")
    cured, uncured = replay([snapshot, entry], rules), replay([back, entry, snapshot], rules)
    assert (cured.owed, cured.oldest_due) == (0, None)
    assert (uncured.owed, uncured.past_due, uncured.oldest_due) == (100_000, 100_000, date(2026, 2, 25))
    assert replay([back, entry, snapshot], rules, as_of=datetime(2026, 5, 1, tzinfo=UTC)).owed == 0

    followed = Followed(active(quoted(debt(100_000), asked=terms(count=2))))
    followed.posted(pay("p1", 100_000, date(2026, 3, 10)))
    assert followed.plan.state is PlanState.COMPLETED
    followed.payments = [pay("p1", 100_000, date(2026, 3, 10), reversed_amount=100_000)]
    followed.hear(date(2026, 5, 6), "payment.reversed")
    assert followed.plan.state is PlanState.BROKEN, "both instalments are long past"
    assert (followed.plan.ended_on, followed.plan.reason) == (date(2026, 5, 1), "payment.reversed")
    assert followed.told[-1] == ("2026-05-06", "plan.broken")

    kept = judge_promises([a_promise()], [pay("p1", 50_000, date(2026, 3, 6))], date(2026, 3, 6), "payment.posted")
    taken_back = [pay("p1", 50_000, date(2026, 3, 6), reversed_amount=50_000)]
    broken = judge_promises(kept.state, taken_back, date(2026, 5, 6), "payment.reversed")
    assert (told(kept), told(broken)) == (["promise.kept"], ["promise.broken"])
    assert broken.state[0].reason == "payment.reversed"


def test_scenarios_10_and_11_collection_stops_while_the_plan_is_kept_and_not_after() -> None:
    """Signed on October 8th; the instalment of November 10th is not paid, and the bank gives ten days."""
    signed_on = date(2026, 10, 8)
    prompt = replace(
        PLANS.kinds[PlanKind.PERSONALISED], breaks=replace(PLANS.kinds[PlanKind.EQUAL].breaks, days_late=9)
    )
    policy = replace(PLANS, kinds={**PLANS.kinds, PlanKind.PERSONALISED: prompt})
    monthly = terms(kind=PlanKind.PERSONALISED, count=12, dates=DateRule(date(2026, 10, 10), shift=Shift.NONE))
    made = quote("C1", (debt(1_200_000),), monthly, policy, CALENDAR, datetime(2026, 10, 8, tzinfo=UTC), signed_on)
    plan = propose(new_plan(made, assessment=ASSESSED), (), policy, signed_on).state
    plan = activate(approve(plan, "u-9").state, replace(SIGNED, agreed_on=signed_on), policy, signed_on).state
    paid = [pay("p1", 100_000, date(2026, 10, 10)), pay("p2", 100_000, date(2026, 11, 10))]
    assert judge(plan, paid, date(2026, 11, 24), "timer").state.stops_collection
    broken = judge(plan, paid[:1], date(2026, 11, 24), "timer").state
    assert (broken.stops_collection, broken.ended_on) == (False, date(2026, 11, 20))


def test_a_plan_quoted_over_a_limit_is_decided_by_somebody_else_about_what_was_quoted() -> None:
    plan = propose(new_plan(quoted(debt(3_000_000))), (), PLANS, TODAY).state
    approval = Approval(
        approval_id=UUID(int=9),
        subject="plan",
        subject_id=str(plan.plan_id),
        content=plan.fingerprint,
        requested_by=plan.proposed_by,
        requested_at=RECKONED_AT,
        expires_at=RECKONED_AT + timedelta(days=5),
        approvers=plan.approvers,
        customer_id="C1",
    )
    how = {"granted": True, "by": "u-9", "roles": {"supervisor"}, "at": RECKONED_AT, "reason": "ok"}
    other = propose(new_plan(quoted(debt(3_000_001))), (), PLANS, TODAY).state
    with pytest.raises(ApprovalRefused, match="ask again"):
        decide(approval, content=other.fingerprint, **how)
    assert approve(plan, decide(approval, content=plan.fingerprint, **how).state.decided_by).state.approved_by == "u-9"
    with pytest.raises(PlanRefused, match="approved can not approve"):
        approve(approve(plan, "u-9").state, "u-9")


def test_the_last_instalment_of_sixty_falls_where_the_law_ends() -> None:
    first = date(2026, 3, 31)
    last = add_months(first, 59)
    assert (last, quoted(asked=terms(kind=PlanKind.PERSONALISED, count=60)).months) == (date(2031, 2, 28), 60)
    with pytest.raises(PlanRefused, match="61 months"):
        quoted(asked=terms(kind=PlanKind.PERSONALISED, count=60, dates=DateRule(date(2026, 4, 3), shift=Shift.NONE)))
