"""Promises: taken, kept in full or in part, broken, and judged again when the past changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain.payment import Payment
from shared.domain.promise import (
    NewPromise,
    Promise,
    PromisePolicy,
    Promiser,
    PromiseRefused,
    PromiseState,
    cancel,
    judge,
    make,
    objections,
    waits_until,
)

POLICY = PromisePolicy(
    tolerance_days=2,
    tolerance_amount={"CNY": 100},
    latest=30,
    least_share_bps=1_000,
    open_at_once=2,
    broken=2,
    broken_days=90,
)
MADE_ON = date(2026, 5, 4)
MADE_AT = datetime(2026, 5, 4, 6, tzinfo=UTC)
DUE = date(2026, 5, 10)
LAST_DAY, AFTER = date(2026, 5, 12), date(2026, 5, 13)


def asked(number: int = 1, **changes: Any) -> NewPromise:
    fields = {
        "promise_id": UUID(int=number),
        "customer_id": "C1",
        "account_id": "A1",
        "currency": "CNY",
        "amount": 50_000,
        "due_on": DUE,
        "made_at": MADE_AT,
        "channel": "phone",
        "promised_by": Promiser.DEBTOR,
        "recorded_by": "u-7",
    }
    return NewPromise(**(fields | changes))


def promise(number: int = 1, **changes: Any) -> Promise:
    return make(asked(number, **changes), (), 60_000, 90_000, POLICY, MADE_ON).state


def pay(name: str, amount: int, on: date, **changes: Any) -> Payment:
    fields = {
        "source": "core",
        "payment_id": name,
        "account_id": "A1",
        "currency": "CNY",
        "amount": amount,
        "value_date": on,
        "posted_at": datetime.combine(on, datetime.min.time(), UTC) + timedelta(hours=9),
    }
    return Payment(**(fields | changes))


def state(payments: list[Payment], on: date, *promises: Promise) -> list[str]:
    return [each.state.value for each in judge(promises or (promise(),), payments, on, "test").state]


def test_a_promise_is_open_until_it_is_paid_or_its_last_day_is_over() -> None:
    assert state([], MADE_ON) == ["open"]
    assert state([], LAST_DAY) == ["open"], "the tolerance of two days still runs"
    assert state([], AFTER) == ["broken"]
    assert promise().due_for_judgement == AFTER


@pytest.mark.parametrize(
    ("payments", "expected"),
    [
        ([pay("p", 50_000, DUE)], "kept"),
        ([pay("p", 49_900, DUE)], "kept"),  # within the tolerance of CNY 1
        ([pay("p", 49_899, DUE)], "partially_kept"),
        ([pay("p", 20_000, MADE_ON), pay("q", 30_000, LAST_DAY)], "kept"),
        ([pay("p", 50_000, AFTER)], "broken"),
        ([pay("p", 90_000, DUE, reversed_amount=60_000)], "partially_kept"),
        ([pay("p", 50_000, DUE, account_id="A2")], "broken"),
        ([pay("p", 50_000, DUE, currency="USD")], "broken"),
        ([pay("p", 50_000, MADE_ON, posted_at=MADE_AT)], "broken"),  # it was known when they promised
        ([pay("p", 50_000, MADE_ON - timedelta(days=1), posted_at=MADE_AT + timedelta(days=1))], "broken"),
    ],
)
def test_a_promise_is_judged_by_what_was_paid_for_its_days(payments: list[Payment], expected: str) -> None:
    assert state(payments, AFTER) == [expected]


def test_it_is_kept_as_soon_as_enough_is_there() -> None:
    outcome = judge([promise()], [pay("p", 50_000, date(2026, 5, 6))], date(2026, 5, 6), "payment.posted")
    assert (outcome.state[0].state, outcome.state[0].kept_on) == (PromiseState.KEPT, date(2026, 5, 6))
    (news,) = outcome.announcements
    assert news.type == "arrears.promise.kept.v1"
    assert (news.data["paid"], news.data["previous"], news.data["reason"]) == (50_000, "open", "payment.posted")


def test_one_payment_does_not_keep_two_promises() -> None:
    early, late = promise(1), promise(2, due_on=DUE + timedelta(days=5))
    assert state([pay("p", 50_000, DUE)], date(2026, 6, 1), late, early) == ["broken", "kept"]
    assert state([pay("p", 70_000, DUE)], date(2026, 6, 1), late, early) == ["partially_kept", "kept"]
    assert state([pay("p", 99_900, DUE)], date(2026, 6, 1), late, early) == ["kept", "kept"]


def test_what_comes_after_the_first_promise_ran_out_goes_to_the_second() -> None:
    early, late = promise(1), promise(2, due_on=DUE + timedelta(days=5))
    assert state([pay("p", 50_000, AFTER)], date(2026, 6, 1), early, late) == ["broken", "kept"]


def test_a_promise_broken_and_then_kept_by_a_back_dated_payment() -> None:
    """The timer finds it broken on the 13th; on the 15th a transfer of the 10th is posted."""
    broken = judge([promise()], [], AFTER, "promise_due")
    assert [news.type for news in broken.announcements] == ["arrears.promise.broken.v1"]
    transfer = pay("p", 50_000, DUE, posted_at=datetime(2026, 5, 15, 3, tzinfo=UTC))
    mended = judge(broken.state, [transfer], date(2026, 5, 15), "payment.posted")
    (kept,) = mended.state
    assert (kept.state, kept.kept_on, kept.judged_on) == (PromiseState.KEPT, DUE, date(2026, 5, 15))
    assert kept.reason == "payment.posted"
    assert mended.announcements[0].data["previous"] == "broken"


def test_a_reversal_undoes_a_kept_promise_and_opens_it_again_while_it_runs() -> None:
    kept = judge([promise()], [pay("p", 50_000, date(2026, 5, 5))], date(2026, 5, 5), "payment.posted").state
    bounced = [pay("p", 50_000, date(2026, 5, 5), reversed_amount=50_000)]
    again = judge(kept, bounced, date(2026, 5, 8), "payment.reversed")
    assert [news.type for news in again.announcements] == ["arrears.promise.reopened.v1"]
    assert judge(kept, bounced, AFTER, "payment.reversed").state[0].state is PromiseState.BROKEN


def test_judging_twice_says_nothing_the_second_time() -> None:
    first = judge([promise()], [pay("p", 10_000, DUE)], AFTER, "promise_due")
    second = judge(first.state, [pay("p", 10_000, DUE)], AFTER + timedelta(days=40), "payment.posted")
    assert (second.state, second.announcements) == (first.state, ())


def test_a_promise_keeps_the_tolerances_of_the_day_it_was_made() -> None:
    strict = replace(POLICY, tolerance_days=0, tolerance_amount={})
    made = make(asked(), (), 60_000, 90_000, strict, MADE_ON).state
    assert (made.last_day, made.enough) == (DUE, 50_000)
    assert promise(currency="USD").tolerance_amount == 0


def test_a_cancelled_promise_is_judged_no_more_and_frees_its_money() -> None:
    outcome = cancel(promise(1), MADE_ON, "plan")
    assert outcome.announcements[0].type == "arrears.promise.cancelled.v1"
    other = promise(2, due_on=DUE + timedelta(days=1))
    assert state([pay("p", 50_000, DUE)], AFTER + timedelta(days=1), outcome.state, other) == ["cancelled", "kept"]
    with pytest.raises(PromiseRefused, match="cancelled can not be cancelled"):
        cancel(outcome.state, MADE_ON, "again")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 0}, "not-positive"),
        ({"due_on": MADE_ON - timedelta(days=1)}, "too-early"),
        ({"due_on": MADE_ON + timedelta(days=31)}, "too-late"),
        ({"amount": 5_999}, "too-little"),  # a tenth of CNY 600
        ({"amount": 90_001}, "too-much"),
    ],
)
def test_a_promise_that_says_nothing_is_not_taken(changes: dict[str, Any], code: str) -> None:
    with pytest.raises(PromiseRefused) as refused:
        make(asked(**changes), (), 60_000, 90_000, POLICY, MADE_ON)
    assert refused.value.code == code


def test_all_that_is_owed_may_be_promised_and_nobody_waives_more() -> None:
    assert make(asked(amount=90_000), (), 60_000, 90_000, POLICY, MADE_ON).state.amount == 90_000
    assert objections(asked(amount=60_000), (), 60_000, 0, POLICY, MADE_ON) == {}, "what is past due is asked for"
    with pytest.raises(PromiseRefused, match="90000 is owed"):
        make(asked(amount=90_001), (), 60_000, 90_000, POLICY, MADE_ON, waived={"too-much"})


def test_the_least_that_may_be_promised_is_rounded_up() -> None:
    assert "too-little" in objections(asked(amount=6_000), (), 60_001, 90_000, POLICY, MADE_ON)
    assert "too-little" not in objections(asked(amount=6_001), (), 60_001, 90_000, POLICY, MADE_ON)


def test_after_two_broken_promises_no_new_one_is_taken_unless_somebody_with_the_right_to_waives_it() -> None:
    broken = [replace(promise(number), state=PromiseState.BROKEN) for number in (1, 2)]
    later = DUE + timedelta(days=20)
    new = asked(3, due_on=later + timedelta(days=7))
    with pytest.raises(PromiseRefused, match="2 were broken in 90 days"):
        make(new, broken, 60_000, 90_000, POLICY, later)
    assert make(new, broken, 60_000, 90_000, POLICY, later, waived={"broken-before"}).state.state is PromiseState.OPEN
    assert objections(new, broken[:1], 60_000, 90_000, POLICY, later) == {}
    assert objections(replace(new, account_id="A2"), broken, 60_000, 90_000, POLICY, later) == {}
    long_after = DUE + timedelta(days=90)
    assert objections(asked(3, due_on=long_after), broken, 60_000, 90_000, POLICY, long_after) == {}


def test_a_broken_promise_that_was_mended_does_not_count_against_the_customer() -> None:
    mended = [replace(promise(number), state=PromiseState.KEPT) for number in (1, 2)]
    assert objections(asked(3, due_on=DUE + timedelta(days=9)), mended, 60_000, 90_000, POLICY, AFTER) == {}


def test_only_so_many_promises_are_open_on_an_account_at_once() -> None:
    both = [promise(1), promise(2)]
    assert list(objections(asked(3), both, 60_000, 90_000, POLICY, MADE_ON)) == ["open-already"]
    assert objections(asked(3, due_on=AFTER), both, 60_000, 90_000, POLICY, AFTER) == {}, "those ran out, judged or not"


def test_follow_ups_wait_while_every_overdue_account_has_an_open_promise() -> None:
    other = promise(2, account_id="A2", due_on=DUE + timedelta(days=5))
    a1, a2 = ("A1", "CNY"), ("A2", "CNY")
    assert waits_until([promise()], [a1], MADE_ON) == LAST_DAY
    assert waits_until([promise(), other], [a1, a2], MADE_ON) == LAST_DAY, "the first to end ends the wait"
    assert waits_until([promise()], [a1, a2], MADE_ON) is None, "nobody promised for the other"
    assert waits_until([promise()], [a1], AFTER) is None
    assert waits_until([replace(promise(), state=PromiseState.KEPT)], [a1], MADE_ON) is None
    assert waits_until([promise()], [], MADE_ON) is None
