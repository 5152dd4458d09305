from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.complaint import (
    TRANSITIONS,
    Clock,
    ClockEvent,
    ComplaintAction,
    ComplaintState,
    Complexity,
    Extension,
    ExtensionRefused,
    IllegalTransition,
    complaint_rules,
    deadlines,
    extend,
    timers,
    transition,
)
from shared.domain.contact import ContactFacts, HoldFact, Outcome, Proposal, decide, parse_rules
from shared.domain.hold import EFFECTS, HoldKind
from tests.domain.seeds import china_pack

CHINA = complaint_rules("CN")
BEIJING = ZoneInfo("Asia/Shanghai")
RECEIVED = datetime(2026, 11, 20, 9, tzinfo=BEIJING)


def due(complexity=Complexity.SIMPLE, zone="Asia/Shanghai"):
    return deadlines(RECEIVED, complexity, zone, CHINA)


def test_scenario_12_an_objection_stops_dunning_and_starts_three_possible_clocks():
    holds = tuple(
        HoldFact(kind.value, EFFECTS[kind].allowed_purposes) for kind in (HoldKind.OBJECTION, HoldKind.COMPLAINT)
    )
    facts = ContactFacts("Asia/Shanghai", "CN", "contract", holds=holds)
    call = Proposal("phone", "dunning", datetime(2026, 11, 24, 10, tzinfo=BEIJING), "c-1", "p-1")
    decision = decide(call, facts, parse_rules(china_pack()))
    assert (decision.outcome, decision.release) == (Outcome.FORBID, "hold released: objection")
    assert [due(each).answer_on for each in Complexity] == [date(2026, 12, 5), date(2026, 12, 20), date(2027, 1, 19)]


def test_the_last_day_is_used_to_its_end_where_the_customer_lives():
    assert due().answer_by == datetime(2026, 12, 6, tzinfo=BEIJING)
    assert due().acknowledge_by == datetime(2026, 11, 23, tzinfo=BEIJING)
    assert due(zone="America/New_York").answer_on == date(2026, 12, 4)  # it was the evening of the 19th there


@pytest.mark.parametrize(
    ("path", "state"),
    [
        ("acknowledge respond resolve", ComplaintState.RESOLVED),
        ("respond resolve", ComplaintState.RESOLVED),
        ("acknowledge escalate respond resolve", ComplaintState.RESOLVED),
        ("respond resolve escalate", ComplaintState.ESCALATED),
        ("escalate", ComplaintState.ESCALATED),
    ],
)
def test_a_complaint_takes_its_way(path, state):
    reached = ComplaintState.RECEIVED
    for action in path.split():
        reached = transition(reached, ComplaintAction(action))
    assert reached is state


@given(st.sampled_from(ComplaintState), st.sampled_from(ComplaintAction))
def test_what_the_table_does_not_name_is_refused_with_what_is_possible(state, action):
    if action in TRANSITIONS[state]:
        assert transition(state, action) is TRANSITIONS[state][action]
        return
    with pytest.raises(IllegalTransition, match=f"a complaint that is {state} can not {action}; possible: "):
        transition(state, action)


def watched(state, **more):
    return [(each.clock, each.event, each.due_at) for each in timers(state, due(), CHINA, **more)]


def test_warnings_come_before_each_clock_runs_out():
    ends, acknowledged_by = due().answer_by, due().acknowledge_by
    answer = [
        (Clock.ANSWER, ClockEvent.WARNING, ends - timedelta(days=5)),
        (Clock.ANSWER, ClockEvent.WARNING, ends - timedelta(days=1)),
        (Clock.ANSWER, ClockEvent.DUE, ends),
    ]
    acknowledgement = [
        (Clock.ACKNOWLEDGE, ClockEvent.WARNING, acknowledged_by - timedelta(days=1)),
        (Clock.ACKNOWLEDGE, ClockEvent.DUE, acknowledged_by),
    ]
    assert watched(ComplaintState.RECEIVED) == acknowledgement + answer
    assert watched(ComplaintState.ACKNOWLEDGED) == answer
    assert watched(ComplaintState.ESCALATED) == answer


def test_no_clock_runs_once_it_is_answered():
    assert watched(ComplaintState.RESPONDED) == []
    assert watched(ComplaintState.RESOLVED) == []
    assert watched(ComplaintState.ESCALATED, answered=True) == []


GRANTED = Extension(
    Complexity.COMPLEX, "agent", "head", datetime(2026, 12, 1, tzinfo=UTC), "statements from two banks needed"
)


def test_more_time_needs_another_person_a_reason_and_to_be_in_time():
    assert extend(Complexity.SIMPLE, GRANTED, due()) is Complexity.COMPLEX
    for change, problem in [
        ({"approved_by": "agent"}, "does not approve"),
        ({"approved_by": " "}, "an approver"),
        ({"reason": ""}, "a reason"),
        ({"to": Complexity.SIMPLE}, "no more time"),
        ({"approved_at": due().answer_by}, "run out"),
        ({"to": Complexity.VERY_COMPLEX}, "complainant is told"),
    ]:
        with pytest.raises(ExtensionRefused, match=problem):
            extend(Complexity.SIMPLE, replace(GRANTED, **change), due())


def test_the_longest_time_is_granted_when_the_complainant_was_told():
    told = replace(GRANTED, to=Complexity.VERY_COMPLEX, complainant_told_at=GRANTED.approved_at)
    assert extend(Complexity.COMPLEX, told, due(Complexity.COMPLEX)) is Complexity.VERY_COMPLEX


def test_a_complaint_from_elsewhere_has_the_banks_own_clocks():
    assert complaint_rules("NZ") is CHINA
    assert complaint_rules(None) is CHINA
