"""Lines into the book: an import over HTTP, the same file again, and the same lines in batches of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import Any

import httpx
import psutil

from services.api.dev_issuer import DevIssuer
from shared.adapters.postgres.pool import Pool
from shared.application.facts import InboundEvent, read_event
from shared.application.imports import CHUNK_LINES
from shared.application.intake import ingest
from shared.application.principal import Role
from tests.benchmarks import feed, staged_copy
from tests.benchmarks.load import post, run_load
from tests.benchmarks.outcome import Line, Rate, median, middle
from tests.benchmarks.replay import Call, RecordingPool, replay
from tests.benchmarks.serve import served
from tests.benchmarks.stage import Stage, connect, said, settle

BATCH = 500
PIECE = 256 * 1024


async def run(stage: Stage) -> None:
    """The first import against its own statements and against bare COPY; then what repeats it."""
    count = 1_000_000 if stage.options.full else max(2_000, stage.options.accounts // 5)
    cutoff = datetime.now(UTC) - timedelta(hours=1)
    lines = list(feed.reports(range(min(count, 100_000)), cutoff))
    transactions = await _recorded(stage, lines)
    firsts, agains, replays, copies, batches = [], [], [], [], []
    for _ in range(stage.options.rounds):
        replays.append(await _replayed(stage, transactions, len(lines)))
        copies.append(await staged_copy.run(stage, lines))
        first, again = await _imported(stage, lines)
        firsts.append(first)
        agains.append(again)
        batches.append(await _in_batches(stage, lines))
    first, again = median(firsts), median(agains)
    stage.add(Line("import over HTTP | its own SQL from memory", first, "lines/s", median(replays), 0.5))
    stage.add(Line("import over HTTP | COPY, upserts, outbox, bare", first, "lines/s", median(copies), 0.5))
    stage.add(Line("the same import again | the first", again, "lines/s", first, 2.0))
    batch = middle(batches)
    stage.add(Line(f"events in batches of {BATCH} | import", batch.per_second, "events/s", first, 0.5))
    if count > len(lines):
        await _long_import(stage, count, cutoff)


async def _recorded(stage: Stage, lines: list[bytes]) -> list[list[Call]]:
    """What our code sends to the database for these lines."""
    dsn = await stage.database("bench_import")
    async with stage.suite(dsn, manual=False) as suite:
        pool = RecordingPool(suite.pool)
        work, now = suite.deps.work.on(pool), datetime.now(UTC)
        for at in range(0, len(lines), CHUNK_LINES):
            read = [read_event(line, now) for line in lines[at : at + CHUNK_LINES]]
            events = [event for event in read if isinstance(event, InboundEvent)]
            await ingest(work, suite.deps.shelf, events)
    return pool.transactions


async def _replayed(stage: Stage, transactions: list[list[Call]], count: int) -> float:
    dsn = await stage.database("bench_import")
    pool = await Pool.open(dsn, size=1, role="arrears_api")
    await settle(dsn)
    began = perf_counter()
    await replay(pool, transactions)
    took = perf_counter() - began
    await pool.close()
    return count / took


async def _imported(stage: Stage, lines: list[bytes]) -> tuple[float, float]:
    """Lines a second of a first import, and of the same file again."""
    dsn = await stage.database("bench_import")
    await settle(dsn)
    content = b"\n".join(lines) + b"\n"
    async with served("ours", dsn, stage.home) as (port, pid):
        first = len(lines) / await send(stage, port, "first", _pieces(content))
        written = await _written(dsn)
        again = len(lines) / await send(stage, port, "again", _pieces(content))
        memory = psutil.Process(pid).memory_info().rss / 2**20
        if await _written(dsn) != written:
            raise RuntimeError("the second import wrote something")
    if not any(line.path.startswith("resident") for line in stage.lines):
        path = f"resident memory after {len(lines):,} lines"
        stage.add(Line(path, memory, "MB", target=300, smaller=True))
    return first, again


async def send(stage: Stage, port: int, name: str, content: AsyncIterator[bytes]) -> float:
    """Import over HTTP; the seconds from the first byte to the answer."""
    token = DevIssuer(stage.home, audience="arrears").make_token(Role.CORE_BANKING)
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=None) as client:
        key = {"idempotency-key": f"{name}-{perf_counter()}"}
        made = await client.post("/v1/imports", json={"name": name, "format": "ndjson"}, headers=key)
        made.raise_for_status()
        began = perf_counter()
        put = await client.put(
            f"{made.headers['location']}/content", content=content, headers={"content-type": "application/x-ndjson"}
        )
        took = perf_counter() - began
    put.raise_for_status()
    counts = put.json()["counts"]
    if set(counts) - {"accepted", "duplicate"}:
        raise RuntimeError(f"not everything was taken: {counts}")
    return took


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(content), PIECE):
        yield content[at : at + PIECE]


async def _written(dsn: str) -> Any:
    connection = await connect(dsn)
    try:
        return tuple(
            await connection.fetchrow(
                "select (select count(*) from inbox), (select count(*) from outbox),"
                " (select sum(row_version) from accounts), (select count(*) from snapshots)"
            )
        )
    finally:
        await connection.close()


async def _in_batches(stage: Stage, lines: list[bytes]) -> Rate:
    """The same lines as ``POST /v1/events``, two requests in flight."""
    dsn = await stage.database("bench_import")
    await settle(dsn)
    token = DevIssuer(stage.home, audience="arrears").make_token(Role.CORE_BANKING)
    bodies = [b"[" + b",".join(lines[at : at + BATCH]) + b"]" for at in range(0, len(lines), BATCH)]
    requests = [post("/v1/events", body, token, "application/cloudevents-batch+json") for body in bodies]
    async with served("ours", dsn, stage.home) as (port, _):
        rate = await run_load(port, iter(requests), seconds=600, connections=2)
    return Rate(rate.per_second * BATCH, rate.p50, rate.p99)


async def _long_import(stage: Stage, count: int, cutoff: datetime) -> None:
    """Is memory flat however long the file is?"""
    dsn = await stage.database("bench_import")
    seen: list[float] = []

    async def content() -> AsyncIterator[bytes]:
        numbers = range(count)
        for at in range(0, count, 1_000):
            yield b"\n".join(feed.reports(numbers[at : at + 1_000], cutoff)) + b"\n"

    async with served("ours", dsn, stage.home) as (port, pid):
        watch = asyncio.create_task(_watch(psutil.Process(pid), seen))
        took = await send(stage, port, "long", content())
        watch.cancel()
    said(f"  memory at each tenth: {[round(seen[len(seen) * tenth // 10]) for tenth in range(10)]} MB")
    stage.add(Line(f"resident memory, most, of {count:,} lines", max(seen), "MB", target=300, smaller=True))
    stage.add(Line(f"import of {count:,} lines, the feed made meanwhile", count / took, "lines/s"))


async def _watch(process: psutil.Process, seen: list[float]) -> None:
    while True:
        seen.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(0.25)
