"""From committed facts to recorded messages, wheel by wheel, each against the bare writes that it comes down to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from services.notifier import handlers as notifier
from services.scheduler import compose as scheduler
from services.scheduler.loop import BATCH as CUSTOMERS
from services.suite import Suite
from shared.adapters.clock import move_manual_clock
from shared.adapters.inprocess.relay import InProcessRelay
from shared.application.book import Book
from shared.application.clockwork import run_due
from shared.application.pipeline import Consumer, OurEvent
from shared.application.reminding import Reminding
from tests.benchmarks import bare_writes, books, feed
from tests.benchmarks.cost import Cost, Meter
from tests.benchmarks.outcome import Line, middle_line
from tests.benchmarks.stage import Stage, connect, settle

NOON = datetime.now(UTC).astimezone(ZoneInfo(feed.SHANGHAI)).replace(hour=12, minute=0, second=0, microsecond=0)
SECOND_STEP = NOON + timedelta(days=2)  # the seed's second text is due at 10:20 of day 7


async def run(stage: Stage) -> None:
    """Consumer pipeline, planner, messages and due timers, over a fresh book in each round."""
    count = max(2_000, stage.options.accounts // 5)
    rounds = [await _round(stage, count) for _ in range(stage.options.rounds)]
    for of_one_path in zip(*rounds, strict=True):
        stage.add(middle_line(of_one_path))


async def _round(stage: Stage, count: int) -> list[Line]:
    dsn = stage.server.dsn("bench_pipeline")
    async with booked(stage, "bench_pipeline", count) as (suite, connection):
        lines = [await _consumer(suite, connection), await _planner(suite, connection, count)]
        await settle(dsn)
        lines += await _messages(dsn, suite, connection, count)
        await settle(dsn)
        lines += await _ticks(dsn, suite, connection, count)
    return lines


@asynccontextmanager
async def booked(stage: Stage, name: str, count: int) -> AsyncIterator[tuple[Suite, Any]]:
    """A suite over a book of ``count`` overdue accounts that nobody has planned for yet, and a bare connection."""
    dsn = await stage.database(name)
    connection = await connect(dsn)
    await move_manual_clock(connection, NOON)
    async with stage.suite(dsn) as suite:
        await books.fill(suite, range(count), NOON - timedelta(hours=1), NOON)
        await settle(dsn)
        yield suite, connection
    await connection.close()


@asynccontextmanager
async def planned(stage: Stage, name: str, count: int) -> AsyncIterator[tuple[Suite, Any]]:
    """The same with a reminder due for each account, in the outbox."""
    async with booked(stage, name, count) as (suite, connection):
        await relayed(suite, (scheduler.compose(_work(suite), suite.deps.shelf)[0],))
        await settle(stage.server.dsn(name))
        yield suite, connection


async def send_all(suite: Suite, connection: Any, count: int) -> tuple[float, float]:
    """The seconds for taking ``count`` reminders up from the outbox, and for sending their messages."""
    taken_up = await take_up(suite, connection)
    began = perf_counter()
    await suite.sender.send_all()
    sent = perf_counter() - began
    done = await connection.fetchval("select count(*) from messages where state = 'done'")
    if done != count:
        raise RuntimeError(f"{done} of {count} messages were sent")
    return taken_up, sent


async def take_up(suite: Suite, connection: Any) -> float:
    """The seconds for taking the reminders up from the outbox; then their messages are due."""
    await connection.execute("update outbox set sent_at = null where type = 'arrears.reminder.due.v1'")
    await connection.execute("vacuum analyze outbox")
    return await relayed(suite, (notifier.consumer(Reminding(suite.deps.shelf)),))


async def _consumer(suite: Suite, connection: Any) -> Line:
    """The same effect twice: through relay, codec, inbox and the customers' locks, and as bare batches."""
    await connection.execute("create table bench_effect (customer_id text primary key, seen int)")
    await connection.execute("grant all on bench_effect to arrears_scheduler")
    kinds = await connection.fetch("select distinct type from outbox")

    async def effect(tx: Any, book: Book, events: Sequence[OurEvent]) -> None:
        await bare_writes.count_customers(tx.conn, [event.customer_id for event in events])

    consumer = Consumer("bench", {row[0]: effect for row in kinds})
    total = await connection.fetchval("select count(*) from outbox")
    took = await relayed(suite, (consumer,))
    await connection.execute("update outbox set sent_at = null")
    await connection.execute("vacuum analyze outbox")
    bare = await bare_writes.consume(connection)
    await connection.execute("update outbox set sent_at = null")
    await connection.execute("vacuum analyze outbox")
    return Line("outbox to effect, in process | batches, bare", total / took, "events/s", total / bare, 0.25)


async def _planner(suite: Suite, connection: Any, count: int) -> Line:
    """What an overdue account makes the planner do: a reminder issued, the next step and its timer written."""
    planner, _ = scheduler.compose(_work(suite), suite.deps.shelf)
    took = await relayed(suite, (planner,))
    issued = await connection.fetchval("select count(*) from outbox where type = 'arrears.reminder.due.v1'")
    if issued != count:
        raise RuntimeError(f"{issued} reminders for {count} accounts")
    return Line("new case to reminder.due, planned", count / took, "cases/s")


async def _messages(dsn: str, suite: Suite, connection: Any, count: int) -> list[Line]:
    meter = Meter(dsn)
    taken_up, sent = await send_all(suite, connection, count)
    cost, meter = meter.cost(count), Meter(dsn)
    bare = await bare_writes.messages(connection, count)
    limit = meter.cost(count)
    note = f"{count / sent:,.0f}/s without taking them up from the outbox; {_costs(cost, limit)}"
    as_ours = await bare_writes.messages_as_ours(connection, count)
    path, ours = "message: planned, gate, marked, gateway, recorded", count / (taken_up + sent)
    return [
        Line(f"{path} | three writes", ours, "messages/s", count / bare, 0.25, note=note),
        Line(f"{path} | three writes of our rows", ours, "messages/s", count / as_ours),
    ]


async def _ticks(dsn: str, suite: Suite, connection: Any, count: int) -> list[Line]:
    await connection.execute("update outbox set sent_at = now() where sent_at is null")
    await bare_writes.add_due_work(connection, count)
    meter = Meter(dsn)
    bare = await bare_writes.due_work(connection, count)
    limit = meter.cost(count)
    await move_manual_clock(connection, SECOND_STEP)
    planner = scheduler.compose(_work(suite), suite.deps.shelf)[1]
    meter, began = Meter(dsn), perf_counter()
    while await run_due(planner._work, planner._table, CUSTOMERS):
        pass
    took, cost = perf_counter() - began, meter.cost(count)
    issued = await connection.fetchval(
        "select count(*) from outbox where type = 'arrears.reminder.due.v1' and sent_at is null"
    )
    if issued != count:
        raise RuntimeError(f"{issued} reminders for {count} due timers")
    await bare_writes.add_follow_ups(connection, count)
    as_ours = await bare_writes.due_work_as_ours(connection, count)
    path, ours = "due timer, checked again, reminder.due", count / took
    return [
        Line(f"{path} | claim, mark, outbox", ours, "timers/s", count / bare, 0.3, note=_costs(cost, limit)),
        Line(f"{path} | a follow-up and its outbox row", ours, "timers/s", count / as_ours),
    ]


def _costs(cost: Cost, limit: Cost) -> str:
    return f"processor, ours + database: {cost}, limit {limit}, ratio {limit.all / cost.all:.2f}"


async def relayed(suite: Suite, consumers: Sequence[Consumer]) -> float:
    """The seconds until the outbox is empty."""
    relay = InProcessRelay(suite.pool, _work(suite), consumers, wake=asyncio.Event())
    began = perf_counter()
    while await relay.deliver():
        pass
    return perf_counter() - began


def _work(suite: Suite) -> Any:
    return suite.clockwork._work
