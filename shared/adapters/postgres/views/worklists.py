"""Worklists: what people have to do, worst bucket first, then the longest due. A page comes from the index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    w.item_id, w.follow_up_id, w.case_id, w.customer_id, w.kind, w.step, w.bucket, w.past_due, w.priority, w.due_on,
    w.state, w.assignee, w.team, w.outcome, w.created_at, w.taken_at, w.ended_at, w.row_version
"""
# Written out, not as an argument: only then can the planner see that the partial index holds them.
_STATES = {
    None: "w.state in ('open', 'taken')",
    "open": "w.state = 'open'",
    "taken": "w.state = 'taken'",
    "done": "w.state = 'done'",
    "cancelled": "w.state = 'cancelled'",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkFilter:
    """``state`` None: what is still to be done, taken or not. ``due_before`` is not in."""

    state: str | None = None
    kind: str | None = None
    assignee: str | None = None
    team: str | None = None
    bucket: str | None = None
    customer_id: str | None = None
    case_id: UUID | None = None
    due_before: date | None = None


async def get_work(conn: Any, item_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, version, sealed note), or None."""
    where = Where().add("w.item_id = {}", item_id).sees_case("c", scope)
    return await conn.fetchrow(
        f"""
        select to_json(found), found.row_version, sealed.note_enc
        from (select {_COLUMNS} from work_items w join cases c on c.case_id = w.case_id {where}) found
        join work_items sealed using (item_id)
        """,  # noqa: S608 - built of constants
        *where.args,
    )


async def list_work(conn: Any, wanted: WorkFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By priority, due_on, item_id."""
    where, source = listing(wanted, scope)
    keys = ("w.priority", "w.due_on", "w.item_id")
    return await page(conn, _COLUMNS, source, where, keys, after=after, limit=limit, descending=False)


def listing(wanted: WorkFilter, scope: Scope) -> tuple[Where, str]:
    where = Where(_STATES[wanted.state])
    where.matching(
        w__kind=wanted.kind,
        w__assignee=wanted.assignee,
        w__team=wanted.team,
        w__bucket=wanted.bucket,
        w__case_id=wanted.case_id,
    )
    where.given("w.due_on < {}", wanted.due_before)
    where.given("w.case_id in (select case_id from cases where customer_id = {})", wanted.customer_id)
    if scope.subject is None:
        return where, "work_items w"
    return where.sees_case("c", scope), "work_items w join cases c on c.case_id = w.case_id"
