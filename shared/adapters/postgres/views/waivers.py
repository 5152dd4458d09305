"""Waivers as they stand, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_WAIVER = """
    w.waiver_id, w.customer_id, w.case_id, w.account_id, w.currency, w.component, w.amount, w.state, w.proposed_at,
    w.granted_at, w.document ->> 'cause' as cause, w.document ->> 'reason' as reason,
    (w.document #>> array['debt', 'balances', w.component])::bigint as owed,
    w.document ->> 'proposed_by' as proposed_by, w.document ->> 'granted_by' as granted_by,
    w.document -> 'approvers' as approvers, (w.document ->> 'policy_version')::int as policy_version, w.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverFilter:
    customer_id: str | None = None
    account_id: str | None = None
    case_id: UUID | None = None
    state: str | None = None
    component: str | None = None


async def get_waiver(conn: Any, waiver_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, version), or None."""
    where = Where().add("w.waiver_id = {}", waiver_id).sees_customer("w.customer_id", scope)
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_WAIVER} from waivers w {where}) found",  # noqa: S608
        *where.args,
    )


async def list_waivers(
    conn: Any, wanted: WaiverFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """Rows of (doc, proposed_at, waiver_id)."""
    where = Where().sees_customer("w.customer_id", scope)
    where.matching(
        w__customer_id=wanted.customer_id,
        w__account_id=wanted.account_id,
        w__case_id=wanted.case_id,
        w__state=wanted.state,
        w__component=wanted.component,
    )
    keys = ("w.proposed_at", "w.waiver_id")
    return await page(conn, _WAIVER, "waivers w", where, keys, after=after, limit=limit)
