"""The database that a run measures on: a durable cluster of its own, and fresh copies of a migrated template."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import asyncpg

from services.embedded import LocalSettings
from services.suite import Parts, Suite, compose
from shared.adapters.clock import BusinessClock
from shared.adapters.postgres.migrate import migrate
from shared.adapters.postgres.shelf import seed_documents
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.benchmarks.outcome import Line
from tests.benchmarks.stub_gateway import StubGateway

TEMPLATE = "template_bench"


@dataclass(frozen=True, slots=True)
class Options:
    """``accounts`` is the size of the book; ``rounds`` how often each side is measured, by turns."""

    accounts: int
    seconds: float
    rounds: int
    full: bool


@dataclass(slots=True)
class Stage:
    home: Path
    server: EmbeddedPostgres
    options: Options
    lines: list[Line]

    async def database(self, name: str, *, like: str = TEMPLATE) -> str:
        """The owner's address of a fresh database, or of a copy of one that nobody is connected to."""
        await self._administer(f"drop database if exists {name} with (force)")
        await self._administer(f"create database {name} template {like} strategy file_copy")
        return self.server.dsn(name)

    async def drop(self, name: str) -> None:
        await self._administer(f"drop database if exists {name} with (force)")

    def settings(self, dsn: str, *, manual: bool = False) -> LocalSettings:
        return LocalSettings(home=self.home, database_url=dsn, manual_clock=manual, sandbox=False, api_port=0)

    @asynccontextmanager
    async def suite(self, dsn: str, *, manual: bool = True) -> AsyncIterator[Suite]:
        """Everything composed over gateways that answer at once, and nothing running: a benchmark turns the wheels."""
        gateways = {channel: StubGateway(channel) for channel in ("sms", "email")}
        async with AsyncExitStack() as stack:
            parts = Parts(self.settings(dsn, manual=manual), dsn, BusinessClock(manual=manual), gateways, "", "bench")
            yield await compose(parts, stack)

    def add(self, line: Line) -> None:
        self.lines.append(line)

    async def _administer(self, statement: str) -> None:
        connection = await asyncpg.connect(self.server.dsn("postgres"))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def staged(options: Options) -> AsyncIterator[Stage]:
    """A cluster with fsync on in a directory of its own, removed at the end."""
    home = Path(mkdtemp(prefix="arrears-bench-"))
    home.chmod(0o711)  # as root, the server runs as somebody else, who must be able to pass
    server = EmbeddedPostgres(home, durable=True)
    try:
        dsn = await asyncio.to_thread(server.start, TEMPLATE)
        await migrate(dsn)
        await seed_documents(dsn)
        yield Stage(home, server, options, [])
    finally:
        await asyncio.to_thread(server.destroy)


async def connect(dsn: str) -> Any:
    """A bare connection with our schema first; what a limit is measured on."""
    return await asyncpg.connect(dsn, server_settings={"search_path": "arrears", "timezone": "UTC", "jit": "off"})


async def settle(dsn: str) -> None:
    """Leave vacuum and checkpoint behind, so that the next measure does not pay for the last."""
    connection = await connect(dsn)
    try:
        await connection.execute("vacuum analyze")
        await connection.execute("checkpoint")
    finally:
        await connection.close()


def said(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - a terminal program


os.environ.setdefault("ARREARS_ENVIRONMENT", "development")
