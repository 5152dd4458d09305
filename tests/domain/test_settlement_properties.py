"""A settlement under random payments and looks: no illegal state, and owed is paid, given up or back, to the cent."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.payment import Payment, Received
from shared.domain.plan_dates import DateRule, Frequency, Shift
from shared.domain.settlement import JUDGED, TRANSITIONS, Settlement, SettlementState
from shared.domain.settlement_life import accept, activate, expire, given_up, judge, next_look, offer, propose, withdraw
from tests.domain.agreements import RECKONED_AT, TODAY, debt
from tests.domain.coverage_model import Watchman
from tests.domain.seeds import CALENDAR
from tests.domain.test_settlement import POLICY, asked

WORD = {"active": "active", "broken": "breached", "completed": "fulfilled"}


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.today = TODAY
        self.payments: list[Payment] = []
        self.settlement: Settlement | None = None

    def become(self, after: Settlement) -> None:
        assert self.settlement is not None
        if after.state is not self.settlement.state:
            assert after.state in TRANSITIONS[self.settlement.state].values()
        self.settlement = after

    def hear(self) -> None:
        if self.settlement is not None:
            self.become(expire(self.settlement, self.today).state)
            self.become(judge(self.settlement, self.payments, self.today, "heard").state)
            again = judge(self.settlement, self.payments, self.today, "again")
            assert (again.state, again.announcements) == (self.settlement, ())

    @initialize(
        pays=st.integers(300_000, 499_999),
        count=st.integers(1, 4),
        parts=st.tuples(*[st.integers(0, 60_000)] * 3),
        in_force=st.sampled_from([True, True, True, False]),
    )
    def is_proposed(self, pays: int, count: int, parts: tuple[int, int, int], in_force: bool) -> None:
        interest, fees, penalty = parts
        owed = debt(500_000 - sum(parts), interest=interest, fees=fees, penalty=penalty)
        dates = DateRule(TODAY + timedelta(days=14), Frequency.WEEKLY, shift=Shift.NONE)
        new = asked(debts=(owed,), pays=pays, instalments=count, dates=dates, bucket="M6")
        self.settlement = propose(new, (), POLICY, CALENDAR, TODAY).state
        for word in ("offer", "accept", "activate") if in_force else ():
            self.somebody_acts(word)

    @rule(by=st.integers(1, 4))
    def days_pass(self, by: int) -> None:
        self.today += timedelta(days=by)
        self.hear()

    @rule()
    def the_timer_rings(self) -> None:
        following = None if self.settlement is None else next_look(self.settlement, self.today)
        if following is not None:
            self.today = max(self.today, following)
            self.hear()

    @rule(share=st.sampled_from([3, 6, 6, 12]), late=st.sampled_from([0, 0, 2, 9, 30]))
    def money_comes(self, share: int, late: int) -> None:
        """Some twelfths of what is to be paid."""
        assert self.settlement is not None
        posted_at = datetime.combine(self.today, datetime.min.time(), UTC) + timedelta(hours=2)
        number, value_date = len(self.payments), self.today - timedelta(days=late)
        amount = -(-self.settlement.pays * share // 12)
        self.payments.append(Payment("core", f"p{number}", "A1", "CNY", amount, value_date, posted_at))
        self.hear()

    @precondition(lambda self: self.payments)
    @rule(pick=st.randoms())
    def money_goes_back(self, pick: random.Random) -> None:
        index = pick.randrange(len(self.payments))
        was = self.payments[index]
        self.payments[index] = replace(was, reversed_amount=pick.choice([was.reversed_amount, was.amount]))
        self.hear()

    @rule(word=st.sampled_from(["offer", "accept", "activate", "activate", "withdraw"]))
    def somebody_acts(self, word: str) -> None:
        one = self.settlement
        if one is None:
            return
        first = one.schedule.instalments[0].due_on
        if word == "offer" and one.state is SettlementState.PROPOSED:
            self.become(offer(one, "u-9").state)
        elif word == "accept" and one.state is SettlementState.OFFERED and self.today <= one.valid_until:
            self.become(accept(one, self.today).state)
        elif word == "activate" and one.state is SettlementState.ACCEPTED and self.today <= first:
            self.become(activate(one, self.today).state)
            self.hear()
        elif word == "withdraw" and one.state is SettlementState.ACCEPTED:
            self.become(withdraw(one, self.today, "customer").state)

    @invariant()
    def the_watchman_agrees(self) -> None:
        one = self.settlement
        if one is None or one.state not in JUDGED:
            return
        came = [Received(p.value_date, p.net) for p in self.payments if p.net and p.posted_at > RECKONED_AT]
        watchman = Watchman(one.schedule, [each for each in came if each.on <= self.today], one.rule, self.today)
        assert (one.state.value, one.ended_on) == (WORD[watchman.state], watchman.ended_on)
        assert one.received == watchman.came

    @invariant()
    def it_adds_up(self) -> None:
        one = self.settlement
        if one is None:
            return
        assert sum(each.amount for each in one.given_up) == one.discount == one.owed - one.pays
        assert sum(each.amount for each in one.schedule.instalments) == one.pays
        if one.state is SettlementState.BREACHED:
            assert one.back == max(0, one.owed - one.received)

    @invariant()
    def nothing_is_given_up_that_is_not_owed(self) -> None:
        if self.settlement is not None:
            balances = self.settlement.debts[0].balances
            for each in given_up(self.settlement.debts, self.settlement.discount, POLICY.order):
                assert 0 < each.amount <= getattr(balances, each.component)


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=40, stateful_step_count=25)
