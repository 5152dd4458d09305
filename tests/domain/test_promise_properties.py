"""Promises against a slow and obvious judge who hands out every unit of every payment one by one."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from shared.domain.payment import Payment
from shared.domain.promise import NewPromise, Promise, Promiser, PromiseState, cancel, judge, make
from tests.domain.test_promise import POLICY

DAY_0 = date(2026, 3, 1)
RANK = {PromiseState.BROKEN: 0, PromiseState.PARTIALLY_KEPT: 1, PromiseState.OPEN: 2, PromiseState.KEPT: 3}


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 3, 1, hour, tzinfo=UTC) + timedelta(days=day)


def promise(number: int, day: int, ahead: int, amount: int, account: str = "A1") -> Promise:
    made_on = DAY_0 + timedelta(days=day)
    new = NewPromise(
        promise_id=UUID(int=number),
        customer_id="C1",
        account_id=account,
        currency="CNY",
        amount=amount,
        due_on=made_on + timedelta(days=ahead),
        made_at=at(day, 10),
        channel="phone",
        promised_by=Promiser.DEBTOR,
        recorded_by="u",
    )
    return make(new, (), 0, amount, POLICY, made_on).state


def payment(number: int, day: int, hour: int, late: int, amount: int, account: str = "A1") -> Payment:
    value_date = DAY_0 + timedelta(days=day - late)
    return Payment("core", f"p{number}", account, "CNY", amount, value_date, at(day, hour))


def slow_verdict(promises: list[Promise], payments: list[Payment], on: date) -> dict[UUID, tuple[PromiseState, int]]:
    paid = {each.promise_id: 0 for each in promises}
    fitting = sorted(promises, key=lambda each: (each.due_on, each.made_at, each.promise_id))
    for each in sorted(payments, key=lambda p: (p.value_date, p.posted_at, p.payment_id)):
        for _ in range(each.amount - each.reversed_amount if each.value_date <= on else 0):
            for one in fitting:
                if (
                    one.state is not PromiseState.CANCELLED
                    and (one.account_id, one.currency) == (each.account_id, each.currency)
                    and paid[one.promise_id] < one.amount
                    and each.posted_at > one.made_at
                    and one.made_on <= each.value_date <= one.due_on + timedelta(days=POLICY.tolerance_days)
                ):
                    paid[one.promise_id] += 1
                    break
    verdicts = {}
    for one in promises:
        enough = paid[one.promise_id] >= max(1, one.amount - POLICY.tolerance_amount["CNY"])
        over = on > one.due_on + timedelta(days=POLICY.tolerance_days)
        state = PromiseState.OPEN
        if one.state is PromiseState.CANCELLED:
            state = PromiseState.CANCELLED
        elif enough:
            state = PromiseState.KEPT
        elif over:
            state = PromiseState.PARTIALLY_KEPT if paid[one.promise_id] else PromiseState.BROKEN
        verdicts[one.promise_id] = (state, paid[one.promise_id])
    return verdicts


accounts = st.sampled_from(["A1", "A1", "A2"])
promises = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 10), st.integers(1, 300), accounts), min_size=1, max_size=5
).map(lambda rows: [promise(number, *row) for number, row in enumerate(rows)])
payments = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([9, 10, 11]), st.integers(0, 6), st.integers(1, 300), accounts),
    max_size=6,
).map(lambda rows: [payment(number, *row) for number, row in enumerate(rows)])


@given(made=promises, came=payments, day=st.integers(0, 40), pick=st.randoms())
@settings(max_examples=150)
def test_the_slow_judge_agrees_in_whatever_order_things_arrive(
    made: list[Promise], came: list[Payment], day: int, pick: random.Random
) -> None:
    on = DAY_0 + timedelta(days=day)
    shuffled = list(came)
    pick.shuffle(shuffled)
    judged = judge(made, shuffled, on, "test").state
    assert {each.promise_id: (each.state, each.paid) for each in judged} == slow_verdict(made, came, on)
    assert judge(made, came, on, "test").state == judged


@given(made=promises, came=payments, more=payments, day=st.integers(0, 40))
@settings(max_examples=150)
def test_more_payment_never_means_a_worse_verdict(
    made: list[Promise], came: list[Payment], more: list[Payment], day: int
) -> None:
    on = DAY_0 + timedelta(days=day)
    renamed = [Payment("other", *[getattr(p, name) for name in Payment.__slots__[1:]]) for p in more]
    less, plenty = judge(made, came, on, "test").state, judge(made, [*came, *renamed], on, "test").state
    for before, after in zip(less, plenty, strict=True):
        assert after.paid >= before.paid
        assert RANK[after.state] >= RANK[before.state]


@given(made=promises, came=payments, days=st.lists(st.integers(0, 40), min_size=1, max_size=5))
def test_looking_often_ends_as_looking_once(made: list[Promise], came: list[Payment], days: list[int]) -> None:
    often = tuple(made)
    for day in sorted(days):
        on = DAY_0 + timedelta(days=day)
        known = [each for each in came if each.posted_at.date() <= on]
        often = judge(often, known, on, "timer").state
    last = DAY_0 + timedelta(days=60)
    often, once = judge(often, came, last, "timer").state, judge(made, came, last, "timer").state
    assert [(p.state, p.paid, p.kept_on) for p in often] == [(p.state, p.paid, p.kept_on) for p in once]


class Desk(RuleBasedStateMachine):
    """A customer promises, pays late and back-dated, takes money back; the desk judges after each thing it hears."""

    known = Bundle("known")

    def __init__(self) -> None:
        super().__init__()
        self.day = 0
        self.promises: dict[UUID, Promise] = {}
        self.payments: dict[str, Payment] = {}

    @property
    def today(self) -> date:
        return DAY_0 + timedelta(days=self.day)

    def hear(self) -> None:
        outcome = judge(self.promises.values(), self.payments.values(), self.today, "heard")
        changed = sum(self.promises[each.promise_id].state is not each.state for each in outcome.state)
        assert len(outcome.announcements) == changed
        self.promises = {each.promise_id: each for each in outcome.state}

    @rule(by=st.integers(1, 6))
    def a_day_comes(self, by: int) -> None:
        self.day += by
        self.hear()

    @rule(target=known, ahead=st.integers(0, 9), amount=st.integers(1, 250))
    def they_promise(self, ahead: int, amount: int) -> UUID:
        made = promise(len(self.promises), self.day, ahead, amount)
        self.promises[made.promise_id] = made
        self.hear()
        return made.promise_id

    @rule(amount=st.integers(1, 250), hour=st.integers(9, 11), late=st.integers(0, 8))
    def money_is_posted(self, amount: int, hour: int, late: int) -> None:
        came = payment(len(self.payments), self.day, hour, late, amount)
        self.payments[came.payment_id] = came
        self.hear()

    @precondition(lambda self: self.payments)
    @rule(pick=st.randoms())
    def money_goes_back(self, pick: random.Random) -> None:
        was = pick.choice(list(self.payments.values()))
        back = pick.randint(was.reversed_amount, was.amount)
        row = {name: getattr(was, name) for name in Payment.__slots__} | {"reversed_amount": back}
        self.payments[was.payment_id] = Payment(**row)
        self.hear()

    @rule(promise_id=consumes(known))
    def it_is_called_off(self, promise_id: UUID) -> None:
        if self.promises[promise_id].state is PromiseState.OPEN:
            self.promises[promise_id] = cancel(self.promises[promise_id], self.today, "mistake").state
            self.hear()

    @invariant()
    def the_slow_judge_agrees(self) -> None:
        verdicts = slow_verdict(list(self.promises.values()), list(self.payments.values()), self.today)
        for promise_id, (state, paid) in verdicts.items():
            mine = self.promises[promise_id]
            assert mine.state is state
            assert state is PromiseState.CANCELLED or mine.paid == paid

    @invariant()
    def no_unit_counts_twice(self) -> None:
        live = [p for p in self.promises.values() if p.state is not PromiseState.CANCELLED]
        assert sum(each.paid for each in live) <= sum(each.net for each in self.payments.values())
        assert all(0 <= each.paid <= each.amount for each in live)


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=40, stateful_step_count=25)
