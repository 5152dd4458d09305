"""Where people live, what places their numbers are at, what they agreed to, and where they are not to be contacted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Scope, Where, in_force, page

_COLUMNS = """
    n.circumstance_id, n.customer_id, n.kind, n.value, n.point_id as contact_point_id, n.given_by, n.proof, n.starts_at,
    n.ends_at, n.withdrawn_at, n.withdrawn_by, n.recorded_at, n.recorded_by, n.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircumstanceFilter:
    customer_id: str | None = None
    kind: str | None = None
    in_force: bool | None = None


async def get_circumstance(conn: Any, circumstance_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """Its JSON, and its version."""
    where = Where().add("n.circumstance_id = {}", circumstance_id).sees_customer("n.customer_id", scope)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_COLUMNS} from contact_circumstances n {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_circumstances(
    conn: Any, wanted: CircumstanceFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Any:
    """By recorded_at, circumstance_id, newest first."""
    where = Where().sees_customer("n.customer_id", scope)
    where.matching(n__customer_id=wanted.customer_id, n__kind=wanted.kind)
    where.given(f"{in_force('n')} = {{}}", wanted.in_force)
    keys = ("n.recorded_at", "n.circumstance_id")
    return await page(conn, _COLUMNS, "contact_circumstances n", where, keys, after=after, limit=limit)
