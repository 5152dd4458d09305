"""Which database a command works on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import typer

from services.database import connect
from shared.adapters.postgres.schema import SCHEMA
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.settings import ProcessSettings


@asynccontextmanager
async def reading() -> AsyncIterator[Any]:
    """One connection that sees everything."""
    with owner_dsn() as dsn:
        conn = await connect(dsn, server_settings={"search_path": SCHEMA})
        try:
            yield conn
        finally:
            await conn.close()


@contextmanager
def owner_dsn() -> Iterator[str]:
    """The database's address for the owner of its tables: the configured one, or in development the embedded one."""
    settings = ProcessSettings()
    if settings.database_url is not None:
        yield settings.database_url.get_secret_value()
        return
    if not settings.in_development:
        raise typer.BadParameter(
            "set ARREARS_DATABASE_URL, or ARREARS_ENVIRONMENT=development for the embedded database"
        )
    postgres = EmbeddedPostgres(settings.home)
    try:
        yield postgres.start()
    finally:
        postgres.stop()
