"""The limits of the pipeline: what its wheels write, in batches on one connection, with nothing decided.

Messages and due work are measured twice: short rows, which the targets are about, and our own rows (``*_as_ours``) with
our values in our tables, which tell how much of the distance is what is written and how much is how.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from itertools import islice
from time import perf_counter
from typing import Any
from uuid import uuid4

BATCH = 500
_OUTBOX = (
    "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)"
    " select gen_random_uuid(), 'arrears.reminder', id, 'arrears.bench.v1', '{\"step\": \"bench\"}', now(), 0"
    " from unnest($1::text[]) id"
)
_REMINDER = """
    insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)
    select id, 'arrears.reminder', customer_id, 'arrears.bench.v1', payload::jsonb, now(), 0
    from unnest($1::uuid[], $2::text[], $3::text[]) as k(id, customer_id, payload)
"""
_PLANNED = """
    insert into messages (message_id, customer_id, case_id, follow_up_id, about, step, anchor, policy_version, purpose,
                          template, channels, state, not_before, created_at, updated_at)
    select id, 'bench', case_id, follow_up_id, about, step, anchor, 1, purpose, template, channels::jsonb, 'planned',
           now(), now(), now()
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::date[], $7::text[], $8::text[],
                $9::text[]) as k(id, case_id, follow_up_id, about, step, anchor, purpose, template, channels)
"""
_MARKED = """
    update messages m set state = 'submitting', channel = k.channel, tries = 1, decision = k.decision::jsonb,
        updated_at = now() from unnest($1::uuid[], $2::text[], $3::text[]) as k(id, channel, decision)
    where message_id = k.id
"""
_RECORDED = "update messages set state = 'done', updated_at = now() where message_id = any($1::uuid[])"


async def count_customers(connection: Any, customer_ids: list[str]) -> None:
    await connection.execute(
        "insert into bench_effect (customer_id, seen) select id, count(*) from unnest($1::text[]) id group by id"
        " on conflict (customer_id) do update set seen = bench_effect.seen + excluded.seen",
        customer_ids,
    )


async def consume(connection: Any) -> float:
    """Read, enter into the inbox, take effect, mark sent: one transaction a batch."""
    began = perf_counter()
    while True:
        async with connection.transaction():
            rows = await connection.fetch(
                "select seq, id::text, aggregateid, payload from outbox where sent_at is null order by seq limit $1",
                BATCH,
            )
            if not rows:
                return perf_counter() - began
            await connection.execute(
                "insert into inbox (consumer, source, id, received_at)"
                " select 'bare', 'bench', id, now() from unnest($1::text[]) id on conflict do nothing",
                [row[1] for row in rows],
            )
            await count_customers(connection, [row[2] for row in rows])
            await connection.execute(
                "update outbox set sent_at = now() where seq = any($1::bigint[])", [row[0] for row in rows]
            )


async def messages(connection: Any, count: int) -> float:
    """Three batched writes a message, each in its own transaction: planned, marked, recorded."""
    ids = [uuid4() for _ in range(count)]
    batches = [ids[at : at + BATCH] for at in range(0, count, BATCH)]
    began = perf_counter()
    for batch in batches:
        await connection.execute(
            "insert into messages (message_id, customer_id, about, step, policy_version, purpose, template, channels,"
            " state, not_before, created_at, updated_at) select id, 'bench', id::text, 'bench', 1, 'dunning', 'bench',"
            " '[\"sms\"]', 'planned', now(), now(), now() from unnest($1::uuid[]) id",
            batch,
        )
    for state in ("submitting", "done"):
        for batch in batches:
            await connection.execute(
                "update messages set state = $2, updated_at = now() where message_id = any($1::uuid[])", batch, state
            )
    took = perf_counter() - began
    await connection.execute("delete from messages where customer_id = 'bench'")
    return took


async def add_due_work(connection: Any, count: int) -> None:
    """Rows that are due, and five times as many that are not."""
    await connection.execute(
        "create table bench_due (id bigint primary key, customer_id text, due_at timestamptz, state text)"
    )
    await connection.execute(
        "insert into bench_due select n, 'CUS' || n,"
        " now() + case when n <= $1 then '-1 hour' else '1 day' end::interval, 'planned'"
        " from generate_series(1, $1::bigint * 6) n",
        count,
    )
    await connection.execute("create index on bench_due (due_at) where state = 'planned'")
    await connection.execute("vacuum analyze bench_due")


async def due_work(connection: Any, count: int) -> float:
    """Claim by a partial index, mark, write outbox rows."""

    async def announce(due: Sequence[Any]) -> None:
        await connection.execute(_OUTBOX, [row[1] for row in due])

    claim = (
        "select id, customer_id from bench_due where state = 'planned' and due_at <= now()"
        " order by due_at limit $1 for update skip locked"
    )
    mark = "update bench_due set state = 'issued' where id = any($1::bigint[])"
    return await _worked_off(connection, count, claim, mark, announce)


async def _worked_off(
    connection: Any, count: int, claim: str, mark: str, announce: Callable[[Sequence[Any]], Awaitable[None]]
) -> float:
    """One transaction a batch; the seconds."""
    began, done = perf_counter(), 0
    while done < count:
        async with connection.transaction():
            due = await connection.fetch(claim, BATCH)
            await connection.execute(mark, [row[0] for row in due])
            await announce(due)
            done += len(due)
    took = perf_counter() - began
    await connection.execute("delete from outbox where type = 'arrears.bench.v1'")
    return took


async def messages_as_ours(connection: Any, count: int) -> float:
    """Three batched writes a message, each in its own transaction: the row of each message on the book is written anew,
    planned, marked with its decision, recorded as done. No attempt, no ledger, no inbox, no outbox."""
    rows = await connection.fetch(
        "select gen_random_uuid(), case_id, follow_up_id, about || message_id, step, anchor, purpose, template,"
        " channels::text, channel, decision::text from messages where state = 'done' limit $1",
        count,
    )
    batches = [list(map(list, zip(*rows[at : at + BATCH], strict=True))) for at in range(0, len(rows), BATCH)]
    began = perf_counter()
    for columns in batches:
        await connection.execute(_PLANNED, *columns[:9])
    for columns in batches:
        await connection.execute(_MARKED, columns[0], *columns[9:])
    for columns in batches:
        await connection.execute(_RECORDED, columns[0])
    took = perf_counter() - began
    await connection.execute("delete from messages where customer_id = 'bench'")
    return took


async def add_follow_ups(connection: Any, count: int) -> None:
    """Copies of the book's follow-ups that are due, and five times as many that are not."""
    await connection.execute(
        "insert into follow_ups (follow_up_id, case_id, customer_id, policy_version, step, anchor, kind, due_at, state,"
        " decided_at) select gen_random_uuid(), gen_random_uuid(), 'bench', policy_version, step, anchor, kind,"
        " now() + case when turn = 1 then '-1 year' else '1 year' end::interval, 'planned', now()"
        " from (select * from follow_ups where state = 'planned' limit $1) f, generate_series(1, 6) turn",
        count,
    )
    await connection.execute("vacuum analyze follow_ups")


async def due_work_as_ours(connection: Any, count: int) -> float:
    """The same with follow-ups, and reminders that ours wrote, at hand as text."""
    rows = await connection.fetch(
        "select payload::text from outbox where type = 'arrears.reminder.due.v1' limit $1", count
    )
    reminders = iter([(uuid4(), row[0]) for row in rows])

    async def announce(due: Sequence[Any]) -> None:
        ids, payloads = zip(*islice(reminders, len(due)), strict=True)
        await connection.execute(_REMINDER, ids, [row[1] for row in due], payloads)

    claim = (
        "select follow_up_id, case_id::text from follow_ups where state in ('planned', 'deferred')"
        " and due_at <= now() - interval '1 month' order by due_at limit $1 for update skip locked"
    )
    mark = "update follow_ups set state = 'issued', decided_at = now() where follow_up_id = any($1::uuid[])"
    took = await _worked_off(connection, count, claim, mark, announce)
    await connection.execute("delete from follow_ups where customer_id = 'bench'")
    await connection.execute("vacuum analyze follow_ups")
    return took
