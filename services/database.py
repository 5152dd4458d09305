"""The configured database of a process, looked at before anything is started on it."""

from __future__ import annotations

from typing import Any

import asyncpg

from services.settings import CannotStart
from shared.adapters.postgres.schema import (
    SERVER_VERSION,
    OwnerRefusedError,
    SchemaMismatchError,
    ServerTooOldError,
    check_schema,
    check_server,
    refuse_owner,
)
from shared.runtime.settings import ProcessSettings


async def connect(dsn: str, **more: Any) -> Any:
    """One connection to a configured database. Raises CannotStart when there is none to be had."""
    try:
        return await asyncpg.connect(dsn, **more)
    except ValueError:  # its text may quote the address
        raise CannotStart("ARREARS_DATABASE_URL is not an address as in postgresql://user@host:5432/name") from None
    except (OSError, asyncpg.PostgresError) as error:
        raise CannotStart(
            f"the database can not be reached ({type(error).__name__}); see ARREARS_DATABASE_URL"
        ) from None


async def check_database(dsn: str, settings: ProcessSettings) -> None:
    """A configured database must be new enough and of our schema, and outside development we must not be its owner:
    whoever owns the tables could undo what keeps them in order. Raises CannotStart."""
    conn = await connect(dsn)
    try:
        check_server(await conn.fetchval(SERVER_VERSION))
        await check_schema(conn)
        if not settings.in_development:
            await refuse_owner(conn)
    except (ServerTooOldError, SchemaMismatchError, OwnerRefusedError) as error:
        raise CannotStart(str(error)) from None
    finally:
        await conn.close()


async def migrated(dsn: str, target: str = "head") -> str | None:
    """Bring the database to a revision, and say which it has now. Raises CannotStart where that is not possible."""
    # The tools for it are slow to load, and most starts need none.
    from shared.adapters.postgres.migrate import MigrationError, migrate

    try:
        return await migrate(dsn, target=target)
    except MigrationError as error:
        raise CannotStart(str(error)) from None
