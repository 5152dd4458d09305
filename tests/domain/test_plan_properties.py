"""A plan in the hands of people and payments, against the watchman: no illegal state, no lost cent."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shared.domain.payment import Payment, Received
from shared.domain.plan import JUDGED, TRANSITIONS, Plan, PlanState
from shared.domain.plan_dates import DateRule, Frequency, Shift
from shared.domain.plan_life import activate, cancel, judge, next_look, propose, restructure
from shared.domain.plan_quote import quote, shares
from shared.domain.plan_schedule import Charges
from shared.domain.plan_terms import Debt, PlanKind, Terms
from tests.domain.agreements import PLANS, RECKONED_AT, SIGNED, TODAY, active, debt, new_plan, quoted, terms
from tests.domain.coverage_model import Watchman
from tests.domain.seeds import CALENDAR

SHORT = terms(kind=PlanKind.EQUAL, count=4, dates=DateRule(date(2026, 3, 9), Frequency.WEEKLY, shift=Shift.NONE))


def watched(plan: Plan, payments: list[Payment], on: date) -> tuple[str, date | None]:
    """What a watchman over each currency makes of it."""
    ends = []
    for schedule in plan.schedules:
        came = [
            Received(each.value_date, each.net)
            for each in payments
            if each.currency == schedule.currency and each.posted_at > plan.reckoned_at and each.net
        ]
        watchman = Watchman(schedule, [each for each in came if each.on <= on], plan.rule, on)
        ends.append((watchman.state, watchman.ended_on))
    broken = [day for state, day in ends if state == "broken"]
    if broken:
        return "broken", min(day for day in broken if day)
    if all(state == "completed" for state, _ in ends):
        return "completed", max(day for _, day in ends if day)
    return "active", None


class Desk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.today = TODAY
        self.payments: dict[str, Payment] = {}
        self.plans: list[Plan] = []

    @property
    def plan(self) -> Plan:
        return self.plans[-1]

    def hear(self) -> None:
        before = self.plan
        outcome = judge(before, self.payments.values(), self.today, "heard")
        if outcome.state.state is not before.state:
            assert outcome.state.state in TRANSITIONS[before.state].values()
            assert outcome.state.reason == "heard"
            assert outcome.announcements[-1].data["previous"] == before.state.value
        self.plans[-1] = outcome.state
        again = judge(self.plan, self.payments.values(), self.today, "again")
        assert (again.state, again.announcements) == (self.plan, ())

    @initialize(cny=st.integers(40_000, 90_000), usd=st.sampled_from([0, 0, 9_000]))
    def is_signed(self, cny: int, usd: int) -> None:
        debts = [debt(cny), *([debt(usd, "A1", "USD")] if usd else [])]
        self.plans = [active(quoted(*debts, asked=SHORT))]

    @rule(by=st.integers(1, 5))
    def days_pass(self, by: int) -> None:
        self.today += timedelta(days=by)
        self.hear()

    @rule()
    def the_timer_rings(self) -> None:
        following = next_look(self.plan, self.today)
        if following is not None and following <= self.today + timedelta(days=60):
            quiet = following - timedelta(days=1)
            if quiet > self.today:
                assert judge(self.plan, self.payments.values(), quiet, "early").state.state is self.plan.state
            self.today = following
            self.hear()

    @rule(
        share=st.sampled_from([1, 2, 4]),
        late=st.sampled_from([0, 0, 1, 5, 30]),
        place=st.sampled_from([0, 0, 1]),
    )
    def money_comes(self, share: int, late: int, place: int) -> None:
        """So many instalments' worth, in one of the currencies."""
        schedule = self.plan.schedules[min(place, len(self.plan.schedules) - 1)]
        amount = schedule.instalments[0].amount * share
        name = f"p{len(self.payments)}"
        posted_at = datetime.combine(self.today, datetime.min.time(), UTC) + timedelta(hours=2)
        value_date = self.today - timedelta(days=late)
        self.payments[name] = Payment("core", name, "A1", schedule.currency, amount, value_date, posted_at)
        self.hear()

    @precondition(lambda self: self.payments)
    @rule(pick=st.randoms())
    def money_goes_back(self, pick: random.Random) -> None:
        name = pick.choice(sorted(self.payments))
        was = self.payments[name]
        self.payments[name] = replace(
            was, reversed_amount=pick.choice([was.reversed_amount, was.amount // 2, was.amount])
        )
        self.hear()

    @precondition(lambda self: self.plan.state is PlanState.ACTIVE)
    @rule(really=st.sampled_from([False, False, False, True]))
    def it_is_cancelled(self, really: bool) -> None:
        if really:
            self.plans[-1] = cancel(self.plan, self.today, "customer").state

    @precondition(lambda self: self.plan.state is PlanState.BROKEN and not self.plan.generation)
    @rule()
    def it_is_restructured(self) -> None:
        reckoned = datetime.combine(self.today, datetime.max.time(), UTC)
        first = self.today + timedelta(days=7)
        asked = replace(SHORT, dates=DateRule(first, Frequency.WEEKLY, shift=Shift.NONE))
        made = quote("C1", (debt(40_000),), asked, PLANS, CALENDAR, reckoned, self.today)
        new = new_plan(made, plan_id=UUID(int=2), replaces=self.plan)
        running = activate(propose(new, self.plans, PLANS, self.today).state, SIGNED, PLANS, self.today).state
        old = restructure(self.plan, running, self.today).state
        self.plans = [old, running]
        self.hear()

    @invariant()
    def the_watchman_agrees(self) -> None:
        if self.plans and self.plan.state in JUDGED:
            seen = watched(self.plan, list(self.payments.values()), self.today)
            assert (self.plan.state.value, self.plan.ended_on) == seen

    @invariant()
    def it_adds_up(self) -> None:
        if not self.plans or self.plan.state not in JUDGED:
            return
        for progress, schedule in zip(self.plan.progress, self.plan.schedules, strict=True):
            came = sum(
                each.net
                for each in self.payments.values()
                if each.currency == progress.currency
                and each.posted_at > self.plan.reckoned_at
                and each.value_date <= self.today
            )
            assert progress.received == came
            assert progress.left in (0, schedule.total - came)
            assert sum(each.principal for each in schedule.instalments) == schedule.financed

    @invariant()
    def collection_stops_only_while_it_is_kept(self) -> None:
        assert all(plan.stops_collection == (plan.state is PlanState.ACTIVE) for plan in self.plans)


TestDesk = Desk.TestCase
TestDesk.settings = settings(max_examples=40, stateful_step_count=25)

facts = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from([0, 0, 3, 20]), st.integers(1, 40_000), st.booleans()), max_size=6
)


@given(rows=facts, looks=st.lists(st.integers(0, 80), max_size=6), pick=st.randoms())
@settings(max_examples=80)
def test_facts_that_arrive_late_end_as_the_same_facts_in_order(
    rows: list[tuple[int, int, int, bool]], looks: list[int], pick: random.Random
) -> None:
    payments = []
    for number, (day, late, amount, bounced) in enumerate(rows):
        posted_at = RECKONED_AT + timedelta(days=day, minutes=1 + number)
        value_date = TODAY + timedelta(days=day - late)
        back = amount if bounced else 0
        payments.append(Payment("core", f"p{number}", "A1", "CNY", amount, value_date, posted_at, back))
    end = TODAY + timedelta(days=100)
    start = active(quoted(debt(60_000), asked=SHORT))
    often, known = start, []
    pick.shuffle(payments)
    for index, day in enumerate(sorted(looks)):
        known = payments[: index + 1]
        often = judge(often, known, TODAY + timedelta(days=day), f"look {index}").state
    often = judge(often, payments, end, "end").state
    once = judge(start, sorted(payments, key=lambda each: each.posted_at), end, "end").state
    assert replace(often, reason="") == replace(once, reason="")


@given(
    amounts=st.lists(st.integers(1, 300_000), min_size=1, max_size=4),
    count=st.integers(1, 36),
    bps=st.sampled_from([0, 900]),
)
def test_shares_sum_to_every_instalment_and_stay_in_proportion(amounts: list[int], count: int, bps: int) -> None:
    debts = [Debt(f"A{index}", "CNY", debt(amount).balances) for index, amount in enumerate(amounts)]
    loose = replace(PLANS, kinds={kind: replace(rules, least={}) for kind, rules in PLANS.kinds.items()})
    asked = Terms(kind=PlanKind.HARDSHIP, instalments=count, dates=SHORT.dates, charges=Charges(bps))
    if sum(amounts) < 100 * count:
        return
    (schedule,) = quote("C1", debts, asked, loose, CALENDAR, RECKONED_AT, TODAY).schedules
    rows = shares(schedule, debts)
    given_so_far = dict.fromkeys(rows, 0)
    for index, (instalment, needed) in enumerate(zip(schedule.instalments, schedule.cumulative, strict=True)):
        assert sum(row[index] for row in rows.values()) == instalment.amount
        for one in debts:
            assert rows[one.account][index] >= 0
            given_so_far[one.account] += rows[one.account][index]
            off = given_so_far[one.account] * schedule.financed - needed * one.amount
            assert abs(off) < schedule.financed, "less than a minor unit off its proportion"
    if not bps:
        assert given_so_far == {one.account: one.amount for one in debts}
