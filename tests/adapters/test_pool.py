"""What a process that stands still can hold, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from shared.adapters.postgres.pool import Pool
from tests.conftest import Database

HELD = "select from business_clock for update"


@pytest.fixture
async def hurried(database: Database) -> AsyncIterator[Pool]:
    """A pool of one connection whose transactions end after a fifth of a second."""
    opened = await Pool.open(database.dsn(), size=1, transaction_timeout_ms=200)
    yield opened
    await opened.close()


async def gone(pool: asyncpg.Pool, pid: int) -> None:
    while await pool.fetchval("select count(*) from pg_stat_activity where pid = $1", pid):
        await asyncio.sleep(0.02)


async def test_one_frozen_between_preparing_a_statement_and_running_it_loses_what_it_holds(
    hurried: Pool, pool: asyncpg.Pool
) -> None:
    """The server takes it for active then, waiting for its client: no other time limit of ours applies."""
    await pool.execute("insert into business_clock (id, now) values (1, now()) on conflict do nothing")
    async with hurried.acquire() as conn:
        await conn.transaction().start()
        assert await conn.fetch(HELD)
        await conn.prepare("select from business_clock")
        state = "select state from pg_stat_activity where pid = $1"
        assert await pool.fetchval(state, conn.get_server_pid()) == "active"
        async with asyncio.timeout(60):
            await gone(pool, conn.get_server_pid())
        assert await pool.fetch(f"{HELD} nowait")
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
            await conn.fetch(HELD)
    assert await hurried.fetchval("select 1") == 1  # by a new connection


async def test_every_limit_is_set_and_a_slow_statement_fails_before_its_session_is_ended(database: Database) -> None:
    opened = await Pool.open(database.dsn(), size=1)
    names = ("statement_timeout", "idle_in_transaction_session_timeout", "transaction_timeout")
    statement, idle, transaction = [
        await opened.fetchval("select setting::int from pg_settings where name = $1", name) for name in names
    ]
    await opened.close()
    assert 0 < idle < statement < transaction


async def test_who_needs_longer_can_say_so(hurried: Pool) -> None:
    async with hurried.acquire() as conn, conn.transaction():
        await conn.execute("set local transaction_timeout = 0")
        row: Any = await conn.fetchval("select 1 from pg_sleep(0.4)")
        assert row == 1
