"""Complaints: the most urgent answer first. Their texts are only read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_OPEN = "c.state in ('received', 'acknowledged', 'responded', 'escalated')"
_UNANSWERED = "c.responded_at is null and c.state <> 'resolved'"
_COLUMNS = """
    c.complaint_id, c.customer_id, c.case_id, c.account_id, c.category, c.channel, c.complexity, c.state, c.owner,
    c.received_at, c.acknowledge_by, c.answer_by, c.answer_on, c.acknowledged_at, c.responded_at, c.resolved_at,
    c.escalated_at, c.outcome, c.extension_reason, c.extension_approved_by, c.hold_id, c.created_by, c.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplaintFilter:
    """``answer_before``: not answered yet, and due before then."""

    state: str | None = None
    open: bool | None = None
    customer_id: str | None = None
    account_id: str | None = None
    case_id: UUID | None = None
    category: str | None = None
    owner: str | None = None
    answer_before: datetime | None = None


async def get_complaint(conn: Any, complaint_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, version, sealed text, sealed response), or None."""
    where = Where().add("c.complaint_id = {}", complaint_id).sees_customer("c.customer_id", scope)
    return await conn.fetchrow(
        f"""
        select to_json(found), found.row_version, sealed.text_enc, sealed.response_enc
        from (select {_COLUMNS} from complaints c {where}) found join complaints sealed using (complaint_id)
        """,  # noqa: S608 - built of constants
        *where.args,
    )


async def list_complaints(
    conn: Any, wanted: ComplaintFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By answer_by, complaint_id, the first to be answered first."""
    where = Where().sees_customer("c.customer_id", scope)
    where.matching(
        c__state=wanted.state,
        c__customer_id=wanted.customer_id,
        c__account_id=wanted.account_id,
        c__case_id=wanted.case_id,
        c__category=wanted.category,
        c__owner=wanted.owner,
    )
    where.given(f"({_OPEN}) = {{}}", wanted.open)
    where.given(f"{_UNANSWERED} and c.answer_by < {{}}", wanted.answer_before)
    keys = ("c.answer_by", "c.complaint_id")
    return await page(conn, _COLUMNS, "complaints c", where, keys, after=after, limit=limit, descending=False)
