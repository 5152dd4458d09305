"""Settlements as they stand, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_SETTLEMENT = """
    s.settlement_id, s.customer_id, s.case_id, s.currency, s.state, s.owed, s.pays, s.received, s.proposed_at,
    s.document, s.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementFilter:
    customer_id: str | None = None
    case_id: UUID | None = None
    state: str | None = None
    instrument: str | None = None


async def get_settlement(conn: Any, settlement_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text with the settlement's ``document``, version), or None."""
    where = Where().add("s.settlement_id = {}", settlement_id).sees_customer("s.customer_id", scope)
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_SETTLEMENT} from settlements s {where}) found",  # noqa: S608
        *where.args,
    )


async def list_settlements(
    conn: Any, wanted: SettlementFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """Rows of (doc, proposed_at, settlement_id)."""
    where = Where().sees_customer("s.customer_id", scope)
    where.matching(
        s__customer_id=wanted.customer_id,
        s__case_id=wanted.case_id,
        s__state=wanted.state,
        s__instrument=wanted.instrument,
    )
    keys = ("s.proposed_at", "s.settlement_id")
    return await page(conn, _SETTLEMENT, "settlements s", where, keys, after=after, limit=limit)
