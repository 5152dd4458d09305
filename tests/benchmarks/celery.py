"""Our sender beside a Celery worker on Redis: what people would take instead, doing the same and doing nothing.

Neither is a dependency of ours. Where they are there (``apt-get install redis-server`` and
``pip install celery redis 'psycopg[binary]'``, the group ``bench`` of ``pyproject.toml``) they are measured, where not
the benchmark says so in one line.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from tests.benchmarks import pipeline
from tests.benchmarks.outcome import Line, median
from tests.benchmarks.stage import Stage, connect, said

MESSAGES = 2_000
WAIT = 240.0


async def run(stage: Stage) -> None:
    """By turns: ours, Celery sending, Celery doing nothing."""
    missing = [name for name in ("celery", "redis", "psycopg") if find_spec(name) is None]
    if shutil.which("redis-server") is None:
        missing.append("redis-server")
    if missing:
        said(f"  not measured: {', '.join(missing)} not installed (docs/performance.md says how)")
        return
    ours, sending, idling = [], [], []
    for turn in range(stage.options.rounds):
        ours.append(await _ours(stage, turn))
        dsn = await stage.database(f"bench_celery_{turn}")
        async with _redis(stage.home / f"redis-{turn}") as broker, _worker(broker, dsn) as tasks:
            sending.append(await _sent(tasks, dsn))
            idling.append(await _idled(tasks))
    same, nothing = median(sending), median(idling)
    note = f"our whole way from the outbox on; theirs from a full queue on, {os.cpu_count()} processes"
    stage.add(Line("message: ours | Celery on Redis, the same", median(ours), "messages/s", same, 3, note=note))
    stage.add(Line("message: ours | Celery on Redis, doing nothing", median(ours), "messages/s", nothing))


async def _ours(stage: Stage, turn: int) -> float:
    async with pipeline.planned(stage, f"bench_ours_{turn}", MESSAGES) as (suite, connection):
        taken_up, sent = await pipeline.send_all(suite, connection, MESSAGES)
    await stage.drop(f"bench_ours_{turn}")
    return MESSAGES / (taken_up + sent)


async def _sent(tasks: Any, dsn: str) -> float:
    """Messages a second from a full queue to written outcomes."""
    connection = await connect(dsn)
    await connection.execute(
        "create table bench_texts (message_id text primary key, name text, phone text, card_last4 text,"
        " past_due bigint, state text, provider_id text, sent_at timestamptz)"
    )
    await connection.execute(
        "insert into bench_texts select n::text, '样本' || n, '+86100' || lpad(n::text, 8, '0'), lpad(n::text, 4, '0'),"
        " 50000, 'planned' from generate_series(1, $1::int) n",
        MESSAGES,
    )
    await connection.execute("vacuum analyze bench_texts")

    async def sent() -> int:
        await asyncio.sleep(0.05)
        count: int = await connection.fetchval("select count(*) from bench_texts where state = 'accepted'")
        return count

    rate = await _drained(tasks, lambda: [tasks.send.delay(str(number)) for number in range(1, MESSAGES + 1)], sent)
    await connection.close()
    return rate


async def _idled(tasks: Any) -> float:
    before = await _begun(tasks)

    async def begun() -> int:
        return await _begun(tasks) - before

    return await _drained(tasks, lambda: [tasks.nothing.delay() for _ in range(MESSAGES)], begun)


async def _begun(tasks: Any) -> int:
    """How many tasks the worker has handed to its processes so far. Asking takes it time, so seldom."""
    await asyncio.sleep(0.2)
    answers = await asyncio.to_thread(tasks.app.control.inspect(timeout=1.0, limit=1).stats)
    return sum(sum(each["total"].values()) for each in (answers or {}).values())


async def _drained(tasks: Any, fill: Callable[[], Any], done: Callable[[], Awaitable[int]]) -> float:
    """Tasks a second, from when the worker begins to take from the full queue until all are ``done``."""
    control = tasks.app.control
    await asyncio.to_thread(control.cancel_consumer, tasks.QUEUE, reply=True, timeout=10)
    await asyncio.to_thread(fill)
    began = perf_counter()
    await asyncio.to_thread(control.add_consumer, tasks.QUEUE, reply=True, timeout=10)
    while await done() < MESSAGES:
        if perf_counter() - began > WAIT:
            raise RuntimeError("the Celery worker does not get to the end")
    return MESSAGES / (perf_counter() - began)


@asynccontextmanager
async def _redis(home: Path) -> AsyncIterator[str]:
    """The broker's address: a server of its own that writes nothing to disk."""
    home.mkdir()
    socket = home / "redis.sock"
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no", "--dir", str(home))
    process = await asyncio.create_subprocess_exec("redis-server", *options, stdout=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(10):
            while not socket.exists():
                await asyncio.sleep(0.05)
        yield f"redis+socket://{socket}"
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def _worker(broker: str, dsn: str) -> AsyncIterator[Any]:
    """The module of the tasks, with a worker running them: the default pool, a process for each processor."""
    os.environ |= {"BENCH_BROKER": broker, "BENCH_DSN": _keyed(dsn)}
    sys.modules.pop("tests.benchmarks.celery_worker", None)
    tasks = import_module("tests.benchmarks.celery_worker")  # needs what may not be installed, and this round's broker
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "celery", "-A", "tests.benchmarks.celery_worker", "worker", "--loglevel", "ERROR"),
        *("--queues", tasks.QUEUE, "--without-gossip", "--without-mingle", "--concurrency", str(os.cpu_count())),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(tasks.app.control.ping, timeout=1.0):
                if process.returncode is not None:
                    raise RuntimeError("the Celery worker did not start")
        yield tasks
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _keyed(dsn: str) -> str:
    """The address for psycopg, with our schema first."""
    return f"{dsn}{'&' if '?' in dsn else '?'}options=-csearch_path%3Darrears"
