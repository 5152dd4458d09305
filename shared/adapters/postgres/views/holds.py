"""Holds: who is left in peace, why, and until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import BUSINESS_NOW, Listed, Scope, Where, page

_IN_FORCE = f"(h.released_at is null and (h.ends_at is null or h.ends_at > {BUSINESS_NOW}))"
_COLUMNS = """
    h.hold_id, h.customer_id, h.account_id, h.kind, h.reason, h.disputed, h.origin, h.placed_at, h.placed_by, h.ends_at,
    h.released_at, h.released_by, h.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFilter:
    customer_id: str | None = None
    account_id: str | None = None
    kind: str | None = None
    in_force: bool | None = None


async def get_hold(conn: Any, hold_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """JSON of a hold, and its version."""
    where = Where().add("h.hold_id = {}", hold_id).sees_customer("h.customer_id", scope)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_COLUMNS} from holds h {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_holds(conn: Any, wanted: HoldFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By placed_at, hold_id, newest first."""
    where = Where().sees_customer("h.customer_id", scope)
    where.matching(h__customer_id=wanted.customer_id, h__account_id=wanted.account_id, h__kind=wanted.kind)
    where.given(f"{_IN_FORCE} = {{}}", wanted.in_force)
    return await page(conn, _COLUMNS, "holds h", where, ("h.placed_at", "h.hold_id"), after=after, limit=limit)
