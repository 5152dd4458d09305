"""The two wheels that write most, against their own statements from memory: what is not the database's is ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

from services.scheduler.loop import BATCH
from services.suite import Suite
from shared.adapters.clock import move_manual_clock
from shared.adapters.postgres.pool import Pool
from shared.application.clockwork import run_due
from tests.benchmarks import pipeline
from tests.benchmarks.outcome import Line, median
from tests.benchmarks.replay import Call, RecordingPool, replay
from tests.benchmarks.stage import Stage, connect, settle

DUE, TRIED = "bench_due_book", "bench_own_sql"
TARGET = 0.5


@dataclass(frozen=True, slots=True)
class Wheel:
    """``owner`` holds the unit of work as ``_work``; ``done`` counts what a turn does, by SQL."""

    line: str
    unit: str
    role: str
    at: datetime
    owner: Callable[[Suite], Any]
    turn: Callable[[Suite], Awaitable[object]]
    done: str


async def run(stage: Stage) -> None:
    """By turns on copies of one book: ours, and what ours had sent to the database, one transaction after the other."""
    count = max(2_000, stage.options.accounts // 5)
    async with pipeline.planned(stage, DUE, count) as (suite, connection):
        await pipeline.take_up(suite, connection)
        await connection.execute("update outbox set sent_at = now() where sent_at is null")
    for wheel in WHEELS:
        transactions = await _recorded(stage, wheel, count)
        ours, replayed = [], []
        for _ in range(stage.options.rounds):
            replayed.append(await _replayed(stage, wheel, transactions, count))
            ours.append(await _turned(stage, wheel, count))
        stage.add(Line(wheel.line, median(ours), wheel.unit, median(replayed), TARGET))
    await stage.drop(TRIED)
    await stage.drop(DUE)


async def _turned(stage: Stage, wheel: Wheel, count: int) -> float:
    dsn = await _copy(stage, wheel)
    async with stage.suite(dsn) as suite:
        began = perf_counter()
        await wheel.turn(suite)
        took = perf_counter() - began
    await _check(dsn, wheel, count)
    return count / took


async def _recorded(stage: Stage, wheel: Wheel, count: int) -> list[list[Call]]:
    dsn = await _copy(stage, wheel)
    async with stage.suite(dsn) as suite:
        work = wheel.owner(suite)._work
        work._pool = pool = RecordingPool(work._pool)
        await wheel.turn(suite)
    await _check(dsn, wheel, count)
    return pool.transactions


async def _replayed(stage: Stage, wheel: Wheel, transactions: list[list[Call]], count: int) -> float:
    dsn = await _copy(stage, wheel)
    pool = await Pool.open(dsn, size=1, role=wheel.role)
    began = perf_counter()
    await replay(pool, transactions)
    took = perf_counter() - began
    await pool.close()
    await _check(dsn, wheel, count)
    return count / took


async def _copy(stage: Stage, wheel: Wheel) -> str:
    """A fresh copy of the book, at the wheel's time."""
    dsn = await stage.database(TRIED, like=DUE)
    connection = await connect(dsn)
    await move_manual_clock(connection, wheel.at)
    await connection.close()
    await settle(dsn)
    return dsn


async def _check(dsn: str, wheel: Wheel, count: int) -> None:
    connection = await connect(dsn)
    done = await connection.fetchval(wheel.done)
    await connection.close()
    if done != count:
        raise RuntimeError(f"{wheel.line}: {done} of {count} were done")


async def _send(suite: Suite) -> None:
    await suite.sender.send_all()


async def _tick(suite: Suite) -> None:
    clockwork = suite.clockwork
    while await run_due(clockwork._work, clockwork._table, BATCH):
        pass


WHEELS = (
    Wheel(
        line="message: marked, gateway, recorded | its own SQL from memory",
        unit="messages/s",
        role="arrears_notifier",
        at=pipeline.NOON,
        owner=lambda suite: suite.sender._sender,
        turn=_send,
        done="select count(*) from messages where state = 'done'",
    ),
    Wheel(
        line="due timer, checked again, reminder.due | its own SQL from memory",
        unit="timers/s",
        role="arrears_scheduler",
        at=pipeline.SECOND_STEP,
        owner=lambda suite: suite.clockwork,
        turn=_tick,
        done="select count(*) from outbox where type = 'arrears.reminder.due.v1' and sent_at is null",
    ),
)
