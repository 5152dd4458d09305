"""The one place that commits. ``async with work() as tx:`` is one transaction; leaving it normally commits it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from shared.adapters.postgres.book_store import BookTables
from shared.adapters.postgres.casework_store import CaseworkTables
from shared.adapters.postgres.housekeeping_store import HousekeepingTables
from shared.adapters.postgres.import_store import ImportTables
from shared.adapters.postgres.inbox_store import InboxTables
from shared.adapters.postgres.message_store import MessageTables
from shared.adapters.postgres.planning_store import PlanningTables
from shared.adapters.postgres.protecting_stores import ProtectingTables
from shared.adapters.postgres.save import SaveTables
from shared.adapters.postgres.scoping import ScopeTables
from shared.adapters.postgres.session import Cipher, Normaliser
from shared.adapters.postgres.settling_store import SettlingTables
from shared.adapters.postgres.worklist_store import WorklistTables


class PostgresTransaction(
    InboxTables,
    BookTables,
    SaveTables,
    PlanningTables,
    MessageTables,
    SettlingTables,
    ImportTables,
    HousekeepingTables,
    ScopeTables,
    ProtectingTables,
    CaseworkTables,
    WorklistTables,
):
    """Every store on one connection and transaction."""


class PostgresUnitOfWork:
    """``pool.acquire()`` gives asyncpg connections; ``wake`` is called after a commit that left news in the outbox."""

    def __init__(
        self,
        pool: Any,
        cipher: Cipher,
        normalise: Normaliser,
        *,
        manual_clock: bool = False,
        wake: Callable[[], None] = lambda: None,
        observe: Callable[[datetime], None] = lambda _: None,
    ) -> None:
        self._pool = pool
        self._cipher = cipher
        self._normalise = normalise
        self._manual_clock = manual_clock
        self._wake = wake
        self._observe = observe

    def on(self, pool: Any, *, observe: Callable[[datetime], None] = lambda _: None) -> PostgresUnitOfWork:
        """The same on another pool, that is under another service's role."""
        return PostgresUnitOfWork(
            pool, self._cipher, self._normalise, manual_clock=self._manual_clock, wake=self._wake, observe=observe
        )

    def __call__(self) -> AbstractAsyncContextManager[PostgresTransaction]:
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[PostgresTransaction]:
        async with self._pool.acquire() as conn:
            async with conn.transaction():
                now = await self._now(conn)
                self._observe(now)
                tx = PostgresTransaction(conn, now, self._cipher, self._normalise)
                yield tx
            if tx.announced:
                self._wake()

    async def now(self) -> datetime:
        """The business instant outside of any transaction, to judge by what was just sent."""
        if not self._manual_clock:
            return datetime.now(UTC)
        async with self._pool.acquire() as conn:
            return await self._now(conn)

    async def _now(self, conn: Any) -> datetime:
        if not self._manual_clock:
            return datetime.now(UTC)
        manual: datetime | None = await conn.fetchval("select now from business_clock where id = 1")
        return manual if manual is not None else datetime.now(UTC)
