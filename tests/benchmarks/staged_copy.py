"""The limit of getting reports in with nothing decided: COPY into a staging table, then set-based statements.

Writes what a report at least leaves behind: customer, account, case, snapshot, inbox and outbox row; no encryption, no
buckets, no timers, no timeline.
"""

from __future__ import annotations

from datetime import date, datetime
from time import perf_counter
from typing import Any
from uuid import uuid4

import orjson

from shared.application.imports import CHUNK_LINES
from tests.benchmarks.stage import Stage, connect, settle

_STAGING = """
create temporary table staging (
    account_id text, customer_id text, event_id text, source text, sequence bigint, cutoff timestamptz, product text,
    card_last4 text, credit_limit bigint, principal bigint, interest bigint, fees bigint, penalty bigint, dues text,
    past_due bigint, oldest date, body text, case_id uuid, outbox_id uuid
)
"""
_STATEMENTS = (
    "insert into inbox (consumer, source, id, answer, customer_id, received_at)"
    " select 'intake', source, event_id, 'accepted', customer_id, now() from staging on conflict do nothing",
    "insert into customers (customer_id, cases_opened, created_at, updated_at)"
    " select customer_id, 1, now(), now() from staging order by customer_id on conflict do nothing",
    "insert into accounts (account_id, currency, customer_id, product, card_last4, credit_limit, sequence, cutoff_at,"
    " principal, interest, fees, penalty, reported_dues, dues, past_due, oldest_due, estimated, status, bucket,"
    " created_at, updated_at)"
    " select account_id, 'CNY', customer_id, product, card_last4, credit_limit, sequence, cutoff, principal, interest,"
    " fees, penalty, dues::jsonb, dues::jsonb, past_due, oldest, false, 'open', 'M1', now(), now() from staging"
    " on conflict (account_id, currency) do update set sequence = excluded.sequence, dues = excluded.dues,"
    " past_due = excluded.past_due, updated_at = excluded.updated_at",
    "insert into snapshots (account_id, currency, sequence, cutoff_at, received_at, stale, fingerprint, body)"
    " select account_id, 'CNY', sequence, cutoff, now(), false, '', body::jsonb from staging",
    "insert into cases (case_id, customer_id, ordinal, state, bucket, policy_version, opened_at, updated_at)"
    " select case_id, customer_id, 1, 'open', 'M1', 1, now(), now() from staging s"
    " where not exists (select from cases c where c.customer_id = s.customer_id and c.state = 'open')",
    "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)"
    " select outbox_id, 'arrears.account', customer_id, 'arrears.account.delinquent.v1',"
    " jsonb_build_object('account_id', account_id, 'past_due', past_due), now(), 0 from staging",
    "truncate staging",
)


async def run(stage: Stage, lines: list[bytes]) -> float:
    """Lines a second, read from memory as rows already."""
    dsn = await stage.database("bench_import")
    await settle(dsn)
    rows = [_row(line) for line in lines]
    connection = await connect(dsn)
    await connection.execute(_STAGING)
    began = perf_counter()
    for at in range(0, len(rows), CHUNK_LINES):
        async with connection.transaction():
            await connection.copy_records_to_table("staging", records=rows[at : at + CHUNK_LINES])
            for statement in _STATEMENTS:
                await connection.execute(statement)
    took = perf_counter() - began
    await connection.close()
    return len(rows) / took


def _row(line: bytes) -> tuple[Any, ...]:
    event = orjson.loads(line)
    data = event["data"]
    dues = [[due["due_date"], due["minimum_due"], due["unpaid"]] for due in data["dues"]]
    return (
        *(data["account_id"], data["customer_id"], event["id"], event["source"], data["sequence"]),
        *(datetime.fromisoformat(data["cutoff_at"]), data["product"], data["card_last4"], data["credit_limit"]),
        *(data["balances"][part] for part in ("principal", "interest", "fees", "penalty")),
        *(orjson.dumps(dues).decode(), sum(due[2] for due in dues), date.fromisoformat(dues[0][0])),
        *(orjson.dumps({"balances": data["balances"], "dues": dues}).decode(), uuid4(), uuid4()),
    )
