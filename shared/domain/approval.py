"""Approvals: what needs two people gets a second one. Nobody decides about what they asked for themselves.

What is approved is a content, told by its hash: what was changed since is asked for again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.domain.announcement import Announcement
from shared.domain.outcome import Outcome, Refused


class ApprovalState(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class ApprovalRefused(Refused):
    """The request or the decision is not taken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """``subject`` is the noun (plan, settlement, waiver, policy, ...), ``subject_id`` its id, ``content`` the hash of
    what it held when approval was asked for. One of ``approvers``, which are roles, decides before ``expires_at``.
    ``involved`` are people who may not, besides who asked: who prepared it, say."""

    approval_id: UUID
    subject: str
    subject_id: str
    content: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    approvers: tuple[str, ...]
    customer_id: str | None = None
    involved: frozenset[str] = frozenset()
    state: ApprovalState = ApprovalState.PENDING
    decided_by: str | None = None
    decided_at: datetime | None = None
    reason: str = "requested"


def request(approval: Approval) -> Outcome[Approval]:
    """Raises ApprovalRefused for a request that nobody could decide, or that says not who asks."""
    if not approval.requested_by.strip():
        raise ApprovalRefused("nobody", "an approval is asked for by somebody")
    if not approval.approvers:
        raise ApprovalRefused("no-approver", "no role may approve it")
    if approval.expires_at <= approval.requested_at:
        raise ApprovalRefused("expired", "it would have expired when it is asked for")
    if approval.state is not ApprovalState.PENDING:
        raise ApprovalRefused("decided-already", f"it is {approval.state}")
    return Outcome(approval, _news("requested", approval))


def decide(
    approval: Approval,
    *,
    granted: bool,
    by: str,
    roles: Collection[str],
    at: datetime,
    content: str,
    reason: str,
) -> Outcome[Approval]:
    """A second person's decision. ``content`` is the hash of what lies before them. Raises ApprovalRefused: for one's
    own request, without a role that may, after it expired or was decided, or about another content than was asked
    about (which may be refused, not granted)."""
    _still_pending(approval)
    if at >= approval.expires_at:
        raise ApprovalRefused("expired", f"it had to be decided before {approval.expires_at.isoformat()}")
    if not by.strip():
        raise ApprovalRefused("nobody", "an approval is decided by somebody")
    if by == approval.requested_by or by in approval.involved:
        raise ApprovalRefused("own-request", "nobody decides about what they asked for or prepared themselves")
    if not set(roles) & set(approval.approvers):
        raise ApprovalRefused("wrong-role", f"one of {', '.join(approval.approvers)} decides")
    if granted and content != approval.content:
        raise ApprovalRefused("changed-since", "it was changed after approval was asked for: ask again")
    state = ApprovalState.APPROVED if granted else ApprovalState.REFUSED
    after = replace(approval, state=state, decided_by=by, decided_at=at, reason=reason)
    return Outcome(after, _news(state.value, after))


def expire(approval: Approval, at: datetime) -> Outcome[Approval]:
    """What the clock does with a request that nobody decided; before its time it does nothing."""
    if approval.state is not ApprovalState.PENDING or at < approval.expires_at:
        return Outcome(approval)
    after = replace(approval, state=ApprovalState.EXPIRED, decided_at=approval.expires_at, reason="expired")
    return Outcome(after, _news("expired", after))


def withdraw(approval: Approval, by: str, at: datetime, reason: str) -> Outcome[Approval]:
    """Who asked takes the request back. Raises ApprovalRefused."""
    _still_pending(approval)
    if by != approval.requested_by:
        raise ApprovalRefused("not-yours", "a request is withdrawn by who made it")
    after = replace(approval, state=ApprovalState.WITHDRAWN, decided_by=by, decided_at=at, reason=reason)
    return Outcome(after, _news("withdrawn", after))


def _still_pending(approval: Approval) -> None:
    if approval.state is not ApprovalState.PENDING:
        raise ApprovalRefused("decided-already", f"it is {approval.state}")


def _news(word: str, approval: Approval) -> tuple[Announcement, ...]:
    """Announced where it concerns a customer; what does not is on record all the same."""
    if approval.customer_id is None:
        return ()
    data: dict[str, Any] = {
        "approval_id": str(approval.approval_id),
        "customer_id": approval.customer_id,
        "subject": approval.subject,
        "subject_id": approval.subject_id,
        "state": approval.state.value,
        "requested_by": approval.requested_by,
        "decided_by": approval.decided_by,
        "approvers": list(approval.approvers),
        "expires_at": approval.expires_at.isoformat(),
        "reason": approval.reason,
    }
    return (Announcement("arrears.case", f"arrears.approval.{word}.v1", approval.customer_id, data),)
