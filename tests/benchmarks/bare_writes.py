"""The limits of the pipeline: what its wheels write, in batches on one connection, with nothing decided."""

from __future__ import annotations

from time import perf_counter
from typing import Any
from uuid import uuid4

BATCH = 500
_OUTBOX = (
    "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)"
    " select gen_random_uuid(), 'arrears.reminder', id, 'arrears.bench.v1', '{\"step\": \"bench\"}', now(), 0"
    " from unnest($1::text[]) id"
)


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
    began, done = perf_counter(), 0
    while done < count:
        async with connection.transaction():
            rows = await connection.fetch(
                "select id, customer_id from bench_due where state = 'planned' and due_at <= now()"
                " order by due_at limit $1 for update skip locked",
                BATCH,
            )
            await connection.execute(
                "update bench_due set state = 'issued' where id = any($1::bigint[])", [row[0] for row in rows]
            )
            await connection.execute(_OUTBOX, [row[1] for row in rows])
            done += len(rows)
    took = perf_counter() - began
    await connection.execute("delete from outbox where type = 'arrears.bench.v1'")
    return took
