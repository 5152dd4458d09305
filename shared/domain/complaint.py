"""Complaints: their states, the clocks the law sets, and the timers that watch them. Pure; the caller brings the time.

Source of the Chinese figures: Measures for handling consumer complaints in banking and insurance (CBIRC order 2020
no. 3): 15 days, 30 when complex, another 30 when very complex and approved; calendar days from receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from types import MappingProxyType

from shared.domain.calendar import at_local, local_date


class ComplaintState(StrEnum):
    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    RESPONDED = "responded"
    RESOLVED = "resolved"
    ESCALATED = "escalated"


class ComplaintAction(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    RESPOND = "respond"
    RESOLVE = "resolve"
    ESCALATE = "escalate"


class Complexity(StrEnum):
    SIMPLE = "simple"
    COMPLEX = "complex"
    VERY_COMPLEX = "very_complex"


class IllegalTransition(ValueError):
    """The action does not go with the state; the text says what would."""

    def __init__(self, state: ComplaintState, action: ComplaintAction) -> None:
        possible = ", ".join(each.value for each in TRANSITIONS[state]) or "nothing"
        super().__init__(f"a complaint that is {state} can not {action}; possible: {possible}")
        self.state = state
        self.action = action


class ExtensionRefused(ValueError):
    """More time is not granted; the text says why."""


TRANSITIONS: Mapping[ComplaintState, Mapping[ComplaintAction, ComplaintState]] = MappingProxyType(
    {
        ComplaintState.RECEIVED: {
            ComplaintAction.ACKNOWLEDGE: ComplaintState.ACKNOWLEDGED,
            ComplaintAction.RESPOND: ComplaintState.RESPONDED,  # an answer tells that it was received
            ComplaintAction.ESCALATE: ComplaintState.ESCALATED,
        },
        ComplaintState.ACKNOWLEDGED: {
            ComplaintAction.RESPOND: ComplaintState.RESPONDED,
            ComplaintAction.ESCALATE: ComplaintState.ESCALATED,
        },
        ComplaintState.RESPONDED: {
            ComplaintAction.RESOLVE: ComplaintState.RESOLVED,
            ComplaintAction.ESCALATE: ComplaintState.ESCALATED,
        },
        ComplaintState.ESCALATED: {
            ComplaintAction.RESPOND: ComplaintState.RESPONDED,
            ComplaintAction.RESOLVE: ComplaintState.RESOLVED,
        },
        ComplaintState.RESOLVED: {ComplaintAction.ESCALATE: ComplaintState.ESCALATED},
    }
)


def transition(state: ComplaintState, action: ComplaintAction) -> ComplaintState:
    """The state after the action. Raises IllegalTransition."""
    try:
        return TRANSITIONS[state][action]
    except KeyError:
        raise IllegalTransition(state, action) from None


@dataclass(frozen=True, slots=True)
class ComplaintRules:
    """A jurisdiction's clocks in calendar days from the day of receipt, and when to warn before they run out."""

    jurisdiction: str
    acknowledge_days: int
    answer_days: Mapping[Complexity, int]
    acknowledge_warnings: tuple[timedelta, ...]
    answer_warnings: tuple[timedelta, ...]


_CHINA = ComplaintRules(
    jurisdiction="CN",
    acknowledge_days=2,  # our own promise; the law sets none
    answer_days=MappingProxyType({Complexity.SIMPLE: 15, Complexity.COMPLEX: 30, Complexity.VERY_COMPLEX: 60}),
    acknowledge_warnings=(timedelta(days=1),),
    answer_warnings=(timedelta(days=5), timedelta(days=1)),
)
COMPLAINT_RULES: Mapping[str, ComplaintRules] = MappingProxyType({"CN": _CHINA})


def complaint_rules(jurisdiction: str | None) -> ComplaintRules:
    """The clocks of a jurisdiction; of the bank's own (CN) for one without a table, for every complaint has clocks."""
    return COMPLAINT_RULES.get(jurisdiction or "", _CHINA)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """``*_on`` is the last day, ``*_by`` the instant (UTC) at which that day has ended where the customer lives."""

    acknowledge_on: date
    acknowledge_by: datetime
    answer_on: date
    answer_by: datetime


def deadlines(received_at: datetime, complexity: Complexity, zone_name: str, rules: ComplaintRules) -> Deadlines:
    """The day of receipt is not counted; the last day is used to its end."""
    received_on = local_date(received_at, zone_name)
    acknowledge_on = received_on + timedelta(days=rules.acknowledge_days)
    answer_on = received_on + timedelta(days=rules.answer_days[complexity])
    return Deadlines(acknowledge_on, _end_of(acknowledge_on, zone_name), answer_on, _end_of(answer_on, zone_name))


def _end_of(day: date, zone_name: str) -> datetime:
    return at_local(day + timedelta(days=1), time.min, zone_name)


class Clock(StrEnum):
    ACKNOWLEDGE = "acknowledge"
    ANSWER = "answer"


class ClockEvent(StrEnum):
    WARNING = "warning"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class ComplaintTimer:
    """``due_at`` in UTC: a warning, or the end of the clock."""

    clock: Clock
    event: ClockEvent
    due_at: datetime


_ACKNOWLEDGEMENT_OWED = frozenset({ComplaintState.RECEIVED})
_ANSWER_OWED = frozenset({ComplaintState.RECEIVED, ComplaintState.ACKNOWLEDGED, ComplaintState.ESCALATED})


def timers(
    state: ComplaintState, due: Deadlines, rules: ComplaintRules, *, answered: bool = False
) -> tuple[ComplaintTimer, ...]:
    """What is to be watched from this state on, in order of time; past instants included, so that a late run still
    sees them. ``answered``: an answer was given before it was escalated, so its clock has stopped."""
    watched: list[ComplaintTimer] = []
    if state in _ACKNOWLEDGEMENT_OWED:
        watched += _watch(Clock.ACKNOWLEDGE, due.acknowledge_by, rules.acknowledge_warnings)
    if state in _ANSWER_OWED and not answered:
        watched += _watch(Clock.ANSWER, due.answer_by, rules.answer_warnings)
    return tuple(sorted(watched, key=lambda each: (each.due_at, each.clock)))


def _watch(clock: Clock, due_at: datetime, warnings: tuple[timedelta, ...]) -> list[ComplaintTimer]:
    before = [ComplaintTimer(clock, ClockEvent.WARNING, due_at - ahead) for ahead in warnings]
    return [*before, ComplaintTimer(clock, ClockEvent.DUE, due_at)]


@dataclass(frozen=True, slots=True)
class Extension:
    """Who granted more time, when, why, and when the complainant was told (the law demands it for very complex)."""

    to: Complexity
    requested_by: str
    approved_by: str
    approved_at: datetime
    reason: str
    complainant_told_at: datetime | None = None


_ORDER = tuple(Complexity)


def extend(current: Complexity, extension: Extension, due: Deadlines) -> Complexity:
    """The complexity after an extension. Raises ExtensionRefused when it is none, comes too late, was approved by who
    asked for it, or carries no reason, or when a very complex complaint's sender was not told."""
    if _ORDER.index(extension.to) <= _ORDER.index(current):
        raise ExtensionRefused(f"{extension.to} gives no more time than {current}")
    if not extension.approved_by.strip() or not extension.reason.strip():
        raise ExtensionRefused("an extension needs an approver and a reason on record")
    if extension.approved_by == extension.requested_by:
        raise ExtensionRefused("who asks for an extension does not approve it")
    if extension.approved_at >= due.answer_by:
        raise ExtensionRefused(f"the answer was due on {due.answer_on}: what has run out is not extended")
    if extension.to is Complexity.VERY_COMPLEX and extension.complainant_told_at is None:
        raise ExtensionRefused("the complainant is told of an extension beyond 30 days")
    return extension.to
