"""The product as people at their desks meet it: the API, with planner, clocks and take-up running behind it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import httpx

from services.api.app import create_app
from services.api.deps import ApiDeps, make_deps
from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from services.notifier import handlers as notifier
from services.scheduler.compose import compose
from services.scheduler.timers import table
from shared.adapters.clock import move_manual_clock
from shared.adapters.inprocess.relay import InProcessRelay
from shared.adapters.postgres.pool import Pool
from shared.application.clockwork import BucketRolls, run_due
from shared.application.planning import Planner
from shared.application.principal import Role
from shared.application.reminding import Reminding
from tests.application.bank import NOW, Bank, seed_once
from tests.services.framing import client_of

MORNING = datetime.fromisoformat("2026-07-02T10:00+08:00")
COLLECTOR, SUPERVISOR, COMPLIANCE, AUDITOR = Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE, Role.AUDITOR


class Office:
    """``bank`` reports to it. What follows from an event happens in ``settle``, nowhere else."""

    def __init__(self, deps: ApiDeps, issuer: DevIssuer) -> None:
        self.deps = deps
        self.app = create_app(deps)
        self.bank = Bank(deps.pool, deps.work, deps.shelf)
        self._issuer = issuer
        self._keys = itertools.count(1)
        consumer, _ = compose(deps.work, deps.shelf)
        consumers = [consumer, notifier.consumer(Reminding(deps.shelf))]
        self._relay = InProcessRelay(deps.pool, deps.work, consumers, wake=asyncio.Event())
        self._timers = table(Planner(deps.shelf), BucketRolls(deps.shelf), deps.shelf)

    @asynccontextmanager
    async def person(self, *roles: Role, name: str = "li.na", teams: tuple[str, ...] = ()) -> AsyncIterator[Person]:
        async with client_of(self.app, self._issuer.make_token(*roles, subject=name, teams=teams)) as client:
            yield Person(client, self._keys)

    async def settle(self) -> None:
        """Deliver every event and run every due timer, until all is quiet."""
        while await self._relay.deliver() or await run_due(self.deps.work, self._timers, 100):
            pass

    async def move_to(self, now: datetime) -> None:
        async with self.deps.pool.acquire() as connection:
            await move_manual_clock(connection, now)
        await self.settle()

    async def rows(self, query: str, *args: Any) -> list[Any]:
        return [tuple(row) for row in await self.deps.pool.fetch(query, *args)]

    async def values(self, query: str, *args: Any) -> list[Any]:
        return [row[0] for row in await self.deps.pool.fetch(query, *args)]

    async def timers(self) -> dict[str, datetime]:
        """What is watched of complaints and holds, by kind and event."""
        found = await self.rows(
            "select kind, subject, due_at from timers where kind like 'complaint%' or kind = 'hold_end'"
        )
        return {f"{kind}{'/' + event if event else ''}": due_at
                for kind, subject, due_at in found for event in [subject.partition("/")[2]]}  # fmt: skip


class Person:
    """Somebody at a desk: creates under fresh keys, edits in the version they last read."""

    def __init__(self, client: httpx.AsyncClient, keys: Any) -> None:
        self.client = client
        self._keys = keys

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.client.get(path, params=params)

    async def create(self, path: str, key: str | None = None, **body: Any) -> httpx.Response:
        return await self.client.post(path, json=body, headers={"idempotency-key": key or f"k{next(self._keys)}"})

    async def edit(self, path: str, method: str = "POST", *, version: str | None = None, **body: Any) -> httpx.Response:
        """Read the thing (the path less its last step), then do what the path says to the version that was read."""
        seen = path if method == "PUT" and "/preferences/" in path else path.rpartition("/")[0]
        tag = version or (await self.client.get(seen)).headers.get("etag", '"1"')
        content = {"json": body} if body else {}
        return await self.client.request(method, path, headers={"if-match": tag}, **content)


@asynccontextmanager
async def office(database: Any, home: Any) -> AsyncIterator[Office]:
    pool = await Pool.open(database.dsn(), size=4)
    async with pool.acquire() as connection:
        await seed_once(connection, NOW)
        await move_manual_clock(connection, NOW)
    deps = make_deps(ApiSettings(environment="development", home=home, manual_clock=True), pool)
    await deps.shelf.renew()
    yield Office(deps, DevIssuer(home, audience="arrears"))
    await pool.close()
