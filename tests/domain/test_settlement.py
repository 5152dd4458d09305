"""Settlements: who may give up how much, what is paid instead, and what comes back after a breach."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain.outcome import Refused
from shared.domain.plan_dates import DateRule, Shift
from shared.domain.settlement import (
    TRANSITIONS,
    Instrument,
    Settlement,
    SettlementAction,
    SettlementRefused,
    SettlementState,
    transition,
)
from shared.domain.settlement_life import (
    NewSettlement,
    accept,
    activate,
    expire,
    given_up,
    judge,
    next_look,
    objections,
    offer,
    propose,
    withdraw,
)
from tests.domain.agreements import RECKONED_AT, TODAY, debt, pay
from tests.domain.seeds import CALENDAR, REPAYMENT

POLICY = REPAYMENT.settlements
DUE = date(2026, 3, 20)
OLD_DEBT = debt(400_000, interest=60_000, fees=10_000, penalty=30_000)
ORDER = POLICY.order


def asked(**changes: Any) -> NewSettlement:
    fields = {
        "settlement_id": UUID(int=1),
        "customer_id": "C1",
        "debts": (OLD_DEBT,),
        "pays": 450_000,  # a tenth less: the penalty, the fees and a part of the interest
        "dates": DateRule(DUE, shift=Shift.NONE),
        "reckoned_at": RECKONED_AT,
        "proposed_by": "u-7",
        "roles": {"collector"},
        "bucket": "M4",
        "oldest_due": {"A1": date(2025, 11, 25)},
    }
    return NewSettlement(**(fields | changes))


def proposed(**changes: Any) -> Settlement:
    return propose(asked(**changes), (), POLICY, CALENDAR, TODAY).state


def running(**changes: Any) -> Settlement:
    return activate(accept(proposed(**changes), TODAY).state, TODAY).state


def words(outcome: Any) -> list[str]:
    return [news.type.split(".")[2] for news in outcome.announcements]


def test_within_their_limit_a_collector_offers_at_once() -> None:
    outcome = propose(asked(), (), POLICY, CALENDAR, TODAY)
    assert words(outcome) == ["proposed", "offered"]
    made = outcome.state
    assert (made.state, made.instrument, made.discount) == (SettlementState.OFFERED, Instrument.LUMP_SUM, 50_000)
    assert made.valid_until == TODAY + timedelta(days=14)


def test_a_discount_is_taken_from_penalty_first_and_from_principal_last() -> None:
    assert [(each.component, each.amount) for each in proposed().given_up] == [
        ("penalty", 30_000),
        ("fees", 10_000),
        ("interest", 10_000),
    ]
    two = (debt(100, "A1", penalty=5), debt(50, "A2", penalty=7, interest=1))
    assert [tuple(each) for each in given_up(two, 20, ORDER)] == [
        ("A1", "penalty", 5),
        ("A2", "penalty", 7),
        ("A2", "interest", 1),
        ("A1", "principal", 7),
    ]


@pytest.mark.parametrize(
    ("changes", "approvers"),
    [
        ({"pays": 449_999}, ("supervisor",)),  # a cent over a tenth
        ({"bucket": "M3"}, ("supervisor",)),  # too early for a collector
        ({"pays": 380_000, "bucket": "M6"}, ("supervisor", "compliance")),  # into the principal
        ({"pays": 250_000, "bucket": "M6"}, ("compliance",)),
        ({"instalments": 6}, ("supervisor",)),
    ],
)
def test_over_the_limit_a_second_person_is_asked_and_the_customer_hears_nothing(changes: Any, approvers: Any) -> None:
    outcome = propose(asked(**changes), (), POLICY, CALENDAR, TODAY)
    assert words(outcome) == ["proposed"]
    assert outcome.state.approvers == approvers
    with pytest.raises(SettlementRefused, match="proposed can not accept"):
        accept(outcome.state, TODAY)
    assert offer(outcome.state, "u-9").state.state is SettlementState.OFFERED


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"pays": 500_000}, "no-discount"),
        ({"pays": 0}, "no-discount"),
        ({"debts": ()}, "nothing-owed"),
        ({"debts": (OLD_DEBT, debt(0, "A2"))}, "nothing-owed"),
        ({"debts": (OLD_DEBT, OLD_DEBT)}, "account-twice"),
        ({"debts": (OLD_DEBT, debt(100, "A1", "USD"))}, "currencies"),
        ({"dates": DateRule(TODAY)}, "first-too-early"),
        ({"dates": DateRule(TODAY + timedelta(days=46))}, "first-too-late"),
        ({"taken": {("A1", "CNY")}}, "account-in-plan"),
        ({"instalments": 13}, "too-long"),
        ({"pays": 100_000, "bucket": "M6"}, "over-every-limit"),
        ({"pays": 380_000, "bucket": "M2"}, "over-every-limit"),
        ({"valid_until": TODAY - timedelta(days=1)}, "offer-too-short"),
        ({"valid_until": TODAY + timedelta(days=15)}, "offer-too-long"),
        ({"instalments": 3, "amounts": (1, 2)}, None),
        ({"instalments": 3, "amounts": (1, 2, 3)}, "sum"),
    ],
)
def test_what_makes_no_settlement_is_refused_with_a_code(changes: Any, code: str | None) -> None:
    if code is None:
        assert proposed(**changes).pays == 450_000
        return
    with pytest.raises(Refused) as refused:
        proposed(**changes)
    assert refused.value.code == code


def test_an_account_is_in_one_settlement_at_a_time_and_a_breach_bars_the_next() -> None:
    first = running()
    assert list(objections(asked(), [first], POLICY, TODAY)) == ["account-in-settlement"]
    breached = judge(first, [], DUE + timedelta(days=4), "timer").state
    assert list(objections(asked(), [breached], POLICY, TODAY)) == ["breached-before"]
    again = propose(asked(waived={"breached-before"}), [breached], POLICY, CALENDAR, TODAY)
    assert again.state.state is SettlementState.OFFERED


def test_an_offer_stands_for_its_days_and_then_expires() -> None:
    made = proposed()
    last = made.valid_until
    assert accept(made, last).state.state is SettlementState.ACCEPTED
    with pytest.raises(SettlementRefused, match="stood until"):
        accept(made, last + timedelta(days=1))
    assert expire(made, last).announcements == ()
    assert next_look(made, TODAY) == last + timedelta(days=1)
    expired = expire(made, last + timedelta(days=5))
    assert (expired.state.state, expired.state.ended_on) == (SettlementState.EXPIRED, last)
    assert expire(expired.state, last + timedelta(days=9)).announcements == ()


def test_an_offer_may_stand_for_less_than_the_policys_days() -> None:
    assert proposed(valid_until=TODAY).valid_until == TODAY


def test_what_was_accepted_and_never_signed_ends_with_the_day_of_its_first_payment() -> None:
    accepted = accept(proposed(), TODAY).state
    assert next_look(accepted, TODAY) == DUE + timedelta(days=1)
    assert expire(accepted, DUE).announcements == ()
    ended = expire(accepted, DUE + timedelta(days=1))
    assert (words(ended), ended.state.reason, ended.state.stops_collection) == (["withdrawn"], "not_signed", False)


def test_the_customers_yes_stops_collection() -> None:
    made = proposed()
    assert [made.stops_collection, accept(made, TODAY).state.stops_collection, running().stops_collection] == [
        False,
        True,
        True,
    ]


def test_it_is_withdrawn_only_before_it_is_in_force() -> None:
    assert withdraw(proposed(), TODAY, "bank").state.state is SettlementState.WITHDRAWN
    with pytest.raises(SettlementRefused, match="active can not withdraw"):
        withdraw(running(), TODAY, "bank")


def test_paid_as_agreed_the_rest_is_given_up() -> None:
    outcome = judge(running(), [pay("p1", 450_000, DUE)], DUE, "payment.posted")
    assert words(outcome) == ["fulfilled"]
    told = outcome.announcements[0].data
    assert (told["owed"], told["received"], told["given_up"], told["back"]) == (500_000, 450_000, 50_000, 0)
    over = judge(running(), [pay("p1", 460_000, DUE)], DUE, "payment.posted").state
    assert over.over == 10_000


def test_paid_before_the_yes_counts_too_if_it_came_after_the_reckoning() -> None:
    early = pay("p1", 450_000, TODAY)
    assert judge(running(), [early], TODAY, "activated").state.state is SettlementState.FULFILLED
    known = pay("p0", 450_000, TODAY, posted_at=RECKONED_AT)
    assert judge(running(), [known], TODAY, "activated").state.received == 0


def test_breached_the_whole_debt_is_back_less_what_was_paid_with_its_old_due_dates() -> None:
    made = running(instalments=3, roles={"supervisor"})
    assert made.instrument is Instrument.PLAN
    paid = [pay("p1", 150_000, DUE)]
    breach = date(2026, 4, 24)  # April 20th and three days of grace
    assert judge(made, paid, breach - timedelta(days=1), "timer").state.state is SettlementState.ACTIVE
    outcome = judge(made, paid, breach, "timer")
    assert words(outcome) == ["breached"]
    after = outcome.state
    assert (after.back, after.ended_on, after.oldest_due) == (350_000, breach, (("A1", date(2025, 11, 25)),))
    assert outcome.announcements[0].data["given_up"] == 0
    assert after.owed == after.back + after.received


def test_the_past_changes_a_fulfilled_and_a_breached_settlement() -> None:
    fulfilled = judge(running(), [pay("p1", 450_000, DUE)], DUE, "payment.posted").state
    bounced = [pay("p1", 450_000, DUE, reversed_amount=450_000)]
    assert words(judge(fulfilled, bounced, DUE, "payment.reversed")) == ["resumed"]
    breached = judge(fulfilled, bounced, DUE + timedelta(days=9), "payment.reversed")
    assert words(breached) == ["breached"]
    late_word = [*bounced, pay("p2", 450_000, DUE, posted_on=DUE + timedelta(days=11))]
    mended = judge(breached.state, late_word, DUE + timedelta(days=11), "payment.posted")
    assert (words(mended), mended.state.reason) == (["fulfilled"], "payment.posted")


@pytest.mark.parametrize("state", SettlementState)
@pytest.mark.parametrize("action", SettlementAction)
def test_what_the_table_does_not_name_is_refused(state: SettlementState, action: SettlementAction) -> None:
    if action in TRANSITIONS[state]:
        assert transition(state, action) is TRANSITIONS[state][action]
        return
    with pytest.raises(SettlementRefused, match=f"settlement that is {state} can not {action}; possible: "):
        transition(state, action)
