"""Why the next action of a case is what it is: the planner's and the gate's own functions, asked and written out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from shared.application.book import CustomerPage
from shared.application.explaining_obstacles import obstacle_line
from shared.application.explaining_plans import PlanInForce, explain_plan
from shared.application.foreseeing import foreseen
from shared.application.judging import zone_of
from shared.application.limitation import ClaimOnFile
from shared.application.permit_facts import PointOnFile
from shared.application.planning import CaseFile
from shared.application.sending import RuleShelf
from shared.application.sending_desk import Desk, DueMessage, moot
from shared.domain.case import Case, CaseState
from shared.domain.follow_up import Outlook, Plan, Selection, plan
from shared.domain.policy import Step
from shared.domain.prospect import prospects

NEWER_CASE = "a newer case of the customer is followed instead"


@dataclass(frozen=True, slots=True)
class Explained:
    """What was loaded: ``file`` and ``desk`` are None when a newer case has taken this one's place. ``reasons`` are
    those on record, by step and anchor; ``points`` and ``claims`` what a contact could be made by and be about."""

    now: datetime
    customer: CustomerPage
    case: Case
    file: CaseFile | None
    desk: Desk | None
    reasons: Mapping[tuple[str, date], str | None]
    points: Sequence[PointOnFile] = ()
    claims: Sequence[ClaimOnFile] = ()
    plans: Sequence[PlanInForce] = ()


def explain(about: Explained, shelf: RuleShelf) -> dict[str, Any]:
    """The explanation as plain data. The case's policy version must be on the shelf."""
    case = about.case
    policy = shelf.policy(case.policy_version)
    zone = zone_of(about.customer.time_zone, policy)
    answer: dict[str, Any] = {
        "case_id": case.case_id,
        "state": case.state.value,
        "as_of": about.now,
        "policy_version": case.policy_version,
        "time_zone": zone,
        "standing": None,
        "next": None,
        "why_none": None,
        "candidates": [],
        "unannounced": [],
        "holds": [],
        "moot": None,
        "gate": [],
        "plans": [],
    }
    if about.file is None or about.desk is None:
        return answer | {"why_none": NEWER_CASE}
    timetable = shelf.timetable(case.policy_version)
    file = about.file
    outlook = Outlook(timetable, zone, file.standings, file.stops, file.record)
    made = plan(outlook, about.now)
    coming = made.issue or made.coming
    standing = file.standings[-1] if file.standings else None
    if standing is not None:
        answer["standing"] = {
            "since": standing.at,
            "anchor": standing.anchor,
            "past_due": dict(standing.past_due),
            "segment": standing.segment,
        }
        if standing.anchor is not None:
            answer["candidates"] = list(_candidates(about, outlook, made, shelf))
            answer["unannounced"] = timetable.unannounced(standing.segment, standing.anchor)
    answer["next"] = None if coming is None else _next(coming, about.now, due_now=coming is made.issue)
    answer["why_none"] = None if coming is not None else _why_none(case, answer["candidates"], outlook, about.now)
    reached = (about.points, about.claims)
    answer["plans"] = [explain_plan(each, about.desk, reached, zone, about.now, shelf) for each in about.plans]
    answer["holds"] = [_hold(hold) for hold in about.desk.holds if hold.active_at(about.now)]
    if coming is not None:
        answer["gate"] = _gate(about, coming.step, max(coming.at, about.now), shelf)
        if coming.step.kind == "message":
            about.desk.cases[case.case_id] = case.state
            answer["moot"] = moot(_as_message(coming, case.case_id), about.desk)
    return answer


def _next(selection: Selection, now: datetime, *, due_now: bool) -> dict[str, Any]:
    step = selection.step
    return {
        "step": step.id,
        "kind": step.kind.value,
        "bucket": step.bucket,
        "channels": list(step.channels),
        "purpose": step.purpose,
        "template": step.template,
        "anchor": selection.anchor,
        "due_at": selection.due_at,
        "at": now if due_now else selection.at,
        "due_now": due_now,
    }


def _candidates(about: Explained, outlook: Outlook, made: Plan, shelf: RuleShelf) -> Iterator[dict[str, Any]]:
    """Each step of the ladder on the anchor that counts, earliest first."""
    for one in prospects(outlook, made, about.now, about.reasons):
        yield {
            "step": one.step.id,
            "kind": one.step.kind.value,
            "anchor": one.anchor,
            "due_at": one.due_at,
            "outcome": one.outcome,
            "reason": one.reason,
            "obstacles": [obstacle_line(each) for each in one.obstacles],
            "gate": _gate(about, one.step, max(one.at, about.now), shelf),
        }


def _why_none(case: Case, candidates: list[dict[str, Any]], outlook: Outlook, now: datetime) -> str:
    if case.state is not CaseState.OPEN:
        return f"the case is {case.state.value}"
    if not candidates:
        return "nothing is past due"
    if any(stop.since <= now and stop.until is None for stop in outlook.stops):
        return "a hold without an end is in force"
    return "the ladder has no further step"


def _hold(hold: Any) -> dict[str, Any]:
    ends = [instant for instant in (hold.ends_at, hold.released_at) if instant is not None]
    return {
        "kind": hold.kind.value,
        "account_id": hold.account_id,
        "since": hold.placed_at,
        "until": min(ends, default=None),
        "stops_ladder": hold.effect.stops_ladder,
    }


def _as_message(coming: Selection, case_id: UUID) -> DueMessage:
    step = coming.step
    return DueMessage(case_id, case_id, None, "", step.id, step.purpose, step.template or "", step.channels, 0)


def _gate(about: Explained, step: Step, at: datetime, shelf: RuleShelf) -> list[dict[str, Any]]:
    assert about.desk is not None  # noqa: S101 - asked before
    return foreseen(step, at, about.desk, about.points, about.claims, shelf)
