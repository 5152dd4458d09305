"""Connections to PostgreSQL, served in order.

asyncpg's own pool wakes its waiters in no order, which multiplies the slowest answers; a first-come gate of the pool's
size in front of it keeps them near the median. Connections come with the search path, UTC, and jsonb by orjson.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import asyncpg
import orjson
from prometheus_client import Gauge

from shared.runtime.metrics import REGISTRY

SCHEMA = "arrears"
_JSONB_VERSION = b"\x01"
_CONNECTIONS = Gauge("arrears_database_pool_connections", "Connections of a pool.", ("pool",), registry=REGISTRY)
_FREE = Gauge("arrears_database_pool_free", "Connections that nobody holds.", ("pool",), registry=REGISTRY)


class Pool:
    """A gated pool. Use ``async with pool.acquire() as connection`` or, for one statement, the methods of that name."""

    def __init__(self, pool: asyncpg.Pool, size: int) -> None:
        self._pool = pool
        self._gate = asyncio.Semaphore(size)  # wakes in the order of asking
        self.size = size

    @classmethod
    async def open(
        cls,
        dsn: str,
        *,
        size: int = 8,
        application: str = "arrears",
        schema: str = SCHEMA,
        role: str | None = None,
        statement_timeout_ms: int = 30_000,
        transaction_timeout_ms: int = 45_000,
    ) -> Pool:
        """Connect ``size`` connections at once. ``role`` is assumed on each of them (SET ROLE): never an owner."""
        settings = {
            "application_name": application,
            "search_path": schema,
            "timezone": "UTC",
            "jit": "off",  # our statements are short; compiling them costs more than running them
            "statement_timeout": str(statement_timeout_ms),
            "idle_in_transaction_session_timeout": "15000",  # an abandoned transaction would hold customers locked
            # A process frozen between preparing a statement and running it is neither idle to the server nor at work:
            # asyncpg flushes there and does not sync, so that only this ends its transaction.
            "transaction_timeout": str(transaction_timeout_ms),
        }
        if role is not None:
            settings["role"] = role
        pool = await asyncpg.create_pool(
            dsn, min_size=size, max_size=size, init=_prepare, reset=_keep_session, server_settings=settings
        )
        gated = cls(pool, size)
        _CONNECTIONS.labels(application).set(size)
        _FREE.labels(application).set_function(lambda: float(gated.free))
        return gated

    def acquire(self) -> Lease:
        return Lease(self._pool, self._gate)

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        async with self.acquire() as connection:
            rows: list[Any] = await connection.fetch(query, *args)
        return rows

    async def fetchrow(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        async with self.acquire() as connection:
            status: str = await connection.execute(query, *args)
        return status

    async def executemany(self, query: str, rows: Sequence[Sequence[Any]]) -> None:
        async with self.acquire() as connection:
            await connection.executemany(query, rows)

    async def ping(self) -> None:
        """Raises when the database does not answer."""
        await self.fetchval("select 1")

    @property
    def free(self) -> int:
        """Connections that nobody holds."""
        idle: int = self._pool.get_idle_size()
        return idle

    async def close(self, *, seconds: float = 5.0) -> None:
        """Wait for what is running, then cut it."""
        try:
            async with asyncio.timeout(seconds):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


class ConnectionLost(ConnectionError):
    """The server went away while the connection was held; what was not committed is undone."""


class Lease:
    """One connection for the length of a ``with`` block."""

    __slots__ = ("_connection", "_gate", "_pool")

    def __init__(self, pool: asyncpg.Pool, gate: asyncio.Semaphore) -> None:
        self._pool = pool
        self._gate = gate
        self._connection: Any = None

    async def __aenter__(self) -> Any:
        await self._gate.acquire()
        try:
            self._connection = await self._pool.acquire()
        except BaseException:
            self._gate.release()
            raise
        return self._connection

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lost = isinstance(error, asyncpg.InterfaceError) and _closed(self._connection)
        try:
            await self._pool.release(self._connection)
        finally:
            self._gate.release()
        if lost:
            raise ConnectionLost("the connection to the database was lost") from error


def _closed(connection: Any) -> bool:
    try:
        closed: bool = connection.is_closed()
    except asyncpg.InterfaceError:  # already taken back by the pool, which happens when it was cut
        return True
    return closed


async def _prepare(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", format="binary", encoder=_encode_jsonb, decoder=_decode_jsonb
    )


async def _keep_session(connection: Any) -> None:
    """Nothing to reset: asyncpg has rolled back what was open, and we set nothing on a session.

    Its default asks the server four things on every release, 8 % of a keyed read. Locks are transaction-level, settings
    are ``SET LOCAL``, and whoever listens has a connection of their own.
    """


def _encode_jsonb(value: bytes | Mapping[str, Any] | Sequence[Any] | str | int | bool) -> bytes:
    """Bytes are JSON already; ``default`` is for mappings that are no dict."""
    return _JSONB_VERSION + (value if isinstance(value, bytes) else orjson.dumps(value, default=dict))


def _decode_jsonb(data: bytes) -> Any:
    return orjson.loads(memoryview(data)[1:])
