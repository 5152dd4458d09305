"""Books of a given size to measure on, filled by the product itself and kept for the length of the run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter

from services.suite import Suite
from shared.application.facts import InboundEvent, read_event
from shared.application.imports import CHUNK_LINES
from shared.application.intake import ingest
from tests.benchmarks import feed
from tests.benchmarks.stage import Stage, connect, said, settle

_ready: dict[str, tuple[str, int]] = {}


async def filled(stage: Stage, name: str, accounts: int, *, days: int = 5) -> str:
    """The address of a database with ``accounts`` open cases; made at the first call of a run."""
    if _ready.get(name, ("", 0))[1] == accounts:
        return _ready[name][0]
    dsn = await stage.database(name)
    cutoff = datetime.now(UTC) - timedelta(hours=1)
    began = perf_counter()
    async with stage.suite(dsn, manual=False) as suite:
        await fill(suite, range(accounts), cutoff, datetime.now(UTC), days=days)
    await settle(dsn)
    said(f"  a book of {accounts:,} accounts in {perf_counter() - began:.0f} s")
    _ready[name] = (dsn, accounts)
    return dsn


async def fill(suite: Suite, numbers: range, cutoff: datetime, now: datetime, *, days: int = 5) -> None:
    for at in range(0, len(numbers), CHUNK_LINES):
        lines = feed.reports(numbers[at : at + CHUNK_LINES], cutoff, days)
        read = [read_event(line, now) for line in lines]
        events = [event for event in read if isinstance(event, InboundEvent)]
        verdicts = await ingest(suite.deps.work, suite.deps.shelf, events)
        if any(verdict.answer != "accepted" for verdict in verdicts):
            raise RuntimeError("the book could not be filled")


async def add_work(dsn: str, items: int) -> None:
    """Work items for people on the cases of the book, the kinds and days mixed."""
    connection = await connect(dsn)
    try:
        await connection.execute(
            """
            insert into work_items (item_id, follow_up_id, case_id, customer_id, kind, step, bucket, past_due, priority,
                                    due_on, state, created_at, amount)
            select gen_random_uuid(), gen_random_uuid(), c.case_id, c.customer_id,
                   (array['call', 'visit', 'letter', 'legal'])[1 + n % 4], 'bench', c.bucket, '{"CNY": 50000}', n % 7,
                   current_date - (n % 60)::int, 'open', now(), 50000
            from generate_series(1, $1::bigint) n
            join (select case_id, customer_id, bucket, row_number() over () - 1 as place from cases) c
                on c.place = n % $2::bigint
            """,
            items,
            await connection.fetchval("select count(*) from cases"),
        )
    finally:
        await connection.close()
