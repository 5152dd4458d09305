"""What people agreed to and asked for, and who stands beside the debtor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Scope, Where, in_force, page

_HOURS = """
    h.hours_id, h.customer_id, h.kind, h.channel, to_char(h.from_time, 'HH24:MI') as from_time,
    to_char(h.to_time, 'HH24:MI') as to_time, h.weekdays, h.given_by, h.proof, h.starts_at, h.ends_at, h.withdrawn_at,
    h.withdrawn_by, h.recorded_at, h.recorded_by, h.row_version
"""
_PERSON = """
    t.person_id, t.customer_id, t.relation, t.kind, t.source, t.evidence, t.guarantee_until, t.within_estate,
    t.refused_at, t.refusal_source, t.recorded_at, t.recorded_by, t.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursFilter:
    customer_id: str | None = None
    kind: str | None = None
    in_force: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ThirdPartyFilter:
    customer_id: str | None = None
    relation: str | None = None
    refused: bool | None = None


async def get_hours(conn: Any, hours_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """JSON of the hours, and their version."""
    where = Where().add("h.hours_id = {}", hours_id).sees_customer("h.customer_id", scope)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_HOURS} from contact_hours h {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_hours(conn: Any, wanted: HoursFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int) -> Any:
    """By recorded_at, hours_id, newest first."""
    where = Where().sees_customer("h.customer_id", scope)
    where.matching(h__customer_id=wanted.customer_id, h__kind=wanted.kind)
    where.given(f"{in_force('h')} = {{}}", wanted.in_force)
    keys = ("h.recorded_at", "h.hours_id")
    return await page(conn, _HOURS, "contact_hours h", where, keys, after=after, limit=limit)


async def get_third_party(conn: Any, person_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """JSON of a third party, and its version."""
    where = Where().add("t.person_id = {}", person_id).sees_customer("t.customer_id", scope)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_PERSON} from third_parties t {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_third_parties(
    conn: Any, wanted: ThirdPartyFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Any:
    """By recorded_at, person_id, newest first."""
    where = Where().sees_customer("t.customer_id", scope)
    where.matching(t__customer_id=wanted.customer_id, t__relation=wanted.relation)
    where.given("(t.refused_at is not null) = {}", wanted.refused)
    keys = ("t.recorded_at", "t.person_id")
    return await page(conn, _PERSON, "third_parties t", where, keys, after=after, limit=limit)
