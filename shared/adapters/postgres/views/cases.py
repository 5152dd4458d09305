"""Cases, their notes, and everything that happened on them in one line of time."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from shared.adapters.postgres.session import Cipher
from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    c.case_id, c.customer_id, c.ordinal, c.state, c.bucket, c.policy_version, c.opened_at, c.reopened_at, c.reopenings,
    c.ended_at, c.end_reason, c.owner, c.team, c.row_version, c.updated_at
"""
_LISTED = f"{_COLUMNS}, standing.anchor, coalesce(standing.past_due, '{{}}'::jsonb) as past_due, standing.segment"
_WITH_STANDING = """cases c left join lateral (
    select s.anchor, s.past_due, s.segment from case_standings s where s.case_id = c.case_id order by s.seq desc limit 1
) standing on true"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseFilter:
    """``opened_from`` is in, ``opened_to`` is not."""

    state: str | None = None
    bucket: str | None = None
    owner: str | None = None
    team: str | None = None
    unassigned: bool | None = None
    customer_id: str | None = None
    opened_from: datetime | None = None
    opened_to: datetime | None = None


async def get_case(conn: Any, case_id: UUID, scope: Scope) -> tuple[str, int] | None:
    """JSON of a case, and its version. Nothing in it but the row, so that the version tells all of it."""
    where = Where().sees_case("c", scope).add("c.case_id = {}", case_id)
    row = await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_COLUMNS} from cases c {where}) found",  # noqa: S608
        *where.args,
    )
    return None if row is None else (row[0], row[1])


async def list_cases(conn: Any, wanted: CaseFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By opened_at, case_id, newest first."""
    where = Where().sees_case("c", scope)
    where.matching(
        c__state=wanted.state,
        c__bucket=wanted.bucket,
        c__owner=wanted.owner,
        c__team=wanted.team,
        c__customer_id=wanted.customer_id,
    )
    where.given("(c.owner is null and c.team is null) = {}", wanted.unassigned)
    where.given("c.opened_at >= {}", wanted.opened_from).given("c.opened_at < {}", wanted.opened_to)
    return await page(conn, _LISTED, _WITH_STANDING, where, ("c.opened_at", "c.case_id"), after=after, limit=limit)


async def list_notes(
    conn: Any, case_id: UUID, *, author: str | None = None, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By written_at, note_id, newest first, sealed: to be read by ``note``."""
    where = Where().add("n.case_id = {}", case_id).given("n.author = {}", author)
    columns = "n.note_id, n.case_id, n.author, n.written_at, encode(n.text_enc, 'base64') as text"
    return await page(conn, columns, "notes n", where, ("n.written_at", "n.note_id"), after=after, limit=limit)


def note(sealed: str, cipher: Cipher) -> dict[str, Any]:
    """A note with its text."""
    found: dict[str, Any] = orjson.loads(sealed)
    found["text"] = cipher.decrypt("notes", "text", found["note_id"], b64decode(found["text"]))
    return found


async def list_timeline(
    conn: Any, case_id: UUID, kind: str | None, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By at, kind, id, newest first. Payments that an event tells of already are not told twice."""
    where = Where().given("line.kind = {}", kind)
    source = _TIMELINE.format(case_id=where.arg(case_id))
    columns = "line.at, line.kind, line.id, line.what, line.actor, line.data"
    return await page(conn, columns, source, where, ("line.at", "line.kind", "line.id"), after=after, limit=limit)


_TIMELINE = """(
    select e.at, 'event' as kind, lpad(e.entry::text, 20, '0') as id, e.kind as what, e.actor, e.data::json as data
    from case_events e
    where e.case_id = {case_id}
    union all
    select f.decided_at, 'follow_up', f.follow_up_id::text, 'follow_up.' || f.state, f.actor,
           json_build_object('step', f.step, 'kind', f.kind, 'anchor', f.anchor, 'due_at', f.due_at, 'reason', f.reason,
                             'deferred_until', f.deferred_until)
    from follow_ups f where f.case_id = {case_id} and f.state <> 'planned'
    union all
    select m.created_at, 'message', m.message_id::text, 'message.' || m.state, 'system',
           json_build_object('step', m.step, 'channels', m.channels, 'channel', m.channel, 'purpose', m.purpose,
                             'template', m.template, 'reason', m.reason, 'tries', m.tries)
    from messages m where m.case_id = {case_id}
    union all
    select t.marked_at, 'attempt', t.attempt_id::text, 'attempt.' || t.state, t.gateway,
           json_build_object('message_id', t.message_id, 'channel', t.channel, 'outcome_at', t.outcome_at,
                             'code', t.code, 'error', t.error)
    from attempts t join messages m on m.message_id = t.message_id where m.case_id = {case_id}
    union all
    select p.posted_at, 'payment', p.source || ' ' || p.payment_id, 'payment.posted', 'core-banking',
           json_build_object('payment_id', p.payment_id, 'source', p.source, 'account_id', p.account_id,
                             'currency', p.currency, 'amount', p.amount, 'reversed_amount', p.reversed_amount,
                             'value_date', p.value_date)
    from cases c join payments p on p.customer_id = c.customer_id
        and p.posted_at >= c.opened_at and (c.ended_at is null or p.posted_at <= c.ended_at)
    where c.case_id = {case_id} and not exists (
        select from case_events told where told.case_id = c.case_id and told.kind = 'payment.received'
            and told.data->>'payment_id' = p.payment_id)
) line"""
