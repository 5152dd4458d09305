"""The SQL of a path without the path: what our code sent is recorded once, then sent again from memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

Call = tuple[str, tuple[Any, ...], dict[str, Any]]
_RECORDED = ("fetch", "fetchrow", "fetchval", "execute", "executemany", "copy_records_to_table")


class RecordingPool:
    """Stands before a pool; ``transactions`` holds, for each lease, the calls that were made on its connection."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self.transactions: list[list[Call]] = []

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[Any]:
        calls: list[Call] = []
        async with self._pool.acquire() as connection:
            yield _Recorded(connection, calls)
        if calls:
            self.transactions.append(calls)


class _Recorded:
    def __init__(self, connection: Any, calls: list[Call]) -> None:
        self._connection = connection
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._connection, name)
        if name not in _RECORDED:
            return real

        async def call(*args: Any, **named: Any) -> Any:
            self._calls.append((name, args, named))
            return await real(*args, **named)

        return call


async def replay(pool: Any, transactions: list[list[Call]]) -> None:
    """Each recorded transaction again, as it was, on one connection."""
    async with pool.acquire() as connection:
        for calls in transactions:
            async with connection.transaction():
                for name, args, named in calls:
                    await getattr(connection, name)(*args, **named)
