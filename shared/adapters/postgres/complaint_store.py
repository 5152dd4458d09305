"""Complaints; their texts are kept encrypted."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.complaints import Complaint
from shared.application.principal import Principal
from shared.domain.complaint import ComplaintState, Complexity

_NAMES = (
    "complaint_id",
    "customer_id",
    "case_id",
    "account_id",
    "category",
    "channel",
    "complexity",
    "state",
    "owner",
    "received_at",
    "acknowledge_by",
    "answer_by",
    "answer_on",
    "acknowledged_at",
    "responded_at",
    "resolved_at",
    "escalated_at",
    "outcome",
    "extension_reason",
    "extension_approved_by",
    "hold_id",
    "created_by",
    "row_version",
)
_COLUMNS = ", ".join(f"c.{name}" for name in _NAMES)


class ComplaintTables(Session):
    async def add_complaint(self, complaint: Complaint, text: str) -> None:
        await self.conn.execute(
            """
            insert into complaints (complaint_id, customer_id, case_id, account_id, category, channel, complexity,
                about, state, owner, received_at, acknowledge_by, answer_by, answer_on, hold_id, created_by, text_enc)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            """,
            complaint.complaint_id,
            complaint.customer_id,
            complaint.case_id,
            complaint.account_id,
            complaint.category,
            complaint.channel,
            complaint.complexity.value,
            "customer" if complaint.account_id is None else "account",
            complaint.state.value,
            complaint.owner,
            complaint.received_at,
            complaint.acknowledge_by,
            complaint.answer_by,
            complaint.answer_on,
            complaint.hold_id,
            complaint.created_by,
            self.cipher.encrypt("complaints", "text", str(complaint.complaint_id), text),
        )

    async def find_complaint(self, complaint_id: UUID, who: Principal) -> Complaint | None:
        where = Where().add("c.complaint_id = {}", complaint_id).sees_customer("c.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"select {_COLUMNS} from complaints c {where}", *where.args)  # noqa: S608
        return None if row is None else _read(row)

    async def complaints_by_id(self, complaint_ids: list[UUID]) -> dict[UUID, Complaint]:
        rows = await self.conn.fetch(
            f"select {_COLUMNS} from complaints c where c.complaint_id = any($1::uuid[])",  # noqa: S608 - constants
            complaint_ids,
        )
        return {row[0]: _read(row) for row in rows}

    async def save_complaint(self, complaint: Complaint, response: str | None = None) -> None:
        key = str(complaint.complaint_id)
        await self.conn.execute(
            """
            update complaints set state = $2, complexity = $3, owner = $4, answer_by = $5, answer_on = $6,
                acknowledged_at = $7, responded_at = $8, resolved_at = $9, escalated_at = $10, outcome = $11,
                extension_reason = $12, extension_approved_by = $13, hold_id = $14,
                response_enc = coalesce($15, response_enc), row_version = row_version + 1
            where complaint_id = $1
            """,
            complaint.complaint_id,
            complaint.state.value,
            complaint.complexity.value,
            complaint.owner,
            complaint.answer_by,
            complaint.answer_on,
            complaint.acknowledged_at,
            complaint.responded_at,
            complaint.resolved_at,
            complaint.escalated_at,
            complaint.outcome,
            complaint.extension_reason,
            complaint.extension_approved_by,
            complaint.hold_id,
            None if response is None else self.cipher.encrypt("complaints", "response", key, response),
        )


def _read(row: Any) -> Complaint:
    known = dict(zip(_NAMES, row, strict=True))
    known["complexity"] = Complexity(known["complexity"])
    known["state"] = ComplaintState(known["state"])
    return Complaint(**known)
