"""Plan follow-ups: hold what the planner says against what is on record, issue what is due, note what was passed over.

Runs on our own events and on timers, always under the customers' locks. Message steps become ``reminder.due`` for the
notifier; steps for people become work items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared.application.book import Book, Changes
from shared.application.clockwork import catch_up_all
from shared.application.judging import Pages, PolicyShelf, open_pages, zone_of
from shared.application.pipeline import OurEvent
from shared.domain.announcement import Announcement
from shared.domain.calendar import local_date
from shared.domain.case import Case, CaseStanding, CaseState
from shared.domain.follow_up import (
    FollowUpState,
    Identity,
    OnRecord,
    Outlook,
    Selection,
    Stop,
    follow_up_id,
    plan,
)
from shared.domain.hold import Hold
from shared.domain.identity import derive
from shared.domain.message import message_id
from shared.domain.policy import Policy

FOLLOW_UP = "follow_up"


@dataclass(slots=True)
class CaseFile:
    """What planning one case needs: its standings, what is on record, and the times in which nothing is due. ``holds``
    are those on single accounts, the ended ones too."""

    case: Case
    standings: list[CaseStanding] = field(default_factory=list)
    record: dict[Identity, OnRecord] = field(default_factory=dict)
    stops: list[Stop] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)


class FollowUp(NamedTuple):
    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    policy_version: int
    step: str
    anchor: date
    kind: str
    due_at: datetime
    state: FollowUpState
    reason: str | None


@dataclass(frozen=True, slots=True)
class WorkItem:
    item_id: UUID
    follow_up: FollowUp
    bucket: str
    past_due: Mapping[str, int]
    priority: int
    due_on: date


@dataclass(slots=True)
class PlanningChanges:
    """What planning writes beside the book's changes. ``new`` are not on record, ``moved`` are, undecided until now;
    ``withdrawn`` were planned and do not come any more."""

    new: list[FollowUp] = field(default_factory=list)
    moved: list[FollowUp] = field(default_factory=list)
    withdrawn: list[UUID] = field(default_factory=list)
    work_items: list[WorkItem] = field(default_factory=list)
    ended_cases: list[UUID] = field(default_factory=list)


class PlanningStore(Pages, Protocol):
    @property
    def now(self) -> datetime: ...

    async def load_case_files(self, book: Book) -> dict[str, CaseFile]:
        """The newest case of each locked customer that ever had one."""

    async def load_left_behind(self, book: Book) -> list[CaseFile]:
        """Cases before those that ended, and were followed by another, before they were planned as ended."""

    async def due_rolls(self, customer_ids: Iterable[str]) -> dict[str, datetime]: ...

    async def save_planning(self, changes: PlanningChanges) -> None: ...

    async def save(self, changes: Changes) -> None: ...

    async def note_outcomes(self, outcomes: Sequence[tuple[UUID, str, str | None]]) -> None:
        """Set issued follow-ups to what became of their message: (follow-up id, state, reason)."""


class Planner:
    """The scheduler's use case; ``shelf`` knows every policy version that a case is pinned to."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def replan(self, tx: PlanningStore, book: Book, events: Sequence[OurEvent]) -> None:
        """Plan every customer of ``events`` anew; the events themselves say nothing that the book does not."""
        await self.replan_locked(tx, book)

    async def replan_locked(self, tx: PlanningStore, book: Book) -> None:
        newest = await tx.load_case_files(book)
        if await self._caught_up(tx, book, newest):
            newest = await tx.load_case_files(book)
        changes = PlanningChanges()
        for file in [*await tx.load_left_behind(book), *newest.values()]:
            self._plan_case(book, file, changes)
        await tx.save_planning(changes)
        await tx.save(book.changes)

    async def _caught_up(self, tx: PlanningStore, book: Book, files: Mapping[str, CaseFile]) -> bool:
        """What a day made overdue, or a hold left out, counts before the steps that were due since, however late the
        day's own tick is and however late we are told of the hold. False where there was no such thing."""
        due = await tx.due_rolls(book.known_customers())
        held = any(hold.turns(book.now) for file in files.values() for hold in file.holds)
        if not (due or held):
            return False
        await open_pages(tx, book)
        catch_up_all(book, self._shelf, due)
        await tx.save(book.changes)
        book.changes = Changes()
        return True

    async def note_outcomes(self, tx: PlanningStore, book: Book, events: Sequence[OurEvent]) -> None:
        """A message ended: its follow-up is done, failed or suppressed. After a failure it may still be done, by the
        next channel; nothing else is taken back."""
        outcomes: dict[UUID, tuple[UUID, str, str | None]] = {}
        for event in events:
            if event.data.get("follow_up_id"):
                key = UUID(event.data["follow_up_id"])
                if key not in outcomes or outcomes[key][1] == "failed":
                    outcomes[key] = (key, _OUTCOMES[event.type], event.data.get("reason"))
        await tx.note_outcomes(list(outcomes.values()))

    def _plan_case(self, book: Book, file: CaseFile, changes: PlanningChanges) -> None:
        case = file.case
        policy = self._shelf.policy(case.policy_version)
        zone = zone_of(book.customers[case.customer_id].time_zone, policy)
        timetable = self._shelf.timetable(case.policy_version)
        made = plan(Outlook(timetable, zone, file.standings, file.stops, file.record), book.now)
        spoken_of = set()
        for selection, reason in made.passed:
            _enter(file, selection, FollowUpState.PASSED_OVER, reason, changes)
            spoken_of.add((selection.step.id, selection.anchor))
        if made.issue is not None:
            self._issue(book, file, made.issue, changes)
            spoken_of.add((made.issue.step.id, made.issue.anchor))
        if made.coming is not None:
            self._keep_planned(file, made.coming, changes)
            spoken_of.add((made.coming.step.id, made.coming.anchor))
        coming_at = None if made.coming is None else made.coming.at
        book.changes.set_timer(case.customer_id, FOLLOW_UP, str(case.case_id), coming_at)
        for identity, known in file.record.items():
            if known.state is FollowUpState.PLANNED and identity not in spoken_of and known.follow_up_id is not None:
                changes.withdrawn.append(known.follow_up_id)
        if case.state is not CaseState.OPEN:
            changes.ended_cases.append(case.case_id)

    def _keep_planned(self, file: CaseFile, coming: Selection, changes: PlanningChanges) -> None:
        known = file.record.get((coming.step.id, coming.anchor))
        if known is None or known.state is not FollowUpState.DEFERRED:
            _enter(file, coming, FollowUpState.PLANNED, None, changes)

    def _issue(self, book: Book, file: CaseFile, selection: Selection, changes: PlanningChanges) -> None:
        case, step = file.case, selection.step
        follow_up = _enter(file, selection, FollowUpState.ISSUED, None, changes)
        standing = file.standings[selection.standing]
        if step.kind == "message":
            book.changes.announce([_reminder_due(follow_up, selection)])
        else:
            policy = self._shelf.policy(case.policy_version)
            zone = zone_of(book.customers[case.customer_id].time_zone, policy)
            due_on = local_date(selection.at, zone)
            changes.work_items.append(_work_item(follow_up, step.bucket, standing, due_on, policy))


_OUTCOMES = {
    "arrears.message.sent.v1": "done",
    "arrears.message.failed.v1": "failed",
    "arrears.message.suppressed.v1": "suppressed",
}


def _enter(
    file: CaseFile, selection: Selection, state: FollowUpState, reason: str | None, changes: PlanningChanges
) -> FollowUp:
    """The follow-up in its new state, put among the changes unless it is on record as such."""
    case, step = file.case, selection.step
    known = file.record.get((step.id, selection.anchor))
    known_id = None if known is None else known.follow_up_id
    follow_up = FollowUp(
        follow_up_id=known_id or follow_up_id(case.case_id, case.policy_version, step.id, selection.anchor),
        case_id=case.case_id,
        customer_id=case.customer_id,
        policy_version=case.policy_version,
        step=step.id,
        anchor=selection.anchor,
        kind=step.kind,
        due_at=selection.at if state is FollowUpState.PLANNED else selection.due_at,
        state=state,
        reason=reason,
    )
    if known is None:
        changes.new.append(follow_up)
    elif known.state is not state or known.due_at != follow_up.due_at:
        changes.moved.append(follow_up)
    return follow_up


def _reminder_due(follow_up: FollowUp, selection: Selection) -> Announcement:
    step = selection.step
    data: dict[str, Any] = {
        "message_id": message_id(follow_up.follow_up_id),
        "follow_up_id": str(follow_up.follow_up_id),
        "case_id": str(follow_up.case_id),
        "customer_id": follow_up.customer_id,
        "policy_version": follow_up.policy_version,
        "step": step.id,
        "anchor": follow_up.anchor.isoformat(),
        "channels": list(step.channels),
        "template": step.template,
        "purpose": step.purpose,
        "due_at": selection.at.isoformat(),
    }
    return Announcement("arrears.reminder", "arrears.reminder.due.v1", follow_up.customer_id, data)


def _work_item(follow_up: FollowUp, bucket: str, standing: CaseStanding, due_on: date, policy: Policy) -> WorkItem:
    # A worklist begins with the worst: 0 is the last bucket of the policy.
    worse = [known.name for known in reversed(policy.buckets)]
    rank = worse.index(bucket) if bucket in worse else len(worse)
    return WorkItem(
        item_id=derive("work", follow_up.follow_up_id),
        follow_up=follow_up,
        bucket=bucket,
        past_due=dict(standing.past_due),
        priority=rank,
        due_on=due_on,
    )
