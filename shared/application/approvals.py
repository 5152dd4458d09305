"""Approvals: a second person decides about what somebody proposed over their own limit, or the clock does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.application.approval_subjects import Subject, subject_of
from shared.application.book import Book
from shared.application.clockwork import DueTimer
from shared.application.debts import DebtReader
from shared.application.editing import EditStore, Expected, open_for_edit
from shared.application.judging import PolicyShelf, open_pages
from shared.application.plan_judging import ACTOR_CLOCK, tell
from shared.application.principal import Principal
from shared.application.refusals import Conflict, Forbidden
from shared.domain.approval import Approval, ApprovalRefused, ApprovalState, decide, expire, request, withdraw
from shared.domain.identity import derive
from shared.domain.outcome import Outcome, Refused

APPROVAL_ENDS = "approval_ends"
_NOT_THEIRS = frozenset({"own-request", "wrong-role", "not-yours"})


class Proposed(Protocol):
    """What waits for a second person: its content by its hash, and the roles one of which decides."""

    @property
    def customer_id(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def approvers(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class About:
    """``noun`` and id of what is asked about, and the case in whose time it is."""

    noun: str
    subject_id: UUID
    case_id: UUID | None


@dataclass(frozen=True, slots=True)
class ApprovalOnFile:
    approval: Approval
    row_version: int = 1

    @property
    def customer_id(self) -> str:
        return self.approval.customer_id or ""


class ApprovalStore(EditStore, DebtReader, Protocol):
    async def load_accounts(self, book: Book) -> None: ...

    async def load_agreements(self, book: Book) -> None: ...

    async def put_approval(self, approval: Approval) -> None: ...

    async def find_approval(self, approval_id: UUID, who: Principal) -> ApprovalOnFile | None: ...

    async def approvals_by_id(self, approval_ids: Sequence[UUID]) -> list[ApprovalOnFile]: ...

    async def pending_approvals(self, subject: str, subject_id: str) -> list[ApprovalOnFile]: ...


async def ask_second_person(
    tx: ApprovalStore, book: Book, about: About, proposed: Proposed, who: Principal, until: datetime
) -> None:
    """Ask one of the approvers; the caller saves the book's changes."""
    asked = Approval(
        approval_id=derive("approval", about.noun, about.subject_id, proposed.fingerprint),
        subject=about.noun,
        subject_id=str(about.subject_id),
        content=proposed.fingerprint,
        requested_by=who.subject,
        requested_at=tx.now,
        expires_at=until,
        approvers=proposed.approvers,
        customer_id=proposed.customer_id,
    )
    await _write(tx, book, request(asked), about.case_id, who.subject)


async def drop_request(tx: ApprovalStore, book: Book, about: About, reason: str) -> None:
    """It was called off: nobody has to decide about it any more."""
    for waiting in await tx.pending_approvals(about.noun, str(about.subject_id)):
        asker = waiting.approval.requested_by
        outcome = withdraw(waiting.approval, asker, tx.now, reason)
        await _write(tx, book, outcome, about.case_id, asker)


class ApprovalDesk:
    """What people and the clock do with requests. ``shelf`` knows zones and policies."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def decide(
        self, tx: ApprovalStore, approval_id: UUID, granted: bool, reason: str, who: Principal, expected: Expected
    ) -> None:
        """The second person's yes or no; what it is about follows it in the same step."""
        book, waiting = await open_for_edit(tx, tx.find_approval, approval_id, who, expected)
        subject = await self._subject(tx, book, waiting)
        try:
            outcome = decide(
                waiting.approval,
                granted=granted,
                by=who.subject,
                roles={role.value for role in who.roles},
                at=tx.now,
                content=subject.content,
                reason=reason,
            )
        except ApprovalRefused as refused:
            raise _told(refused) from None
        await _write(tx, book, outcome, subject.case_id, who.subject)
        try:
            if granted:
                subject.grant(who.subject)
            else:
                subject.call_off("refused", who.subject)
        except Refused as refused:
            raise Conflict(f"Not possible: {refused}.", code="approval-state") from None
        await tx.save(book.changes)

    async def withdraw(
        self, tx: ApprovalStore, approval_id: UUID, reason: str, who: Principal, expected: Expected
    ) -> None:
        """Who asked takes it back; what it is about is called off with it."""
        book, waiting = await open_for_edit(tx, tx.find_approval, approval_id, who, expected)
        subject = await self._subject(tx, book, waiting)
        try:
            outcome = withdraw(waiting.approval, who.subject, tx.now, reason)
        except ApprovalRefused as refused:
            raise _told(refused) from None
        await _write(tx, book, outcome, subject.case_id, who.subject)
        if subject.waits:
            subject.call_off("withdrawn", who.subject)
        await tx.save(book.changes)

    async def tick(self, tx: ApprovalStore, book: Book, timers: Sequence[DueTimer]) -> None:
        """Nobody decided in time: the request expires, and what it was about is called off."""
        await open_pages(tx, book)
        for waiting in await tx.approvals_by_id([UUID(timer.subject) for timer in timers]):
            if waiting.customer_id not in book.customers:
                # Its customer was merged into another, who is not locked here: it is theirs to hear.
                ends = (APPROVAL_ENDS, str(waiting.approval.approval_id), waiting.approval.expires_at)
                book.changes.set_timer(waiting.customer_id, *ends)
                continue
            outcome = expire(waiting.approval, tx.now)
            if outcome.state is waiting.approval:
                continue
            subject = subject_of(book, self._shelf, waiting.approval)
            await _write(tx, book, outcome, subject.case_id, ACTOR_CLOCK)
            if subject.waits:
                subject.call_off("expired", ACTOR_CLOCK)
        await tx.save(book.changes)

    async def _subject(self, tx: ApprovalStore, book: Book, waiting: ApprovalOnFile) -> Subject:
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        await tx.load_told(book)
        return subject_of(book, self._shelf, waiting.approval)


async def _write(tx: ApprovalStore, book: Book, outcome: Outcome[Approval], case_id: UUID | None, actor: str) -> None:
    approval = outcome.state
    await tx.put_approval(approval)
    customer_id = approval.customer_id or ""
    due_at = approval.expires_at if approval.state is ApprovalState.PENDING else None
    book.changes.set_timer(customer_id, APPROVAL_ENDS, str(approval.approval_id), due_at)
    tell(book, customer_id, case_id, outcome.announcements, actor)


def _told(refused: ApprovalRefused) -> Conflict | Forbidden:
    if refused.code in _NOT_THEIRS:
        return Forbidden(f"Not yours to decide: {refused}.")
    return Conflict(f"Not possible: {refused}.", code="approval-state")
