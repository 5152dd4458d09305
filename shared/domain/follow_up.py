"""The planner: which step of the ladder is due, which were passed over, which comes next.

The schedule is a function of facts, policy and date, never of when we last ran. ``select`` replays a case's standings
against the ladder and says, for every step that became due up to now, at which instant it was due and whether it was
the newest one then. ``reconcile`` holds that against what is on record: the newest unrecorded step is issued, every
other one is recorded as passed over. Running late, twice or every minute therefore ends with the same steps accounted
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from shared.domain.calendar import BusinessCalendar, CalendarYearMissing, at_local
from shared.domain.case import CaseStanding
from shared.domain.identity import derive
from shared.domain.policy import Policy, Step


class FollowUpState(StrEnum):
    PLANNED = "planned"
    DEFERRED = "deferred"
    ISSUED = "issued"
    DONE = "done"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    PASSED_OVER = "passed_over"
    CANCELLED = "cancelled"


UNDECIDED = frozenset({FollowUpState.PLANNED, FollowUpState.DEFERRED})
_DONE = frozenset({FollowUpState.ISSUED, FollowUpState.DONE, FollowUpState.FAILED, FollowUpState.SUPPRESSED})

Identity = tuple[str, date]  # (step id, anchor) within a case and policy version


class OnRecord(NamedTuple):
    """A follow-up as it stands in the books. The planner looks at the first two; id and due time are for whoever
    writes down what it decided."""

    state: FollowUpState
    deferred_until: datetime | None = None
    follow_up_id: UUID | None = None
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """A time in which nothing is due: a hold, a promise, a performing plan. Open-ended when ``until`` is None.

    ``cause`` is the kind of hold, or ``promise``; the planner does not look at it."""

    since: datetime
    until: datetime | None
    cause: str = ""
    hold_id: str | None = None


class Selection(NamedTuple):
    """``step`` became due on ``anchor`` at ``at`` (its ladder time was ``due_at``)."""

    step: Step
    anchor: date
    due_at: datetime
    at: datetime
    newest: bool
    standing: int  # index of the standing under which it became due


class Plan(NamedTuple):
    """``issue``: do it now. ``passed``: record it with the reason. ``coming``: the next step and when, if any."""

    issue: Selection | None
    passed: tuple[tuple[Selection, str], ...]
    coming: Selection | None


@dataclass(slots=True, eq=False)
class Timetable:
    """A policy's ladders laid on the calendar; remembers what it laid out, because anchors repeat over a portfolio."""

    policy: Policy
    calendar: BusinessCalendar
    _laid: dict[tuple[str, date, str], tuple[tuple[Step, datetime], ...]] = field(default_factory=dict)

    def instants(self, segment: str, anchor: date, zone: str) -> tuple[tuple[Step, datetime], ...]:
        """Each step of the segment's ladder with its instant on ``anchor``, oldest first.

        A business-day step that falls into a year whose holidays are not announced is left out until they are:
        ``unannounced`` names it."""
        key = (segment, anchor, zone)
        laid = self._laid.get(key)
        if laid is None:
            if len(self._laid) > MOST_LAID:
                self._laid.clear()
            laid = self._laid[key] = tuple(self._lay(segment, anchor, zone))
        return laid

    def unannounced(self, segment: str, anchor: date) -> tuple[str, ...]:
        ladder = self.policy.ladder_for(segment)
        return tuple(step.id for step in ladder if _due_day(step, anchor, self.calendar) is None)

    def _lay(self, segment: str, anchor: date, zone: str) -> list[tuple[Step, datetime]]:
        placed = []
        for step in self.policy.ladder_for(segment):
            day = _due_day(step, anchor, self.calendar)
            if day is not None:
                placed.append((step, at_local(day, step.at, zone)))
        return sorted(placed, key=lambda pair: (pair[1], pair[0].rank))


MOST_LAID = 20_000


class Outlook(NamedTuple):
    """All the planner may look at. ``zone`` is the clock of standings that know none of their own."""

    timetable: Timetable
    zone: str
    standings: Sequence[CaseStanding]
    stops: Sequence[Stop]
    record: Mapping[Identity, OnRecord]

    def ladder(self, standing: CaseStanding, anchor: date) -> tuple[tuple[Step, datetime], ...]:
        """Each step with its place in time, by the customer's clock as it was then."""
        return self.timetable.instants(standing.segment, anchor, standing.zone or self.zone)


def follow_up_id(case_id: UUID, policy_version: int, step: str, anchor: date) -> UUID:
    return derive("follow-up", case_id, policy_version, step, anchor)


def plan(outlook: Outlook, now: datetime) -> Plan:
    selections, coming = select(outlook, now)
    return reconcile(outlook, selections, coming, now)


def select(outlook: Outlook, now: datetime) -> tuple[list[Selection], Selection | None]:
    """Every step that became due up to ``now``, in the order in which they did, and the next one to come."""
    taken: set[str] = set()
    found: list[Selection] = []
    coming: Selection | None = None
    standings = outlook.standings
    done = done_steps(outlook)
    for index, standing in enumerate(standings):
        until = standings[index + 1].at if index + 1 < len(standings) else None
        if standing.anchor is None:
            taken.clear()  # cured: what comes after is a new episode
            continue
        if until is not None and until <= standing.at:
            continue  # another took its place in the same instant: it never was
        due, later = _due_under(outlook, index, standing.anchor, until, now, taken)
        found += due
        taken.update(selection.step.id for selection in due)
        # What was done stays done, though by a calendar that was corrected its day would have come after this standing.
        taken.update(step for step, anchor in done if anchor == standing.anchor)
        coming = later if until is None else None
    return found, coming


def done_steps(outlook: Outlook) -> list[Identity]:
    """What is on record as having been taken, whatever came of it."""
    return [identity for identity, known in outlook.record.items() if known.state in _DONE]


def _due_under(
    outlook: Outlook, index: int, anchor: date, until: datetime | None, now: datetime, taken: set[str]
) -> tuple[list[Selection], Selection | None]:
    standing = outlook.standings[index]
    candidates: list[tuple[datetime, datetime, int, Step]] = []
    next_at: datetime | None = None
    for step, due_at in outlook.ladder(standing, anchor):
        if next_at is not None and due_at > next_at:
            break  # the ladder is in the order of time, and no step is due before its place on it
        if step.id in taken or not step.conditions.enough_past_due(standing.past_due):
            continue
        at = effective(outlook, step, standing, due_at)
        if at is not None and (until is None or at < until):
            candidates.append((at, due_at, step.rank, step))
            # A step that was cancelled does not come, so the ladder is read on past it.
            if at > now and (next_at is None or at < next_at) and not _settled(outlook, step.id, anchor):
                next_at = at
    candidates.sort(key=_TIME_AND_RANK)
    due: list[Selection] = []
    coming: Selection | None = None
    for position, (at, due_at, _, step) in enumerate(candidates):
        last_at_once = position + 1 == len(candidates) or candidates[position + 1][0] != at
        selection = Selection(step, anchor, due_at, at, last_at_once, index)
        if at <= now:
            due.append(selection)
        elif selection.newest and not _decided(outlook, selection):  # a cancelled one does not come
            coming = selection
            break
    return due, coming


_TIME_AND_RANK = itemgetter(0, 1, 2)


def effective(outlook: Outlook, step: Step, standing: CaseStanding, due_at: datetime) -> datetime | None:
    """When the step is really due: not before its standing began, a person's deferral, or the end of a stop."""
    at = due_at if due_at > standing.at else standing.at
    known = outlook.record.get((step.id, standing.anchor)) if standing.anchor else None
    if known is not None and known.deferred_until is not None:
        at = max(at, known.deferred_until)
    moved = bool(outlook.stops)
    while moved:
        moved = False
        for stop in outlook.stops:
            if stop.since <= at and (stop.until is None or at < stop.until):
                if stop.until is None:
                    return None
                at, moved = stop.until, True
    return at


def reconcile(outlook: Outlook, selections: Sequence[Selection], coming: Selection | None, now: datetime) -> Plan:
    """What of the selections is not on record yet: one to issue, the rest passed over."""
    open_index = len(outlook.standings) - 1
    stops = outlook.stops
    stopped = bool(stops) and any(stop.since <= now and (stop.until is None or now < stop.until) for stop in stops)
    # One that a cure passed by, and that is due again on the same anchor, is one follow-up: what it is now counts.
    latest = {(selection.step.id, selection.anchor): selection for selection in selections}
    if coming is not None:
        latest.pop((coming.step.id, coming.anchor), None)
    unrecorded = [s for s in selections if latest.get((s.step.id, s.anchor)) is s and not _decided(outlook, s)]
    issue: Selection | None = None
    if unrecorded and unrecorded[-1].newest and unrecorded[-1].standing == open_index and not stopped:
        issue = unrecorded[-1]
    passed = [(s, _why_passed(s, issue, open_index, stopped)) for s in unrecorded if s is not issue]
    return Plan(issue, tuple(passed), coming)


def _decided(outlook: Outlook, selection: Selection) -> bool:
    return _settled(outlook, selection.step.id, selection.anchor)


def _settled(outlook: Outlook, step_id: str, anchor: date) -> bool:
    known = outlook.record.get((step_id, anchor))
    return known is not None and known.state not in UNDECIDED


def _why_passed(selection: Selection, issue: Selection | None, open_index: int, stopped: bool) -> str:
    if not selection.newest:
        return "overtaken"  # a newer step was due at the same instant
    if selection.standing != open_index:
        return "moot"  # the standing it was due under is over
    if stopped and issue is None:
        return "held"
    return "late"  # we ran after a newer step had become due


def _due_day(step: Step, anchor: date, calendar: BusinessCalendar) -> date | None:
    if step.day_kind != "business":
        return date.fromordinal(anchor.toordinal() + step.day)
    try:
        return calendar.add_business_days(anchor, step.day)
    except CalendarYearMissing:
        return None
