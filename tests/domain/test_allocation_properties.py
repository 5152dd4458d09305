"""Facts in any order end as the same facts in order, as a patient clerk would have laid them, to the last cent."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shared.domain.account import Due, MoneySince, stand
from shared.domain.allocation import AllocationRules, Replayed, replay
from shared.domain.allocation_entries import (
    ChargeOffEntry,
    DisputeEndEntry,
    DisputeEntry,
    Entry,
    Part,
    PaymentEntry,
    ReversalEntry,
    SnapshotEntry,
    WaiverEntry,
)
from shared.domain.allocation_scheme import scheme_of
from shared.domain.calendar import local_date
from shared.domain.policy import COMPONENTS, Grace
from tests.domain.allocation_model import Clerk
from tests.domain.seeds import POLICY

SCHEME = scheme_of(POLICY)
RULES = AllocationRules(SCHEME, Grace(3, {"CNY": 2}), "CNY", "Asia/Shanghai")
DAY_0 = date(2026, 1, 1)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = 150  # days, so that the switch at the 91st is met

days = st.integers(0, SPAN)
instants = st.integers(0, SPAN * 4).map(lambda quarter: BEGIN + timedelta(hours=6 * quarter))
small = st.integers(1, 40)
parts = st.lists(
    st.builds(Part, st.sampled_from(COMPONENTS), st.integers(0, 30), st.booleans()), min_size=1, max_size=6
).map(tuple)


@st.composite
def snapshots(draw: st.DrawFn, sequence: int) -> SnapshotEntry:
    cutoff_at = BEGIN + timedelta(days=30 * sequence + draw(st.integers(-40, 10)))
    unpaid = draw(st.lists(st.integers(0, 12), max_size=4))
    dues = tuple(Due(DAY_0 - timedelta(days=31 * (3 - index)), 12, amount) for index, amount in enumerate(unpaid))
    return SnapshotEntry(sequence, cutoff_at, draw(parts), dues)


@st.composite
def payments(draw: st.DrawFn, number: int) -> PaymentEntry:
    posted_at = draw(instants)
    value_date = posted_at.date() - timedelta(days=draw(st.sampled_from([0, 0, 0, 1, 40, 95])))
    return PaymentEntry("core", f"p{number}", draw(small), value_date, posted_at)


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Any facts at all: payments of nothing, reversals of more than was paid, disputes that end before they begin."""
    entries: list[Entry] = [draw(snapshots(n)) for n in range(draw(st.integers(0, 4)))]
    count = draw(st.integers(0, 8))
    entries += [draw(payments(number)) for number in range(count)]
    for number in range(draw(st.integers(0, 4))):
        of = f"p{draw(st.integers(0, count))}"
        entries.append(ReversalEntry("core", f"r{number}", of, draw(small), draw(instants)))
    for number in range(draw(st.integers(0, 2))):
        component = draw(st.sampled_from(COMPONENTS))
        entries.append(DisputeEntry(f"d{number}", component, draw(small), draw(instants), draw(st.booleans())))
        if draw(st.booleans()):
            entries.append(DisputeEndEntry(f"d{number}", draw(instants)))
    for number in range(draw(st.integers(0, 2))):
        entries.append(WaiverEntry(f"w{number}", draw(st.sampled_from(COMPONENTS)), draw(small), draw(instants)))
    if draw(st.booleans()):
        entries.append(ChargeOffEntry(draw(instants)))
    return entries


def adds_up(result: Replayed) -> None:
    for line in result.lines:
        assert sum(share.amount for share in line.shares) + line.to_credit == line.amount
        assert all(share.amount > 0 for share in line.shares)
    for period in result.periods:
        assert period.opening - period.waived + period.given_back - period.paid + period.credit == period.closing
        own = [line for line in result.lines if line.sequence == period.sequence]
        assert sum(line.amount for line in own if line.kind == "payment") == period.paid
        assert sum(line.amount for line in own if line.kind == "given_back") == period.given_back
        assert sum(line.amount for line in own if line.kind == "waiver") == period.waived
    assert all(0 <= part.disputed <= part.owed for part in result.parts)
    if result.periods:
        assert (result.owed, result.credit) == (result.periods[-1].closing, result.periods[-1].credit)
    assert not (result.credit and result.payable), "credit lies idle beside a debt"


@given(entries=histories(), seed=st.integers(0, 2**32))
@settings(max_examples=80)
def test_the_order_of_arrival_does_not_matter_and_no_cent_is_lost(entries: list[Entry], seed: int) -> None:
    shuffled = [*entries, *entries[:2]]
    random.Random(seed).shuffle(shuffled)
    result = replay(shuffled, RULES)
    assert result == replay(sorted(entries, key=lambda each: (each.at, each.key)), RULES)
    adds_up(result)


@given(entries=histories())
@settings(max_examples=80)
def test_a_patient_clerk_comes_to_the_same(entries: list[Entry]) -> None:
    result, clerk = replay(entries, RULES), Clerk(entries, RULES)
    owed = {(part.component, part.billed): part.owed for part in result.parts}
    assert owed == {part: amount for part, amount in clerk.owed.items() if amount}
    assert result.credit == clerk.credit
    standing = stand(clerk.dues, clerk.since) if result.periods else stand((), MoneySince())
    assert (result.past_due, result.oldest_due) == (standing.past_due, standing.oldest_due)


@given(entries=histories(), more=payments(99))
@settings(max_examples=80)
def test_more_payment_never_means_a_worse_standing(entries: list[Entry], more: PaymentEntry) -> None:
    before, after = replay(entries, RULES), replay([*entries, more], RULES)
    assert after.owed <= before.owed
    assert after.payable - after.credit <= before.payable - before.credit
    assert after.past_due <= before.past_due
    assert (after.oldest_due or date.max) >= (before.oldest_due or date.max)


@given(entries=histories(), at=instants)
@settings(max_examples=40)
def test_as_of_a_day_is_what_was_there_by_that_day(entries: list[Entry], at: datetime) -> None:
    assert replay(entries, RULES, as_of=at) == replay([each for each in entries if each.at <= at], RULES)


class Ledger(RuleBasedStateMachine):
    """Core banking tells what happens, late, twice and out of order; the replay agrees with the account's standing and
    with the clerk after every word."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: list[Entry] = []
        self.posted: list[PaymentEntry] = []
        self.sequence = 0
        self.now = BEGIN

    @initialize(first=snapshots(0))
    def is_reported(self, first: SnapshotEntry) -> None:
        self.arrived.append(first)

    @rule(by=st.integers(1, 30))
    def time_passes(self, by: int) -> None:
        self.now += timedelta(days=by)

    @rule(opening=parts, unpaid=st.lists(st.integers(0, 12), max_size=3), late=st.integers(0, 20))
    def the_account_is_reported_again(self, opening: tuple[Part, ...], unpaid: list[int], late: int) -> None:
        self.sequence += 1
        on = self.now.date()
        dues = tuple(Due(on - timedelta(days=31 * (3 - n)), 12, amount) for n, amount in enumerate(unpaid))
        self.arrived.append(SnapshotEntry(self.sequence, self.now - timedelta(days=late), opening, dues))

    @rule(amount=small, late=st.sampled_from([0, 0, 3, 35, 92]))
    def money_comes(self, amount: int, late: int) -> None:
        value_date = self.now.date() - timedelta(days=late)
        self.posted.append(PaymentEntry("core", f"p{len(self.posted)}", amount, value_date, self.now))
        self.arrived.append(self.posted[-1])

    @rule(number=st.integers(0, 9), amount=small)
    def money_goes_back(self, number: int, amount: int) -> None:
        name = f"r{len(self.arrived)}"
        self.arrived.append(ReversalEntry("core", name, f"p{number}", amount, self.now))

    @rule(component=st.sampled_from(COMPONENTS), amount=small)
    def the_customer_disputes(self, component: str, amount: int) -> None:
        self.arrived.append(DisputeEntry(f"d{len(self.arrived)}", component, amount, self.now))

    @rule(pick=st.randoms())
    def a_dispute_ends(self, pick: random.Random) -> None:
        ended = {each.dispute_id for each in self.arrived if isinstance(each, DisputeEndEntry)}
        open_ = [d for d in self.arrived if isinstance(d, DisputeEntry) and d.dispute_id not in ended]
        if open_:
            self.arrived.append(DisputeEndEntry(pick.choice(open_).dispute_id, self.now))

    @rule(pick=st.randoms())
    def something_is_told_twice_or_arrives_before_what_came_first(self, pick: random.Random) -> None:
        self.arrived.append(replace(pick.choice(self.arrived)))
        pick.shuffle(self.arrived)

    @invariant()
    def it_adds_up_and_agrees_with_the_clerk(self) -> None:
        if not self.arrived:
            return
        result, clerk = replay(self.arrived, RULES), Clerk(self.arrived, RULES)
        adds_up(result)
        owed = {(part.component, part.billed): part.owed for part in result.parts}
        assert owed == {part: amount for part, amount in clerk.owed.items() if amount}
        assert (result.credit, result.past_due) == (clerk.credit, stand(clerk.dues, clerk.since).past_due)

    @invariant()
    def the_dues_are_those_of_the_accounts_standing(self) -> None:
        chain = [each for each in self.arrived if isinstance(each, SnapshotEntry)]
        if not chain:
            return
        newest = max(chain, key=lambda each: each.sequence)
        came_back = [
            (max(r.reversed_at, p.posted_at), p, r.amount)
            for p in self.posted
            for r in {e for e in self.arrived if isinstance(e, ReversalEntry) and e.payment == p.payment}
        ]
        if any(sum(a for _, q, a in came_back if q is p) > p.amount for p in self.posted):
            return  # intake refuses such a reversal
        inside = newest.cutoff_at
        paid = sum(p.amount for p in self.posted if p.posted_at > inside)
        paid -= sum(amount for _, p, amount in came_back if p.posted_at > inside)
        back = [(at, amount) for at, p, amount in came_back if p.posted_at <= inside < at]
        on = max((local_date(at, RULES.zone) for at, _ in back), default=None)
        standing = stand(newest.dues, MoneySince(paid, sum(amount for _, amount in back), on))
        result = replay(self.arrived, RULES)
        assert (result.past_due, result.oldest_due) == (standing.past_due, standing.oldest_due)
        assert result.estimated == standing.estimated


TestLedger = Ledger.TestCase
TestLedger.settings = settings(max_examples=30, stateful_step_count=25)
