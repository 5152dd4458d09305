"""What a running process meets when a migration expands the schema under it."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from services.api.errors import DATABASE


async def read(conn: asyncpg.Connection, what: str) -> list[Any]:
    async with conn.transaction():
        return list(await conn.fetch(f"select {what} from known_sends"))


async def test_a_new_column_is_not_noticed_by_statements_that_name_theirs(
    pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    async with pool.acquire() as conn:
        await read(conn, "message_id")
        await owner.execute("alter table known_sends add column why text default 'none'")
        assert await read(conn, "message_id") == []


async def test_a_statement_whose_result_changed_is_refused_once_and_the_caller_is_told_to_try_again(
    pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    async with pool.acquire() as conn:
        await read(conn, "*")
        await owner.execute("alter table known_sends add column why text default 'none'")
        with pytest.raises(asyncpg.InvalidCachedStatementError) as refused:
            await read(conn, "*")
        told = next(DATABASE[kind] for kind in type(refused.value).__mro__ if kind in DATABASE)
        assert (told.type.status, told.retry_after) == (503, 1)
        assert await read(conn, "*") == []
