"""Approvals: a second person decides about what somebody proposed over their own limit, or the clock does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from shared.application.book import Book, PlanOnFile
from shared.application.clockwork import DueTimer
from shared.application.editing import EditStore, Expected, open_for_edit
from shared.application.judging import PolicyShelf, zone_of
from shared.application.plan_judging import ACTOR_CLOCK, put_plan, tell
from shared.application.principal import Principal
from shared.application.refusals import Conflict, Forbidden
from shared.domain.approval import Approval, ApprovalRefused, ApprovalState, decide, expire, request, withdraw
from shared.domain.calendar import local_date
from shared.domain.identity import derive
from shared.domain.outcome import Outcome
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_life import approve, cancel, lapses_on
from shared.domain.plan_terms import PlanRefused

APPROVAL_ENDS = "approval_ends"
_NOT_THEIRS = frozenset({"own-request", "wrong-role", "not-yours"})


@dataclass(frozen=True, slots=True)
class ApprovalOnFile:
    approval: Approval
    row_version: int = 1

    @property
    def customer_id(self) -> str:
        return self.approval.customer_id or ""


class ApprovalStore(EditStore, Protocol):
    async def load_accounts(self, book: Book) -> None: ...

    async def load_agreements(self, book: Book) -> None: ...

    async def put_approval(self, approval: Approval) -> None: ...

    async def find_approval(self, approval_id: UUID, who: Principal) -> ApprovalOnFile | None: ...

    async def approvals_by_id(self, approval_ids: Sequence[UUID]) -> list[ApprovalOnFile]: ...

    async def pending_approvals(self, subject: str, subject_id: str) -> list[ApprovalOnFile]: ...


async def ask_second_person(
    tx: ApprovalStore, book: Book, plan: Plan, case_id: UUID | None, who: Principal, until: datetime
) -> None:
    """Ask one of the plan's approvers; the caller saves the book's changes."""
    asked = Approval(
        approval_id=derive("approval", "plan", plan.plan_id, plan.fingerprint),
        subject="plan",
        subject_id=str(plan.plan_id),
        content=plan.fingerprint,
        requested_by=who.subject,
        requested_at=tx.now,
        expires_at=until,
        approvers=plan.approvers,
        customer_id=plan.customer_id,
    )
    await _write(tx, book, request(asked), case_id, who.subject)


async def drop_request(tx: ApprovalStore, book: Book, filed: PlanOnFile) -> None:
    """The plan was called off: nobody has to decide about it any more."""
    for waiting in await tx.pending_approvals("plan", str(filed.plan.plan_id)):
        asker = waiting.approval.requested_by
        outcome = withdraw(waiting.approval, asker, tx.now, "plan_cancelled")
        await _write(tx, book, outcome, filed.case_id, asker)


class ApprovalDesk:
    """What people and the clock do with requests. ``shelf`` knows zones and how long a proposal waits."""

    def __init__(self, shelf: PolicyShelf) -> None:
        self._shelf = shelf

    async def decide(
        self, tx: ApprovalStore, approval_id: UUID, granted: bool, reason: str, who: Principal, expected: Expected
    ) -> None:
        """The second person's yes or no; the plan follows it in the same step."""
        book, waiting = await open_for_edit(tx, tx.find_approval, approval_id, who, expected)
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        filed = book.agreements[waiting.customer_id].plans[UUID(waiting.approval.subject_id)]
        try:
            outcome = decide(
                waiting.approval,
                granted=granted,
                by=who.subject,
                roles={role.value for role in who.roles},
                at=tx.now,
                content=filed.plan.fingerprint,
                reason=reason,
            )
        except ApprovalRefused as refused:
            raise _told(refused) from None
        await _write(tx, book, outcome, filed.case_id, who.subject)
        zone = zone_of(book.customers[waiting.customer_id].time_zone, self._shelf.policy())
        try:
            after = approve(filed.plan, who.subject) if granted else cancel(filed.plan, _today(tx, zone), "refused")
        except PlanRefused as refused:
            raise Conflict(f"Not possible: {refused}.", code="plan-state") from None
        self._follow(book, filed, after, zone, who.subject)
        await tx.save(book.changes)

    async def withdraw(
        self, tx: ApprovalStore, approval_id: UUID, reason: str, who: Principal, expected: Expected
    ) -> None:
        """Who asked takes it back; the plan is called off with it."""
        book, waiting = await open_for_edit(tx, tx.find_approval, approval_id, who, expected)
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        filed = book.agreements[waiting.customer_id].plans[UUID(waiting.approval.subject_id)]
        try:
            outcome = withdraw(waiting.approval, who.subject, tx.now, reason)
        except ApprovalRefused as refused:
            raise _told(refused) from None
        await _write(tx, book, outcome, filed.case_id, who.subject)
        self._call_off(tx, book, filed, "withdrawn", who.subject)
        await tx.save(book.changes)

    async def tick(self, tx: ApprovalStore, book: Book, timers: Sequence[DueTimer]) -> None:
        """Nobody decided in time: the request expires, and what it was about is called off."""
        await tx.load_cases(book)
        await tx.load_accounts(book)
        await tx.load_agreements(book)
        for waiting in await tx.approvals_by_id([UUID(timer.subject) for timer in timers]):
            if waiting.customer_id not in book.customers:
                # Its customer was merged into another, who is not locked here: it is theirs to hear.
                ends = (APPROVAL_ENDS, str(waiting.approval.approval_id), waiting.approval.expires_at)
                book.changes.set_timer(waiting.customer_id, *ends)
                continue
            outcome = expire(waiting.approval, tx.now)
            if outcome.state is waiting.approval:
                continue
            filed = book.agreements[waiting.customer_id].plans[UUID(waiting.approval.subject_id)]
            await _write(tx, book, outcome, filed.case_id, ACTOR_CLOCK)
            self._call_off(tx, book, filed, "expired", ACTOR_CLOCK)
        await tx.save(book.changes)

    def _call_off(self, tx: ApprovalStore, book: Book, filed: PlanOnFile, reason: str, actor: str) -> None:
        if filed.plan.state is PlanState.PROPOSED:
            zone = zone_of(book.customers[filed.customer_id].time_zone, self._shelf.policy())
            self._follow(book, filed, cancel(filed.plan, _today(tx, zone), reason), zone, actor)

    def _follow(self, book: Book, filed: PlanOnFile, after: Outcome[Plan], zone: str, actor: str) -> None:
        tell(book, filed.customer_id, filed.case_id, after.announcements, actor)
        lapses = lapses_on(after.state, self._shelf.repayment().plans)
        put_plan(book, replace(filed, plan=after.state), zone, actor, lapses_on=lapses)


async def _write(tx: ApprovalStore, book: Book, outcome: Outcome[Approval], case_id: UUID | None, actor: str) -> None:
    approval = outcome.state
    await tx.put_approval(approval)
    customer_id = approval.customer_id or ""
    due_at = approval.expires_at if approval.state is ApprovalState.PENDING else None
    book.changes.set_timer(customer_id, APPROVAL_ENDS, str(approval.approval_id), due_at)
    tell(book, customer_id, case_id, outcome.announcements, actor)


def _today(tx: ApprovalStore, zone: str) -> date:
    return local_date(tx.now, zone)


def _told(refused: ApprovalRefused) -> Conflict | Forbidden:
    if refused.code in _NOT_THEIRS:
        return Forbidden(f"Not yours to decide: {refused}.")
    return Conflict(f"Not possible: {refused}.", code="approval-state")
