"""What people entered for the clock of limitation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    e.entry_id, e.account_id, o.customer_id, e.kind, e.at, e.first, e.ends, e.proof, e.arrived, e.to_point_left,
    e.recorded_at, e.recorded_by, e.withdrawn_at, e.withdrawn_by, e.withdrawn_reason, e.row_version
"""
_SOURCE = """limitation_entries e
    join lateral (select a.customer_id from accounts a where a.account_id = e.account_id limit 1) o on true"""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryFilter:
    account_id: str | None = None
    kind: str | None = None
    in_force: bool | None = None


async def get_entry(conn: Any, entry_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, version), or None."""
    where = Where().add("e.entry_id = {}", entry_id).sees_customer("o.customer_id", scope)
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_COLUMNS} from {_SOURCE} {where}) found",  # noqa: S608
        *where.args,
    )


async def list_entries(
    conn: Any, wanted: EntryFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """The newest first."""
    where = Where().sees_customer("o.customer_id", scope)
    where.matching(e__account_id=wanted.account_id, e__kind=wanted.kind)
    where.given("(e.withdrawn_at is null) = {}", wanted.in_force)
    return await page(
        conn, _COLUMNS, _SOURCE, where, ("e.recorded_at", "e.entry_id"), after=after, limit=limit, descending=True
    )
