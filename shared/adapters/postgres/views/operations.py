"""What operations look at: how much waits where, who is at work, what was given up.

Each queue is measured on its own, and only what waits is counted, never what is done. A measurement that fails is
``unknown``: a zero would say that all is well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from shared.adapters.postgres.views.clauses import BUSINESS_NOW, Listed, Where, page
from shared.application.ports import BEHIND

_PATIENCE = 3.0  # seconds for one measurement


@dataclass(frozen=True, slots=True)
class Queue:
    """``depth`` waits, the oldest of it for ``oldest_seconds``; ``per_minute`` left it in the last minute (None: not
    measured here). All None when ``known`` is false, and then ``last_error`` says why."""

    name: str
    known: bool
    depth: int | None = None
    oldest_seconds: int | None = None
    per_minute: int | None = None
    last_error: str | None = None


# Rows of (name, depth, age, per_minute, last_error). Ages are in business time, but for attempts: leases are real.
_CLOCK = f"with clock as (select {BUSINESS_NOW} as now)"
_MEASUREMENTS: dict[str, str] = {
    "outbox": """
        select 'outbox', count(*), (select now from clock) - min(at),
               (select count(*) from outbox where sent_at > clock_timestamp() - interval '1 minute'), null
        from outbox where sent_at is null""",
    "timers": """
        select 'timers due', count(*), (select now from clock) - min(due_at), null::bigint, null
        from timers where due_at <= (select now from clock)""",
    "messages": """
        select case when waits_until > (select now from clock) then 'messages waiting' else 'messages due' end,
               count(*), (select now from clock) - min(waits_until), null::bigint, max(reason)
        from messages where waits_until is not null group by 1""",
    "attempts": """
        select 'attempts ' || replace(state, '_', ' '), count(*), clock_timestamp() - min(marked_real),
               null::bigint, max(code)
        from attempts where state in ('sending', 'in_doubt') group by state""",
    "parked": f"""
        select state || ' at ' || consumer, count(*), (select now from clock) - min(parked_at), null::bigint,
               (array_agg(cause order by entry desc) filter (where cause is not null))[1]
        from (select state, consumer, parked_at, entry,
                     coalesce(nullif(error, '{BEHIND}'), nullif(first_value(error) over ahead, '{BEHIND}')) as cause
              from parked where state in ('parked', 'dead')
              window ahead as (partition by consumer, customer_id order by entry)) waiting
        group by state, consumer""",  # noqa: S608 - the word is ours
    "unreadable": """
        select 'unreadable at ' || consumer, count(*), (select now from clock) - min(received_at), null::bigint,
               (array_agg(error order by entry desc))[1]
        from unreadable group by consumer""",
    "imports": """
        select 'imports ' || state, count(*), (select now from clock) - min(updated_at), null::bigint,
               (array_agg(reason order by updated_at))[1]
        from imports where state in ('created', 'receiving', 'interrupted') group by state""",
    "work": """
        select 'work items ' || state, count(*), (select now from clock) - min(created_at), null::bigint, null
        from work_items where state in ('open', 'taken') group by state""",
}
# Shown with depth 0 when nothing waits there, so that a console need not guess.
_ALWAYS: dict[str, tuple[str, ...]] = {
    "messages": ("messages due", "messages waiting"),
    "attempts": ("attempts sending", "attempts in doubt"),
    "parked": ("parked at intake", "dead at intake"),
}
# What an event that waits is kept back by: the first that its consumer has not done with for that customer.
_FRONT = """left join lateral (
    select p.entry, p.error from parked p
    where p.consumer = d.consumer and p.customer_id = d.customer_id and p.entry < d.entry
      and p.state in ('parked', 'dead') and d.state in ('parked', 'dead')
    order by p.entry limit 1
) f on true"""
_FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError)


async def measure_queues(pool: Any) -> list[Queue]:
    """Every queue, in a fixed order."""
    queues: list[Queue] = []
    for name, statement in _MEASUREMENTS.items():
        queues += await _measure(pool, name, statement)
    return queues


async def _measure(pool: Any, name: str, statement: str) -> list[Queue]:
    try:
        async with asyncio.timeout(_PATIENCE):
            rows = await pool.fetch(f"{_CLOCK} {statement}")
    except _FAILURES as error:
        return [Queue(name, known=False, last_error=type(error).__name__)]
    found = {row[0]: Queue(row[0], True, row[1], _seconds(row[2]), row[3], row[4]) for row in rows}
    for always in _ALWAYS.get(name, ()):
        found.setdefault(always, Queue(always, True, 0))
    return sorted(found.values(), key=lambda queue: queue.name)


def _seconds(age: timedelta | None) -> int | None:
    return None if age is None else max(0, int(age.total_seconds()))


async def list_workers(conn: Any, service: str | None, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By started_at, instance, newest first; ``silent_seconds`` since the last heartbeat, in real time."""
    where = Where().matching(w__service=service)
    columns = """w.instance, w.service, w.started_at, w.beat_at, w.ended_at, w.dead,
        greatest(0, extract(epoch from clock_timestamp() - w.beat_at))::bigint as silent_seconds"""
    return await page(conn, columns, "workers w", where, ("w.started_at", "w.instance"), after=after, limit=limit)


async def open_attempts(conn: Any) -> dict[str, dict[str, int]]:
    """How many attempts are ``sending`` or ``in_doubt``, by gateway."""
    rows = await conn.fetch(
        "select gateway, state, count(*) from attempts where state in ('sending', 'in_doubt') group by gateway, state"
    )
    counts: dict[str, dict[str, int]] = {}
    for gateway, state, count in rows:
        counts.setdefault(gateway, {})[state] = count
    return counts


async def list_dead_letters(
    conn: Any,
    *,
    state: str | None,
    consumer: str | None = None,
    customer_id: str | None = None,
    event_type: str | None = None,
    after: Sequence[Any] | None,
    limit: int,
) -> Listed:
    """By entry, newest first, without the events themselves; ``behind`` waits for the same customer. What waits behind
    another shows why that one failed, and which it is."""
    where = Where().matching(d__state=state, d__consumer=consumer, d__customer_id=customer_id, d__type=event_type)
    columns = f"""d.entry, d.consumer, d.customer_id, d.source, d.event_id, d.type, d.state, d.tries,
        d.not_before, case when d.error = '{BEHIND}' then coalesce(f.error, d.error) else d.error end as error,
        f.entry as waits_for, d.parked_at, d.ended_at, d.ended_by,
        (select count(*) from parked b where b.consumer = d.consumer and b.customer_id = d.customer_id
             and b.entry > d.entry and b.state in ('parked', 'dead')) as behind"""  # noqa: S608 - the word is ours
    return await page(conn, columns, f"parked d {_FRONT}", where, ("d.entry",), after=after, limit=limit)
