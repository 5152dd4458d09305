"""Single requests: one account, one case, a page of a worklist, one payment; and the first route beside the last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count, cycle
from time import perf_counter
from typing import Any

from services.api.app import ROUTERS
from services.api.dev_issuer import DevIssuer
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.views import worklists
from shared.adapters.postgres.views.clauses import Scope
from shared.application.principal import Role
from tests.benchmarks import books, feed
from tests.benchmarks.cost import Meter
from tests.benchmarks.load import get, post, run_load
from tests.benchmarks.outcome import Line, Rate, middle
from tests.benchmarks.replay import RecordingPool
from tests.benchmarks.serve import served
from tests.benchmarks.stage import Stage, connect, settle

ITEMS = 200_000
READERS = 32


async def reads(stage: Stage) -> None:
    """One row by key, with token, row scope and ETag, against FastAPI and asyncpg alone."""
    dsn = await books.filled(stage, "bench_book", stage.options.accounts)
    numbers = [number * 7919 % stage.options.accounts for number in range(5_000)]
    cases = await _case_ids(dsn)
    token = _token(stage, Role.SUPERVISOR)
    collector = _token(stage, Role.COLLECTOR)
    pairs = (
        ("GET one account", [f"accounts/ACC{number:08d}" for number in numbers], token),
        ("GET one account as a collector", [f"accounts/ACC{number:08d}" for number in numbers], collector),
        ("GET one case", [f"cases/{case_id}" for case_id in cases], token),
    )
    async with served("ours", dsn, stage.home) as ours, served("bare", dsn, stage.home) as bare:
        for name, paths, bearer in pairs:
            mine, limit = await _by_turns(
                stage,
                (ours, dsn, lambda paths=paths, bearer=bearer: cycle([get(f"/v1/{path}", bearer) for path in paths])),
                (bare, dsn, lambda paths=paths: cycle([get(f"/{path}") for path in paths])),
            )
            _compare(stage, f"{name} | bare FastAPI + asyncpg", mine, limit, 0.7)
        await _routes(stage, ours, dsn)


async def payments(stage: Stage) -> None:
    """A payment and everything it causes, committed, against an insert with its outbox row."""
    dsn = await books.filled(stage, "bench_book", stage.options.accounts)
    token = _token(stage, Role.CORE_BANKING)
    numbers, at = count(), datetime.now(UTC) - timedelta(seconds=5)

    def bodies() -> Iterator[bytes]:
        for number in numbers:
            yield feed.payment(number % stage.options.accounts, at, number)

    alone = await stage.database("bench_bare")  # what it inserts would be later payments of our accounts
    async with served("ours", dsn, stage.home) as ours, served("bare", alone, stage.home) as bare:
        mine, limit = await _by_turns(
            stage,
            (ours, dsn, lambda: (post("/v1/events", body, token, "application/cloudevents+json") for body in bodies())),
            (bare, alone, lambda: (post("/payments", body) for body in bodies())),
        )
    _compare(stage, "POST one payment | bare insert + outbox", mine, limit, 0.35)


async def worklist(stage: Stage) -> None:
    """A page of fifty of a collector's calls, out of 200,000 items, against its own SQL by asyncpg."""
    dsn = await books.filled(stage, "bench_book", stage.options.accounts)
    await books.add_work(dsn, ITEMS)
    await settle(dsn)
    token = _token(stage, Role.COLLECTOR)
    path = f"/v1/worklists?kind=call&limit=50&due_before={_next_year()}"
    async with served("ours", dsn, stage.home) as ours:
        mine, limits = [], []
        await run_load(ours[0], cycle([get(path, token)]), seconds=0.5)
        for _ in range(stage.options.rounds):
            limits.append(await _sql_alone(stage, dsn))
            mine.append(await loaded(ours, dsn, cycle([get(path, token)]), stage.options.seconds))
    _compare(stage, "worklist page of 50 of 200,000 | its SQL by asyncpg", middle(mine), middle(limits), 0.6)


async def _sql_alone(stage: Stage, dsn: str) -> Rate:
    pool = await Pool.open(dsn, size=8, role="arrears_api")
    recording = RecordingPool(pool)
    wanted = worklists.WorkFilter(kind="call", due_before=_next_year())
    async with recording.acquire() as connection:
        await worklists.list_work(connection, wanted, Scope("dev-collector", ()), after=None, limit=51)
    ((name, args, _),) = recording.transactions[0]
    done, until = 0, perf_counter() + stage.options.seconds

    async def read() -> None:
        nonlocal done
        while perf_counter() < until:
            async with pool.acquire() as connection:
                await getattr(connection, name)(*args)
            done += 1

    meter, began = Meter(dsn), perf_counter()
    await asyncio.gather(*(read() for _ in range(READERS)))
    took, cost = perf_counter() - began, meter.cost(done)
    await pool.close()
    return Rate(done / took, cost=cost)


async def _routes(stage: Stage, ours: tuple[int, int], dsn: str) -> None:
    """The same refusal (401) from the first and from the last route of the table."""
    gets = [path for router in ROUTERS for path in _gets(router)]
    first, last = gets[0], gets[-1]
    rates: dict[str, list[Rate]] = {first: [], last: []}
    for _ in range(stage.options.rounds):
        for path, found in rates.items():
            found.append(await loaded(ours, dsn, cycle([get(path)]), stage.options.seconds / 2, status=401))
    mine, limit = middle(rates[last]), middle(rates[first])
    note = f"{first} and {last}, both answered 401; {costs(mine, limit)}"
    stage.add(Line("the last route | the first", mine.per_second, "req/s", limit.per_second, 0.9, note=note))


def _gets(router: Any) -> list[str]:
    """The guarded reads of the router; what stands in for an id does not matter before the guard."""
    paths = [route.path for route in router.routes if "GET" in route.methods and route.path.startswith("/v1/")]
    return [path.replace("{", "").replace("}", "") for path in paths]


async def _by_turns(stage: Stage, ours: Any, bare: Any) -> tuple[Rate, Rate]:
    """Both sides round by round, so that a slow minute of the machine meets both."""
    mine, limit = [], []
    for server, _, requests in (ours, bare):
        await run_load(server[0], requests(), seconds=0.5)
    for _ in range(stage.options.rounds):
        for found, (server, dsn, requests) in ((mine, ours), (limit, bare)):
            found.append(await loaded(server, dsn, requests(), stage.options.seconds))
    return middle(mine), middle(limit)


async def loaded(
    server: tuple[int, int], dsn: str, requests: Iterator[bytes], seconds: float, *, status: int = 200
) -> Rate:
    """``run_load`` with what it cost the server (port and process id) and its database."""
    port, pid = server
    meter, began = Meter(dsn, pid), perf_counter()
    rate = await run_load(port, requests, seconds=seconds, status=status)
    return replace(rate, cost=meter.cost(round(rate.per_second * (perf_counter() - began))))


def _compare(stage: Stage, path: str, mine: Rate, limit: Rate, target: float) -> None:
    note = f"p50 {mine.p50:.1f} ms, p99 {mine.p99:.1f} ms"
    if limit.p50:
        note += f"; bare p50 {limit.p50:.1f} ms, p99 {limit.p99:.1f} ms"
    note += f"; {costs(mine, limit)}"
    stage.add(Line(path, mine.per_second, "req/s", limit.per_second, target, note=note))
    if path.startswith("GET"):
        name = path.partition(" |")[0]
        stage.add(Line(f"{name}: p99 | p50", mine.p99, "ms", mine.p50, 3, smaller=True))


def costs(mine: Rate, limit: Rate) -> str:
    assert mine.cost is not None
    assert limit.cost is not None
    ratio = limit.cost.all / mine.cost.all
    return f"processor, server + database: {mine.cost}, limit {limit.cost}, ratio {ratio:.2f}"


def _next_year() -> date:
    return (datetime.now(UTC) + timedelta(days=400)).date()


def _token(stage: Stage, role: Role) -> str:
    return DevIssuer(stage.home, audience="arrears").make_token(role)


async def _case_ids(dsn: str) -> list[str]:
    connection = await connect(dsn)
    try:
        return [str(row[0]) for row in await connection.fetch("select case_id from cases limit 5000")]
    finally:
        await connection.close()
