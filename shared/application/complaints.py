"""Complaints: received, acknowledged, answered, resolved or escalated, each step with its hold and its clocks.

A complaint holds what it is about in the transaction that receives it. Its clocks are timers; a step removes those that
it answers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book
from shared.application.editing import Expected, case_of, check_account, open_customer, open_for_edit
from shared.application.holds import HoldStore, NewHold, lift_hold, put_hold
from shared.application.judging import PolicyShelf, zone_of
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid
from shared.domain.announcement import Announcement
from shared.domain.complaint import (
    Clock,
    ComplaintAction,
    ComplaintRules,
    ComplaintState,
    ComplaintTimer,
    Complexity,
    Deadlines,
    Extension,
    ExtensionRefused,
    IllegalTransition,
    complaint_rules,
    deadlines,
    extend,
    timers,
    transition,
)
from shared.domain.hold import HoldKind
from shared.domain.identity import derive


@dataclass(frozen=True, slots=True, kw_only=True)
class Complaint:
    """A complaint as it stands in the books, but for its texts."""

    complaint_id: UUID
    customer_id: str
    case_id: UUID | None
    account_id: str | None
    category: str
    channel: str
    complexity: Complexity
    state: ComplaintState
    owner: str | None
    received_at: datetime
    acknowledge_by: datetime
    answer_by: datetime
    answer_on: date
    created_by: str
    acknowledged_at: datetime | None = None
    responded_at: datetime | None = None
    resolved_at: datetime | None = None
    escalated_at: datetime | None = None
    outcome: str | None = None
    extension_reason: str | None = None
    extension_approved_by: str | None = None
    hold_id: UUID | None = None
    row_version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewComplaint:
    """``received_at``: when it reached the bank, if not just now; the clocks count from there."""

    complaint_id: UUID
    customer_id: str
    account_id: str | None
    category: str
    channel: str
    complexity: Complexity
    text: str
    owner: str | None
    received_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionAsked:
    to: Complexity
    requested_by: str
    reason: str
    complainant_told_at: datetime | None


class ComplaintStore(HoldStore, Protocol):
    async def add_complaint(self, complaint: Complaint, text: str) -> None: ...

    async def find_complaint(self, complaint_id: UUID, who: Principal) -> Complaint | None: ...

    async def complaints_by_id(self, complaint_ids: list[UUID]) -> dict[UUID, Complaint]: ...

    async def save_complaint(self, complaint: Complaint, response: str | None = None) -> None:
        """Write the state of a complaint, and its response where there is a new one."""


class ComplaintDesk:
    """What people do with complaints. ``shelf`` knows the zone of customers who have none of their own."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def receive(self, tx: ComplaintStore, new: NewComplaint, who: Principal) -> None:
        book, page = await open_customer(tx, new.customer_id, who)
        await check_account(tx, new.customer_id, new.account_id)
        received_at = new.received_at or tx.now
        if received_at > tx.now:
            raise Invalid("Not received yet.", errors=[FieldError("/received_at", "is in the future")])
        due = deadlines(received_at, new.complexity, self._zone(page.time_zone), complaint_rules(page.jurisdiction))
        complaint = Complaint(
            complaint_id=new.complaint_id,
            customer_id=new.customer_id,
            case_id=case_of(book, new.customer_id),
            account_id=new.account_id,
            category=new.category,
            channel=new.channel,
            complexity=new.complexity,
            state=ComplaintState.RECEIVED,
            owner=new.owner,
            received_at=received_at,
            acknowledge_by=due.acknowledge_by,
            answer_by=due.answer_by,
            answer_on=due.answer_on,
            created_by=who.subject,
        )
        complaint = await self._hold(tx, book, complaint, who)
        await tx.add_complaint(complaint, new.text)
        self._watch(book, None, complaint)
        _tell(book, complaint, "received", {"account_id": new.account_id, "category": new.category}, who.subject)
        await tx.save(book.changes)

    async def acknowledge(self, tx: ComplaintStore, complaint_id: UUID, who: Principal, expected: Expected) -> None:
        """Confirm to the customer that we have it; the notifier sends the confirmation."""
        book, before = await open_for_edit(tx, tx.find_complaint, complaint_id, who, expected)
        after = replace(_moved(before, ComplaintAction.ACKNOWLEDGE), acknowledged_at=tx.now)
        await self._write(tx, book, before, after, "acknowledged", who)

    async def respond(
        self, tx: ComplaintStore, complaint_id: UUID, response: str, who: Principal, expected: Expected
    ) -> None:
        book, before = await open_for_edit(tx, tx.find_complaint, complaint_id, who, expected)
        after = replace(_moved(before, ComplaintAction.RESPOND), responded_at=tx.now)
        await self._write(tx, book, before, after, "responded", who, response=response)

    async def resolve(
        self, tx: ComplaintStore, complaint_id: UUID, outcome: str, who: Principal, expected: Expected
    ) -> None:
        """Close it; what it held goes on from here."""
        book, before = await open_for_edit(tx, tx.find_complaint, complaint_id, who, expected)
        after = replace(_moved(before, ComplaintAction.RESOLVE), resolved_at=tx.now, outcome=outcome)
        if before.hold_id is not None:
            hold = await tx.find_hold(before.hold_id, who)
            if hold is not None and not hold.over(tx.now):
                await lift_hold(tx, book, hold, reason="complaint_resolved", by=who.subject)
        await self._write(tx, book, before, after, "resolved", who, {"outcome": outcome})

    async def escalate(
        self, tx: ComplaintStore, complaint_id: UUID, reason: str, owner: str | None, who: Principal, expected: Expected
    ) -> None:
        """Hand it up; what it holds stays held, and is held again if it had been resolved."""
        book, before = await open_for_edit(tx, tx.find_complaint, complaint_id, who, expected)
        moved = _moved(before, ComplaintAction.ESCALATE)
        after = replace(moved, escalated_at=tx.now, resolved_at=None, outcome=None, owner=owner or before.owner)
        if before.state is ComplaintState.RESOLVED:
            after = await self._hold(tx, book, after, who)
        await self._write(tx, book, before, after, "escalated", who, {"reason": reason})

    async def extend(
        self, tx: ComplaintStore, complaint_id: UUID, asked: ExtensionAsked, who: Principal, expected: Expected
    ) -> None:
        """More time for a harder complaint: one person asks, the caller approves."""
        book, before = await open_for_edit(tx, tx.find_complaint, complaint_id, who, expected)
        if before.responded_at is not None or before.state is ComplaintState.RESOLVED:
            raise Conflict("It was answered; its clock has stopped.", code="complaint-answered")
        page = book.customers[before.customer_id]
        zone, rules = self._zone(page.time_zone), complaint_rules(page.jurisdiction)
        granted = Extension(asked.to, asked.requested_by, who.subject, tx.now, asked.reason, asked.complainant_told_at)
        try:
            complexity = extend(before.complexity, granted, _due(before))
        except ExtensionRefused as refused:
            raise Invalid(f"No extension: {refused}.", code="extension-refused") from None
        due = deadlines(before.received_at, complexity, zone, rules)
        after = replace(
            before,
            complexity=complexity,
            answer_by=due.answer_by,
            answer_on=due.answer_on,
            extension_reason=asked.reason,
            extension_approved_by=who.subject,
        )
        data = {"complexity": complexity.value, "requested_by": asked.requested_by, "answer_on": str(due.answer_on)}
        await self._write(tx, book, before, after, "extended", who, data)

    async def _hold(self, tx: ComplaintStore, book: Book, complaint: Complaint, who: Principal) -> Complaint:
        hold = NewHold(
            hold_id=derive("complaint-hold", complaint.complaint_id, complaint.row_version),
            customer_id=complaint.customer_id,
            account_id=complaint.account_id,
            kind=HoldKind.COMPLAINT,
            reason="complaint",
            ends_at=None,
        )
        await put_hold(tx, book, hold, origin=str(complaint.complaint_id), by=who.subject)
        return replace(complaint, hold_id=hold.hold_id)

    async def _write(
        self,
        tx: ComplaintStore,
        book: Book,
        before: Complaint,
        after: Complaint,
        what: str,
        who: Principal,
        data: dict[str, Any] | None = None,
        *,
        response: str | None = None,
    ) -> None:
        await tx.save_complaint(after, response)
        self._watch(book, before, after)
        _tell(book, after, what, data or {}, who.subject)
        await tx.save(book.changes)

    def _watch(self, book: Book, before: Complaint | None, after: Complaint) -> None:
        """Set the timers of ``after`` and remove those of ``before`` that it has no more."""
        rules = complaint_rules(book.customers[after.customer_id].jurisdiction)
        for key in {} if before is None else subjects(before, rules):
            book.changes.set_timer(after.customer_id, *key, None)
        for key, timer in subjects(after, rules).items():
            book.changes.set_timer(after.customer_id, *key, timer.due_at)

    def _zone(self, time_zone: str | None) -> str:
        return zone_of(time_zone, self._shelf.policy())


KINDS = {Clock.ACKNOWLEDGE: "complaint_acknowledge", Clock.ANSWER: "complaint_answer"}


def subjects(complaint: Complaint, rules: ComplaintRules) -> dict[tuple[str, str], ComplaintTimer]:
    """What is watched of a complaint, by (timer kind, subject); the subject is ``<complaint id>/<event>-<number>``."""
    watched: dict[tuple[str, str], ComplaintTimer] = {}
    answered = complaint.responded_at is not None
    for timer in timers(complaint.state, _due(complaint), rules, answered=answered):
        kind = KINDS[timer.clock]
        number = sum(1 for known, subject in watched if known == kind and f"/{timer.event}-" in subject)
        watched[(kind, f"{complaint.complaint_id}/{timer.event}-{number}")] = timer
    return watched


def _due(complaint: Complaint) -> Deadlines:
    # The last day of the first clock is told by its last instant; nothing is decided by it.
    acknowledge_on = complaint.acknowledge_by.date()
    return Deadlines(acknowledge_on, complaint.acknowledge_by, complaint.answer_on, complaint.answer_by)


def _moved(complaint: Complaint, action: ComplaintAction) -> Complaint:
    try:
        return replace(complaint, state=transition(complaint.state, action))
    except IllegalTransition as refused:
        raise Conflict(f"Not possible: {refused}.", code="complaint-state") from None


def _tell(book: Book, complaint: Complaint, what: str, data: dict[str, Any], by: str) -> None:
    told = {"complaint_id": str(complaint.complaint_id), **data}
    case_id = str(complaint.case_id) if complaint.case_id else None
    kind = f"arrears.complaint.{what}.v1"
    announced = {**told, "case_id": case_id, "state": complaint.state.value}
    book.changes.announce([Announcement("arrears.complaint", kind, complaint.customer_id, announced)])
    book.changes.record(complaint.customer_id, complaint.case_id, f"complaint.{what}", told, by)
