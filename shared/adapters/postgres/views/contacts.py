"""Contacts by people and diallers: what was asked, what was answered, what was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Scope, Where, page

_CONTACT = """
    {0}.customer_id, {0}.case_id, {0}.point_id as contact_point_id, {0}.channel, {0}.purpose, {0}.target, {0}.person_id,
    {0}.account_ids, {0}.announcement, {0}.party, {0}.party_name
"""
_PERMIT = f"""
    p.permit_id, {_CONTACT.format("p")}, p.state, p.expires_at, jsonb_build_object(
        'outcome', p.decision -> 'outcome', 'until', p.decision -> 'until', 'release', p.decision -> 'release',
        'rule_set', p.decision -> 'rule_set', 'fired', p.decision -> 'fired', 'lift', p.decision -> 'lift',
        'facts', p.decision -> 'facts') as decision,
    p.asked_by, p.asked_at, p.closed_at, p.closed_by, p.close_reason, p.row_version
"""
_ATTEMPT = f"""
    a.attempt_id, a.permit_id, a.permitted, {_CONTACT.format("a")},
    case when a.outbound then 'outbound' else 'inbound' end as direction, a.outcome,
    case when a.outcome not in ('sent', 'unknown') then a.outcome = 'right_party' end as right_party, a.effective_talk,
    a.talk_seconds, a.recording, a.at, a.recorded_at, a.recorded_by
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitFilter:
    customer_id: str | None = None
    case_id: UUID | None = None
    channel: str | None = None
    party: str | None = None
    state: str | None = None
    asked_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptFilter:
    """``made_from`` and ``made_before`` are instants of the contact itself."""

    customer_id: str | None = None
    case_id: UUID | None = None
    channel: str | None = None
    party: str | None = None
    outcome: str | None = None
    permitted: bool | None = None
    made_from: datetime | None = None
    made_before: datetime | None = None


async def get_permit(conn: Any, permit_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """JSON of a permit, and its version."""
    where = Where().add("p.permit_id = {}", permit_id).sees_customer("p.customer_id", scope)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_PERMIT} from contact_permits p {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_permits(
    conn: Any, wanted: PermitFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Any:
    """By asked_at, permit_id, newest first."""
    where = Where().sees_customer("p.customer_id", scope)
    where.matching(
        p__customer_id=wanted.customer_id,
        p__case_id=wanted.case_id,
        p__channel=wanted.channel,
        p__party=wanted.party,
        p__state=wanted.state,
        p__asked_by=wanted.asked_by,
    )
    keys = ("p.asked_at", "p.permit_id")
    return await page(conn, _PERMIT, "contact_permits p", where, keys, after=after, limit=limit)


async def get_attempt(conn: Any, attempt_id: UUID, scope: Scope) -> str | None:
    """JSON of a contact that was made."""
    where = Where().add("a.attempt_id = {}", attempt_id).sees_customer("a.customer_id", scope)
    found: str | None = await conn.fetchval(
        f"select to_json(found) from (select {_ATTEMPT} from contact_attempts a {where}) found",  # noqa: S608 - built
        *where.args,
    )
    return found


async def list_attempts(
    conn: Any, wanted: AttemptFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Any:
    """By recorded_at, attempt_id, newest first."""
    where = Where().sees_customer("a.customer_id", scope)
    where.matching(
        a__customer_id=wanted.customer_id,
        a__case_id=wanted.case_id,
        a__channel=wanted.channel,
        a__party=wanted.party,
        a__outcome=wanted.outcome,
        a__permitted=wanted.permitted,
    )
    where.given("a.at >= {}", wanted.made_from).given("a.at < {}", wanted.made_before)
    keys = ("a.recorded_at", "a.attempt_id")
    return await page(conn, _ATTEMPT, "contact_attempts a", where, keys, after=after, limit=limit)
