"""Until when follow-ups wait is a list of facts; from it follow the times in which nothing is due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.follow_up import Stop
from shared.domain.waiting import PROMISE, Wait, following, stops

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
