"""Follow-ups: the steps of the ladder that are planned, put off, done or passed over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    f.follow_up_id, f.case_id, f.customer_id, f.policy_version, f.step, f.anchor, f.kind, f.due_at, f.state, f.reason,
    f.deferred_until, f.decided_at, f.actor, f.row_version
"""
_SOURCE = "follow_ups f join cases c on c.case_id = f.case_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUpFilter:
    """``due_from`` is in, ``due_to`` is not."""

    case_id: UUID | None = None
    customer_id: str | None = None
    state: str | None = None
    kind: str | None = None
    step: str | None = None
    due_from: datetime | None = None
    due_to: datetime | None = None


async def get_follow_up(conn: Any, follow_up_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """JSON of a follow-up, and its version."""
    where = Where().sees_case("c", scope).add("f.follow_up_id = {}", follow_up_id)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_COLUMNS} from {_SOURCE} {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_follow_ups(
    conn: Any, wanted: FollowUpFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By due_at, follow_up_id, earliest first."""
    where = Where().sees_case("c", scope)
    where.matching(
        f__case_id=wanted.case_id,
        c__customer_id=wanted.customer_id,
        f__state=wanted.state,
        f__kind=wanted.kind,
        f__step=wanted.step,
    )
    where.given("f.due_at >= {}", wanted.due_from).given("f.due_at < {}", wanted.due_to)
    keys = ("f.due_at", "f.follow_up_id")
    return await page(conn, _COLUMNS, _SOURCE, where, keys, after=after, limit=limit, descending=False)
