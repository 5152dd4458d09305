"""What is told to stand in a step's way does so: without it something else becomes of the step, and not before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain.case import CaseStanding
from shared.domain.follow_up import FollowUpState, OnRecord, Outlook, Stop, Timetable, plan
from shared.domain.prospect import Code, Shortfall, prospects
from tests.domain.seeds import CALENDAR, POLICY

TIMETABLE = Timetable(POLICY, CALENDAR)
ANCHOR = date(2026, 4, 20)
LADDER = POLICY.ladder_for("standard")
STEPS = [step.id for step in LADDER]
START = datetime(2026, 4, 24, tzinfo=UTC)  # 08:00 in Shanghai, four days past due
TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)


def standing(at=START, anchor=ANCHOR, amount=600_000):
    return CaseStanding(at, anchor, {"CNY": amount} if anchor else {}, "standard")


def outlook(standings=None, record=None, stops=()):
    return Outlook(TIMETABLE, "Asia/Shanghai", standings or [standing()], stops, record or {})


def seen(facts, now, reasons=None):
    """By step, of the facts that are known at ``now``."""
    known = facts._replace(
        standings=[each for each in facts.standings if each.at <= now],
        stops=tuple(stop for stop in facts.stops if stop.since <= now),
    )
    return {each.step.id: each for each in prospects(known, plan(known, now), now, reasons or {})}


def codes(prospect):
    return [obstacle.code for obstacle in prospect.obstacles]


@dataclass(frozen=True)
class Situation:
    standings: list
    record: dict
    stops: tuple
    now: datetime

    def __iter__(self):
        return iter((outlook(self.standings, self.record, self.stops), self.now))


@st.composite
def situations(draw):
    """A case with part payments and new dues, stops, and some steps on record; and an instant to look at it."""
    at, standings = START, [standing(amount=draw(st.sampled_from([1, 9_999, 10_000, 49_999, 600_000])))]
    for _ in range(draw(st.integers(0, 3))):
        at += timedelta(days=draw(st.integers(1, 40)))
        anchor = draw(st.sampled_from([ANCHOR, ANCHOR + timedelta(days=30), None]))
        if anchor is not None and anchor > at.date() - timedelta(days=4):
            anchor = ANCHOR
        standings.append(standing(at, anchor, draw(st.sampled_from([1, 9_999, 499_999, 600_000]))))
    stops = []
    for _ in range(draw(st.integers(0, 2))):
        since = START + timedelta(hours=draw(st.integers(0, 4_000)))
        until = draw(st.none() | st.integers(1, 60).map(lambda days, since=since: since + timedelta(days=days)))
        stops.append(Stop(since, until, draw(st.sampled_from(["promise", "hardship"]))))
    record = {}
    for step in draw(st.lists(st.sampled_from(STEPS), max_size=4, unique=True)):
        state = draw(st.sampled_from(list(FollowUpState)))
        put_off = START + timedelta(days=draw(st.integers(0, 100))) if state is FollowUpState.DEFERRED else None
        record[step, ANCHOR] = OnRecord(state, put_off)
    now = max(at, START) + timedelta(hours=draw(st.integers(0, 4_500)))
    return Situation(standings, record, tuple(stops), now)


def of(code, facts, now):
    return [
        (each, obstacle) for each in seen(facts, now).values() for obstacle in each.obstacles if obstacle.code is code
    ]


@settings(max_examples=60, deadline=None)
@given(situations())
def test_a_step_that_asks_for_more_applies_from_the_last_minor_unit_that_is_missing(situation):
    facts, now = situation
    for before, obstacle in of(Code.TOO_LITTLE, facts, now):
        for short in obstacle.short:

            def owing(amount, short=short):
                last = facts.standings[-1]
                more = replace(last, past_due={**last.past_due, short.currency: amount})
                return seen(facts._replace(standings=[*facts.standings[:-1], more]), now)

            enough = short.past_due + short.missing
            assert owing(enough)[before.step.id].outcome != "not_applicable"
            assert owing(enough - 1)[before.step.id].outcome == "not_applicable"


@settings(max_examples=60, deadline=None)
@given(situations(), st.data())
def test_a_held_step_goes_on_without_its_stops_and_with_one_of_them_left_it_is_not_done(situation, data):
    facts, now = situation
    held = [each for each in seen(facts, now).values() if each.outcome == "held" or each.reason == "held"]
    for before in held:
        named = [obstacle.stop for obstacle in before.obstacles]
        assert named
        free = [stop for stop in facts.stops if stop not in named]
        after = seen(facts._replace(stops=tuple(free)), now)[before.step.id]
        assert (after.outcome, after.reason) != (before.outcome, before.reason)
        left = data.draw(st.sampled_from(named))
        still = seen(facts._replace(stops=(*free, left)), now)[before.step.id]
        assert still.outcome not in ("due_now", "next")


@settings(max_examples=60, deadline=None)
@given(situations())
def test_a_step_to_come_comes_at_the_instant_told_and_not_before(situation):
    facts, now = situation
    for before, obstacle in of(Code.NOT_YET, facts, now):
        assert obstacle.until is not None
        assert obstacle.until == before.at > now
        known = facts._replace(  # as it was told; what begins later nobody knew
            standings=[each for each in facts.standings if each.at <= now],
            stops=tuple(stop for stop in facts.stops if stop.since <= now),
        )
        assert seen(known, obstacle.until - TICK)[before.step.id].outcome in ("next", "later")
        assert seen(known, obstacle.until)[before.step.id].outcome in ("due_now", "passed_over")


@settings(max_examples=60, deadline=None)
@given(situations())
def test_a_step_passed_over_would_have_been_done_up_to_the_instant_told(situation):
    facts, now = situation
    for before, obstacle in of(Code.OVERTAKEN, facts, now):
        if before.outcome != "passed_over" or (before.step.id, before.anchor) in facts.record:
            continue
        assert obstacle.step in STEPS
        if before.reason == "overtaken":
            assert obstacle.until is None
            continue
        assert obstacle.until is not None
        just_before = obstacle.until - TICK
        stopped = any(s.since <= just_before and (s.until is None or just_before < s.until) for s in facts.stops)
        assume(not stopped)
        assert seen(facts, just_before)[before.step.id].outcome == "due_now"


@settings(max_examples=60, deadline=None)
@given(situations())
def test_every_step_that_is_not_done_now_says_why(situation):
    facts, now = situation
    for step, prospect in seen(facts, now).items():
        assert (prospect.obstacles == ()) is (prospect.outcome == "due_now"), (step, prospect.outcome)
        assert prospect.at >= prospect.due_at


def test_how_much_is_missing_is_told_in_each_currency():
    facts = outlook([CaseStanding(START, ANCHOR, {"CNY": 9_000}, "standard")])
    (obstacle,) = seen(facts, START)["m1-call"].obstacles
    assert obstacle.short == (Shortfall("CNY", 9_000, 10_000),)
    assert obstacle.short[0].missing == 1_000


def test_the_step_that_goes_in_its_place_is_named():
    now = START + timedelta(days=4)  # the second text, three days after the first
    first = seen(outlook(), now)["m1-first-sms"]
    assert (first.outcome, first.reason) == ("passed_over", "late")
    (obstacle,) = first.obstacles
    assert (obstacle.code, obstacle.step) == (Code.OVERTAKEN, "m1-second-sms")
    recorded = outlook(
        record={
            ("m1-first-sms", ANCHOR): OnRecord(FollowUpState.PASSED_OVER),
            ("m1-second-sms", ANCHOR): OnRecord(FollowUpState.DONE),
        }
    )
    later = seen(recorded, now + DAY, {("m1-first-sms", ANCHOR): "late"})["m1-first-sms"]
    assert [(each.code, each.step, each.state) for each in later.obstacles] == [
        (Code.ON_RECORD, None, FollowUpState.PASSED_OVER),
        (Code.OVERTAKEN, "m1-second-sms", None),
    ]


def test_a_promise_and_a_deferral_are_told_with_their_ends():
    promise = Stop(START, START + 9 * DAY, "promise")
    put_off = START + 5 * DAY
    facts = outlook(record={("m1-first-sms", ANCHOR): OnRecord(FollowUpState.DEFERRED, put_off)}, stops=(promise,))
    waiting = seen(facts, START)["m1-first-sms"]
    assert [(each.code, each.until) for each in waiting.obstacles] == [
        (Code.NOT_YET, promise.until),
        (Code.DEFERRED, put_off),
        (Code.STOPPED, promise.until),
    ]
    assert waiting.obstacles[-1].stop == promise


def test_a_step_taken_on_an_older_due_comes_again_in_the_next_episode():
    newer = ANCHOR + timedelta(days=30)
    standings = [standing(), standing(START + 40 * DAY, newer)]
    now = START + 41 * DAY
    taken = seen(outlook(standings), now)["m1-first-sms"]
    assert (taken.outcome, codes(taken), taken.obstacles[0].anchor) == (
        "already_taken",
        [Code.TAKEN_BEFORE],
        ANCHOR,
    )
    cured = [standing(), standing(START + 39 * DAY, None), standing(START + 40 * DAY, newer)]
    assert seen(outlook(cured), now)["m1-first-sms"].outcome != "already_taken"


def test_a_step_that_was_due_on_what_is_over_says_since_when():
    standings = [standing(), standing(START + 2 * DAY, amount=500_000)]
    over = seen(outlook(standings), START + 2 * DAY)["m1-first-sms"]
    assert (over.outcome, over.reason) == ("passed_over", "moot")
    assert [(each.code, each.until) for each in over.obstacles] == [(Code.STANDING_OVER, START + 2 * DAY)]


@pytest.mark.parametrize("standings", [[], [standing(anchor=None)]])
def test_where_nothing_is_past_due_there_is_nothing_to_tell(standings):
    facts = Outlook(TIMETABLE, "Asia/Shanghai", standings, (), {})
    assert list(prospects(facts, plan(facts, START), START, {})) == []
