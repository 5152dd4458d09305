"""The server side of a measurement, in a process of its own: our API alone, or what one would write in its place.

``python -m tests.benchmarks.serve ours|bare DSN HOME`` prints its port when it listens.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import orjson
import structlog
import uvicorn
import uvloop
from fastapi import FastAPI
from pydantic import BaseModel, PositiveInt

from services.api import measures
from services.api.app import create_app
from services.api.deps import make_deps
from services.embedded import LocalSettings
from services.running import settle_memory
from shared.adapters.postgres.pool import Pool


async def ours(dsn: str, home: Path) -> Any:
    """The API as a process runs it, without relay and scheduler: what is measured is the request."""
    settings = LocalSettings(home=home, database_url=dsn, sandbox=False)
    pool = await Pool.open(dsn, size=settings.api_pool_size, application="arrears-api", role="arrears_api")
    deps = make_deps(settings, pool)
    await deps.shelf.renew()
    return create_app(deps, observe=measures.observe)


class PaymentIn(BaseModel):
    payment_id: str
    account_id: str
    amount: PositiveInt
    currency: str
    value_date: date
    posted_at: datetime
    channel: str


class EventIn(BaseModel):
    id: str
    source: str
    data: PaymentIn


async def bare(dsn: str, home: Path) -> Any:
    """FastAPI over asyncpg with no guard, no rules and no checks: a row by key, and an insert with its outbox row."""
    pool = await asyncpg.create_pool(dsn, min_size=8, max_size=8, server_settings={"search_path": "arrears"})
    app = FastAPI()

    @app.get("/accounts/{account_id}")
    async def get_account(account_id: str) -> dict[str, Any]:
        return dict(
            await pool.fetchrow(
                "select account_id, currency, customer_id, product, card_last4, status, bucket, past_due, oldest_due,"
                " principal, interest, fees, penalty, cutoff_at from accounts where account_id = $1",
                account_id,
            )
        )

    @app.get("/cases/{case_id}")
    async def get_case(case_id: str) -> dict[str, Any]:
        return dict(
            await pool.fetchrow(
                "select case_id, customer_id, ordinal, state, bucket, policy_version, opened_at, owner, team"
                " from cases where case_id = $1",
                case_id,
            )
        )

    @app.post("/payments")
    async def post_payment(event: EventIn) -> dict[str, str]:
        paid = event.data
        async with pool.acquire() as conn, conn.transaction():
            await conn.execute(
                "insert into payments (source, payment_id, account_id, currency, amount, value_date, posted_at,"
                " channel, matched, fingerprint, received_at) values ($1, $2, $3, $4, $5, $6, $7, $8, true, '', now())",
                event.source,
                *(paid.payment_id, paid.account_id, paid.currency, paid.amount, paid.value_date, paid.posted_at),
                paid.channel,
            )
            await conn.execute(
                "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)"
                " values ($1, 'arrears.payment', $2, 'arrears.payment.received.v1', $3, now(), 0)",
                *(uuid4(), paid.account_id, orjson.dumps(paid.model_dump(mode="json")).decode()),
            )
        return {"answer": "accepted"}

    return app


async def main(kind: str, dsn: str, home: Path) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    app = await {"ours": ours, "bare": bare}[kind](dsn, home)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="off", http="httptools")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201 - to whoever started us
    await serving


@asynccontextmanager
async def served(kind: str, dsn: str, home: Path) -> AsyncIterator[tuple[int, int]]:
    """Start it; (port, process id)."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.benchmarks.serve", kind, dsn, str(home)), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await process.stdout.readline()
        if not line:
            raise RuntimeError("the server did not start; its reason stands above")
        yield int(line), process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


if __name__ == "__main__":
    os.environ.setdefault("ARREARS_ENVIRONMENT", "development")
    settle_memory()
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
