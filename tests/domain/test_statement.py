"""A statement explains itself: its entries sum to what is owed, to the cent, and the past can be asked in two ways."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.account import Due, MoneySince, stand
from shared.domain.allocation_entries import (
    ChargeOffEntry,
    DisputeEndEntry,
    DisputeEntry,
    Entry,
    Part,
    PaymentEntry,
    ReversalEntry,
    SnapshotEntry,
)
from shared.domain.calendar import local_date
from shared.domain.policy import Grace
from shared.domain.statement import Statement, Subject, statement_of
from shared.domain.statement_facts import Question, Told
from tests.domain import seeds
from tests.domain.test_allocation_properties import histories, instants

POLICY = replace(seeds.POLICY, grace=Grace(3, {"CNY": 2}))
ZONE = "Asia/Shanghai"
SUBJECT = Subject("A-1", "CNY")
LATER = datetime(2027, 6, 1, tzinfo=UTC)  # everything in the histories has happened and is known
ARRIVALS = [timedelta(0), timedelta(hours=1), timedelta(days=3), timedelta(days=40)]


def ask(told: list[Told], known_at: datetime = LATER, on: date | None = None) -> Statement | None:
    day = local_date(known_at, ZONE) if on is None else on
    return statement_of(SUBJECT, told, Question(day, known_at, ZONE), POLICY)


@st.composite
def arrivals(draw: st.DrawFn) -> list[Told]:
    """A history with when each fact reached us, some of it late."""
    return [Told(entry, entry.at + draw(st.sampled_from(ARRIVALS))) for entry in draw(histories())]


def day_of(at: datetime) -> date:
    return local_date(at, ZONE)


@given(told=arrivals(), at=instants)
@settings(max_examples=120)
def test_the_entries_sum_to_what_is_owed(told: list[Told], at: datetime) -> None:
    for statement in (ask(told), ask(told, at), ask(told, on=day_of(at))):
        if statement is None:
            continue
        assert statement.entries is not None
        assert sum(each.change for each in statement.entries) == statement.owed.total
        assert statement.payable == statement.owed.total - statement.disputed.total
        assert statement.past_due == sum(due.unpaid for due in statement.dues)
        assert 0 <= statement.to_bring_current <= statement.due <= statement.past_due
        for entry in statement.entries:
            if entry.kind == "payment" and entry.counts:
                assert sum(share.amount for share in entry.shares) + entry.to_credit == entry.amount
                assert sum(share.amount for share in entry.dues) + entry.beyond_dues == entry.amount


@given(told=arrivals(), at=instants)
@settings(max_examples=120)
def test_the_entries_cover_the_dues_as_the_dues_stand(told: list[Told], at: datetime) -> None:
    statement = ask(told, at)
    if statement is None:
        return
    assert statement.entries is not None
    last = max(n for n, e in enumerate(statement.entries) if e.kind == "snapshot" and e.counts)
    since = [each for each in statement.entries[last + 1 :] if each.counts]
    covered = sum(share.amount for each in since if each.kind == "payment" for share in each.dues)
    back = sum(share.amount for each in since if each.kind == "given_back" for share in each.dues)
    reported = sum(share.amount for share in statement.entries[last].dues)
    assert reported + back - covered >= statement.past_due  # what was paid beyond the dues covers what comes back later
    assert statement.past_due == max(0, reported + gave(since) - paid(since))


def gave(entries) -> int:
    return sum(each.amount for each in entries if each.kind == "given_back")


def paid(entries) -> int:
    return sum(each.amount for each in entries if each.kind == "payment")


@given(told=arrivals(), at=instants)
@settings(max_examples=80)
def test_today_is_the_plain_statement_and_known_now_is_as_it_was(told: list[Told], at: datetime) -> None:
    assert ask(told, at, day_of(at)) == ask(told, at)
    by_then = [each for each in told if each.told_at <= at]
    for days in (0, 1, 30):
        on = day_of(at) - timedelta(days=days)
        assert ask(told, at, on) == ask(by_then, at, on)


@given(told=arrivals(), at=instants, seed=st.integers(0, 2**32))
@settings(max_examples=80)
def test_late_facts_end_as_facts_in_order_while_what_we_knew_stays(told: list[Told], at: datetime, seed: int) -> None:
    on = day_of(at)
    late = list(told)
    random.Random(seed).shuffle(late)
    punctual = [Told(each.entry, each.entry.at) for each in sorted(told, key=lambda each: each.entry.at)]
    assert figures(ask(late, on=on)) == figures(ask(punctual, on=on))
    knew = ask([each for each in told if each.told_at <= at], at)
    assert ask(late, at) == knew  # whatever arrived since


def figures(statement: Statement | None) -> Statement | None:
    """All but when we learned of things."""
    if statement is None:
        return None
    return replace(statement, entries=tuple(replace(each, told_at=None) for each in statement.entries or ()))


@given(told=arrivals(), at=instants)
@settings(max_examples=60)
def test_the_dues_are_those_of_the_account_itself(told: list[Told], at: datetime) -> None:
    statement = ask(told, at)
    if statement is None:
        return
    assert statement.entries is not None
    newest = next(
        t.entry for t in told if isinstance(t.entry, SnapshotEntry) and t.entry.sequence == statement.sequence
    )
    last = max(n for n, e in enumerate(statement.entries) if e.kind == "snapshot" and e.counts)
    since = [each for each in statement.entries[last + 1 :] if each.counts]
    on = max((each.on for each in since if each.kind == "given_back"), default=None)
    assert statement.dues == stand(newest.dues, MoneySince(paid(since), gave(since), on)).dues


# One account, told as a story.

REPORTED = datetime(2026, 3, 1, 16, tzinfo=UTC)  # midnight of 2 March in Shanghai
DUES = (Due(date(2026, 1, 20), 100, 60), Due(date(2026, 2, 20), 100, 100), Due(date(2026, 3, 20), 100, 100))
REPORT = SnapshotEntry(1, REPORTED, (Part("principal", 1_000), Part("interest", 40), Part("fees", 10)), DUES)
MARCH_10 = datetime(2026, 3, 10, 4, tzinfo=UTC)


def at_once(*entries: Entry) -> list[Told]:
    return [Told(each, each.at) for each in entries]


def pay(amount: int, at: datetime, value: date | None = None, name: str = "p1") -> PaymentEntry:
    return PaymentEntry("core", name, amount, value or day_of(at), at)


def test_what_brings_the_account_current_grows_with_the_dues_that_come():
    told = at_once(REPORT)
    today = ask(told, MARCH_10)
    assert (today.due, today.to_bring_current, today.past_due, today.days_past_due) == (160, 160, 260, 49)
    by_then = ask(told, MARCH_10, date(2026, 3, 20))
    assert (by_then.to_bring_current, by_then.days_past_due, by_then.owed.total) == (260, 59, 1_050)


def test_each_payment_says_which_parts_and_which_dues_it_covered():
    statement = ask(at_once(REPORT, pay(110, MARCH_10)), MARCH_10 + timedelta(days=1))
    report, payment = statement.entries
    assert (report.change, report.owed, payment.change, payment.owed) == (1_050, 1_050, -110, 940)
    assert {share.component: share.amount for share in payment.shares} == {"interest": 40, "fees": 10, "principal": 60}
    assert [(share.due_date, share.amount) for share in payment.dues] == [
        (DUES[0].due_date, 60),
        (DUES[1].due_date, 50),
    ]
    assert (statement.owed.principal, statement.to_bring_current) == (940, 50)


def test_a_payment_that_came_late_is_in_the_past_as_it_was_and_not_in_what_we_knew():
    late = Told(pay(110, MARCH_10 + timedelta(days=8), date(2026, 3, 5)), MARCH_10 + timedelta(days=8))
    told = [*at_once(REPORT), late]
    as_it_was = ask(told, on=date(2026, 3, 10))
    as_known = ask(told, MARCH_10)
    assert (as_it_was.owed.total, as_it_was.days_past_due) == (940, 18)
    assert (as_known.owed.total, as_known.days_past_due) == (1_050, 49)


def test_nothing_is_asked_of_what_is_disputed():
    dispute = DisputeEntry("d1", "principal", 940, MARCH_10)
    told = at_once(REPORT, dispute)
    statement = ask(told, MARCH_10)
    assert (statement.disputed.principal, statement.payable) == (940, 110)
    assert (statement.due, statement.to_bring_current) == (160, 110)
    over = ask([*told, *at_once(DisputeEndEntry("d1", MARCH_10 + timedelta(days=2)))], MARCH_10 + timedelta(days=3))
    assert (over.payable, over.to_bring_current) == (1_050, 160)
    assert [each.kind for each in over.entries or ()] == ["snapshot", "dispute", "dispute_end"]


def test_a_payment_taken_back_is_owed_again_and_a_reversal_without_payment_counts_for_nothing():
    back = ReversalEntry("core", "r1", "p1", 110, MARCH_10 + timedelta(days=9))
    newer = replace(REPORT, sequence=2, cutoff_at=MARCH_10 + timedelta(days=5), parts=(Part("principal", 940),))
    told = at_once(REPORT, pay(110, MARCH_10), newer, back, ReversalEntry("core", "r2", "none", 5, back.reversed_at))
    statement = ask(told, MARCH_10 + timedelta(days=10))
    kinds = [(each.kind, each.change, each.counts) for each in statement.entries]
    assert kinds[:3] == [("snapshot", 1_050, True), ("payment", -110, True), ("snapshot", 0, True)]
    assert {("given_back", 110, True), ("reversal", 0, False)} <= set(kinds)
    assert statement.owed.total == 1_050


def test_what_turned_out_to_be_nothing_is_still_in_what_we_knew():
    came, gone = MARCH_10, MARCH_10 + timedelta(days=2)
    told = [*at_once(REPORT), Told(ReversalEntry("core", "r1", "p1", 9, came), came, gone)]
    assert [each.kind for each in ask(told, gone - timedelta(hours=1)).entries] == ["snapshot", "reversal"]
    assert [each.kind for each in ask(told, gone).entries] == ["snapshot"]


def test_after_the_charge_off_what_comes_in_is_recovery_and_a_closed_account_is_current_while_it_is_closed():
    told = at_once(REPORT, ChargeOffEntry(MARCH_10), pay(50, MARCH_10 + timedelta(days=1)))
    statement = ask(told, MARCH_10 + timedelta(days=2))
    assert (statement.charged_off, statement.recovered, statement.entries[-1].recovery) == (True, 50, True)
    closed = Subject("A-1", "CNY", ((MARCH_10, MARCH_10 + timedelta(days=1)),))
    for at, bucket in ((MARCH_10 - timedelta(hours=1), "M2"), (MARCH_10, "M0"), (MARCH_10 + timedelta(days=1), "M2")):
        asked = statement_of(closed, told, Question(day_of(at), at, ZONE), POLICY)
        assert asked.bucket == bucket, at


def test_before_anything_was_reported_there_is_nothing_to_say():
    assert ask(at_once(pay(5, MARCH_10))) is None
    assert ask(at_once(REPORT), on=date(2026, 3, 1)) is None
    assert ask(at_once(REPORT), REPORTED - timedelta(seconds=1)) is None


def test_figures_alone_leave_the_entries_out():
    plain = statement_of(
        SUBJECT, at_once(REPORT), Question(date(2026, 3, 10), MARCH_10, ZONE), POLICY, with_entries=False
    )
    assert plain.entries is None
