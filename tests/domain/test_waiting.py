"""How long follow-ups wait is a list of facts; from it follow the times in which nothing is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.case import CaseStanding
from shared.domain.follow_up import Stop
from shared.domain.hold import Hold, HoldKind
from shared.domain.waiting import PROMISE, Wait, following, stops, stops_by_accounts

START = datetime(2026, 7, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def test_nothing_is_put_on_record_while_nothing_is_promised() -> None:
    assert following(None, day(1), None) is None


def test_what_the_clock_ended_needs_no_fact() -> None:
    assert following(Wait(day(1), day(3)), day(3), None) is None
    assert following(Wait(day(1), day(3)), day(2), None) == Wait(day(2), None)


def test_a_wait_ends_by_itself_or_when_the_next_fact_says_so() -> None:
    assert stops([Wait(day(1), day(9)), Wait(day(3), None), Wait(day(5), day(7))]) == [
        Stop(day(1), day(3), PROMISE),
        Stop(day(5), day(7), PROMISE),
    ]


def test_a_wait_that_is_replaced_at_its_own_instant_never_was() -> None:
    assert stops([Wait(day(1), day(9)), Wait(day(1), None)]) == []


@given(st.lists(st.tuples(st.integers(0, 3), st.none() | st.integers(0, 20)), max_size=12))
def test_the_stops_say_at_every_instant_what_was_last_decided(decisions: list[tuple[int, int | None]]) -> None:
    """However often it is decided the same again: the record is shorter, the stops are those of all decisions."""
    at, last, record, asked = 0, None, [], []
    for step, until in decisions:
        at += step
        wanted = None if until is None else day(until)
        asked.append((day(at), wanted))
        fact = following(last, day(at), wanted)
        if fact is not None:
            record.append(fact)
            last = fact
    assert len(record) <= len(decisions)
    for number in range(40):
        instant = day(number) + timedelta(hours=1)
        before = [until for decided_at, until in asked if decided_at <= instant]
        waiting = bool(before) and before[-1] is not None and instant < before[-1]
        assert any(stop.since <= instant < (stop.until or instant) for stop in stops(record)) == waiting


def standing(number: int, *held: str) -> CaseStanding:
    return CaseStanding(day(number), START.date(), {"CNY": 50_000}, "standard", "Asia/Shanghai", held)


def hold(account: str, begin: int, end: int | None = None, *, lifted: int | None = None) -> Hold:
    ends = [None if number is None else day(number) for number in (end, lifted)]
    return Hold(f"{account} {begin}", "C1", account, HoldKind.DISPUTE, "disputed", day(begin), *ends)


def test_where_something_overdue_is_not_held_no_hold_on_an_account_stops_anything() -> None:
    assert stops_by_accounts([standing(0)], [hold("A1", 0)]) == []


def test_what_all_is_held_is_free_when_the_first_hold_is_over_or_something_else_is_overdue() -> None:
    both = [hold("A1", 0, 9, lifted=7), hold("A2", 1)]
    assert stops_by_accounts([standing(2, "A1", "A2")], both) == [Stop(day(2), day(7), "dispute", "A1 0")]
    assert stops_by_accounts([standing(2, "A1", "A2"), standing(5)], both) == [Stop(day(2), day(5), "dispute", "A1 0")]


def test_one_hold_may_follow_another_on_the_same_account() -> None:
    one_after_the_other = [hold("A1", 0, 4), hold("A1", 3, 6), hold("A1", 8)]
    assert stops_by_accounts([standing(1, "A1")], one_after_the_other) == [
        Stop(day(1), day(4), "dispute", "A1 0"),
        Stop(day(3), day(6), "dispute", "A1 3"),
        Stop(day(8), None, "dispute", "A1 8"),
    ]


@given(
    st.lists(st.tuples(st.sampled_from(("A1", "A2")), st.integers(0, 9), st.none() | st.integers(1, 9)), max_size=6),
    st.lists(st.sampled_from(((), ("A1",), ("A1", "A2"))), min_size=1, max_size=4),
)
def test_stopped_is_when_each_account_of_the_standing_is_held(
    drawn: list[tuple[str, int, int | None]], accounts: list[tuple[str, ...]]
) -> None:
    holds = [hold(account, begin, None if length is None else begin + length) for account, begin, length in drawn]
    standings = [standing(3 * index, *held) for index, held in enumerate(accounts)]
    found = stops_by_accounts(standings, holds)
    for number in range(3 * len(standings) + 3):
        held = accounts[min(number // 3, len(standings) - 1)]
        active = {one.account_id for one in holds if one.active_at(day(number))}
        stopped = any(stop.since <= day(number) and (stop.until is None or day(number) < stop.until) for stop in found)
        assert stopped is (bool(held) and active >= set(held))
