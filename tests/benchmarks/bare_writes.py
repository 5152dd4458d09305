"""The limits of the pipeline: what its wheels write, in batches on one connection, with nothing decided.

The rows are those that ours writes, in the same tables: the values of a message, a follow-up and an event are taken
from the book before the clock starts. Short rows in a table made for it are written up to twice as quickly, and say
what the database could do for somebody who writes something else.
"""

from __future__ import annotations

from itertools import islice
from time import perf_counter
from typing import Any
from uuid import uuid4

BATCH = 500
_OUTBOX = """
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


async def add_due_work(connection: Any, count: int) -> None:
    """Copies of the book's follow-ups that are due, and five times as many that are not."""
    await connection.execute(
        "insert into follow_ups (follow_up_id, case_id, customer_id, policy_version, step, anchor, kind, due_at, state,"
        " decided_at) select gen_random_uuid(), gen_random_uuid(), 'bench', policy_version, step, anchor, kind,"
        " now() + case when turn = 1 then '-1 year' else '1 year' end::interval, 'planned', now()"
        " from (select * from follow_ups where state = 'planned' limit $1) f, generate_series(1, 6) turn",
        count,
    )
    await connection.execute("vacuum analyze follow_ups")


async def due_work(connection: Any, count: int) -> float:
    """Claim by a partial index, mark, write outbox rows: reminders that ours wrote, at hand as text."""
    rows = await connection.fetch(
        "select payload::text from outbox where type = 'arrears.reminder.due.v1' limit $1", count
    )
    reminders = iter([(uuid4(), row[0]) for row in rows])
    began, done = perf_counter(), 0
    while done < count:
        async with connection.transaction():
            due = await connection.fetch(
                "select follow_up_id, case_id::text from follow_ups where state in ('planned', 'deferred')"
                " and due_at <= now() - interval '1 month' order by due_at limit $1 for update skip locked",
                BATCH,
            )
            await connection.execute(
                "update follow_ups set state = 'issued', decided_at = now() where follow_up_id = any($1::uuid[])",
                [row[0] for row in due],
            )
            news = list(islice(reminders, len(due)))
            await connection.execute(
                _OUTBOX, [id_ for id_, _ in news], [row[1] for row in due], [payload for _, payload in news]
            )
            done += len(due)
    took = perf_counter() - began
    await connection.execute("delete from outbox where type = 'arrears.bench.v1'")
    await connection.execute("delete from follow_ups where customer_id = 'bench'")
    await connection.execute("vacuum analyze follow_ups")
    return took
