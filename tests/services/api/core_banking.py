"""The API as the core-banking system meets it: over HTTP, on a real database, with a token for the role."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from services.api.app import create_app
from services.api.deps import make_deps
from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from shared.adapters.postgres.pool import Pool
from shared.application.principal import Role
from tests.application.bank import NOW, seed_once
from tests.conftest import Database
from tests.services.framing import client_of


class CoreBanking:
    """``client`` holds the role; ``as_role`` gives one that holds another."""

    def __init__(self, app: Any, issuer: DevIssuer, client: httpx.AsyncClient, pool: Pool) -> None:
        self.app = app
        self.issuer = issuer
        self.client = client
        self.pool = pool
        self._keys = itertools.count(1)

    def as_role(self, *roles: Role) -> Any:
        return client_of(self.app, self.issuer.make_token(*roles))

    async def post(self, content: bytes, kind: str = "application/cloudevents-batch+json") -> httpx.Response:
        return await self.client.post("/v1/events", content=content, headers={"content-type": kind})

    async def announce(self, **about: Any) -> httpx.Response:
        body = {"name": "test", "format": "ndjson"} | about
        key = {"idempotency-key": f"k{next(self._keys)}"}
        return await self.client.post("/v1/imports", json=body, headers=key)

    async def put(self, location: str, content: Any, **headers: str) -> httpx.Response:
        headers = {"content-type": "application/x-ndjson"} | headers
        return await self.client.put(location + "/content", content=content, headers=headers)

    async def take(self, content: Any, **about: Any) -> httpx.Response:
        """Announce and send; the answer to the content."""
        announced = await self.announce(**about)
        assert announced.status_code == 201, announced.text
        return await self.put(announced.headers["location"], content)


@asynccontextmanager
async def core_banking(database: Database, home: Path, now: datetime = NOW) -> AsyncIterator[CoreBanking]:
    owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": "arrears"})
    await owner.execute("insert into business_clock (id, now) values (1, $1)", now)
    await owner.close()
    pool = await Pool.open(database.dsn(), size=4)
    async with pool.acquire() as conn:
        await seed_once(conn, now)
    deps = make_deps(ApiSettings(environment="development", home=home, manual_clock=True), pool)
    app, issuer = create_app(deps), DevIssuer(home, audience="arrears")
    async with client_of(app, issuer.make_token(Role.CORE_BANKING)) as client:
        yield CoreBanking(app, issuer, client, pool)
    await pool.close()
