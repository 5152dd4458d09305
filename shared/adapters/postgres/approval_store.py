"""Approvals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.approvals import ApprovalOnFile
from shared.application.principal import Principal
from shared.domain.approval import Approval, ApprovalState

_NAMES = (
    "approval_id",
    "subject",
    "subject_id",
    "content",
    "customer_id",
    "requested_by",
    "requested_at",
    "expires_at",
    "approvers",
    "involved",
    "state",
    "decided_by",
    "decided_at",
    "reason",
)
_SELECT = f"select {', '.join(_NAMES)}, row_version from approvals"  # noqa: S608 - constants only


class ApprovalTables(Session):
    async def put_approval(self, approval: Approval) -> None:
        await self.conn.execute(
            """
            insert into approvals (approval_id, subject, subject_id, content, customer_id, requested_by, requested_at,
                expires_at, approvers, involved, state, decided_by, decided_at, reason)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
            on conflict (approval_id) do update set state = excluded.state, decided_by = excluded.decided_by,
                decided_at = excluded.decided_at, reason = excluded.reason, row_version = approvals.row_version + 1
            """,
            approval.approval_id,
            approval.subject,
            approval.subject_id,
            approval.content,
            approval.customer_id,
            approval.requested_by,
            approval.requested_at,
            approval.expires_at,
            list(approval.approvers),
            sorted(approval.involved),
            approval.state.value,
            approval.decided_by,
            approval.decided_at,
            approval.reason,
        )

    async def find_approval(self, approval_id: UUID, who: Principal) -> ApprovalOnFile | None:
        where = Where().add("approval_id = {}", approval_id).sees_customer("approvals.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"{_SELECT} {where}", *where.args)
        return None if row is None else _read(row)

    async def approvals_by_id(self, approval_ids: Sequence[UUID]) -> list[ApprovalOnFile]:
        rows = await self.conn.fetch(f"{_SELECT} where approval_id = any($1::uuid[])", list(approval_ids))
        return [_read(row) for row in rows]

    async def pending_approvals(self, subject: str, subject_id: str) -> list[ApprovalOnFile]:
        rows = await self.conn.fetch(
            f"{_SELECT} where subject = $1 and subject_id = $2 and state = 'pending'", subject, subject_id
        )
        return [_read(row) for row in rows]


def _read(row: Any) -> ApprovalOnFile:
    known = dict(zip(_NAMES, row, strict=False))
    known |= {
        "approvers": tuple(known["approvers"]),
        "involved": frozenset(known["involved"]),
        "state": ApprovalState(known["state"]),
    }
    return ApprovalOnFile(Approval(**known), row["row_version"])
