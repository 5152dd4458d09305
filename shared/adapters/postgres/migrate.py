"""The schema's way into a database.

One migration runs at a time (a transaction-level advisory lock), all or nothing, and gives up rather than queue behind
a table that is in use. Whoever migrates owns the tables; the services connect as members of ``arrears_service``, which
may read and write rows and nothing else.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from shared.adapters.postgres.schema import (
    MIGRATIONS,
    SCHEMA,
    SERVER_VERSION,
    SERVICE_ROLE,
    ServerTooOldError,
    check_server,
)

LOGIN_ROLES = ("arrears_api", "arrears_notifier", "arrears_scheduler")

_LOCK_KEY = 0x6172_7265_6172_7301  # "arrears", 1: any constant that nobody else uses
_TURN_SECONDS = 120


class MigrationError(RuntimeError):
    """The database could not be brought to this schema; the message says what to do."""


async def migrate(dsn: str, *, target: str = "head") -> str | None:
    """Bring the database at ``dsn`` up to ``target``, with the roles and grants that the services need; its revision.

    ``dsn`` is that of the owner of the tables. Raises ``MigrationError`` when the server is too old, or when roles are
    missing that the owner may not make; waits for its turn up to two minutes and for a table in use up to five seconds.
    """

    async def work(connection: AsyncConnection) -> None:
        await _refuse_old_server(connection)
        await _ensure_roles(connection)
        await connection.execute(text(f"create schema if not exists {SCHEMA}"))
        await _alembic(connection, lambda config: command.upgrade(config, target))
        await _grant(connection)

    return await _in_turn(dsn, work)


async def downgrade(dsn: str, *, target: str) -> str | None:
    """Take the database at ``dsn`` back to ``target`` (``base`` removes everything). For development and tests."""

    async def work(connection: AsyncConnection) -> None:
        await _alembic(connection, lambda config: command.downgrade(config, target))

    return await _in_turn(dsn, work)


async def write_migration(dsn: str, message: str) -> Path | None:
    """Write the migration that leads from the database at ``dsn``, which is up to date, to the tables as declared."""
    written: list[Any] = []

    async def work(connection: AsyncConnection) -> None:
        await _alembic(
            connection, lambda config: written.append(command.revision(config, message=message, autogenerate=True))
        )

    await _in_turn(dsn, work)
    return Path(written[0].path) if written and written[0] else None


async def _in_turn(dsn: str, work: Callable[[AsyncConnection], Any]) -> str | None:
    async with _transaction(dsn) as connection:
        await connection.execute(text(f"set local lock_timeout = '{_TURN_SECONDS}s'"))
        await connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
        await connection.execute(text("set local lock_timeout = '5s'"))
        await work(connection)
        exists = await connection.scalar(text("select to_regclass(:name)"), {"name": f"{SCHEMA}.alembic_version"})
        found = await connection.scalar(text(f"select version_num from {SCHEMA}.alembic_version")) if exists else None  # noqa: S608 - constants
        return str(found) if found else None


@asynccontextmanager
async def _transaction(dsn: str) -> AsyncIterator[AsyncConnection]:
    async def connect() -> Any:
        # Objects go where they say; the default schema must not be ours, or reflection would leave its name out.
        return await asyncpg.connect(
            dsn, server_settings={"search_path": "public", "application_name": "arrears-migrate"}
        )

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            yield connection
    finally:
        await engine.dispose()


async def _alembic(connection: AsyncConnection, run: Callable[[Config], object]) -> None:
    def call(synchronous: Connection) -> None:
        config = _config()
        config.attributes["connection"] = synchronous
        run(config)

    await connection.run_sync(call)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    config.set_main_option("timezone", "UTC")
    return config


async def _refuse_old_server(connection: AsyncConnection) -> None:
    try:
        check_server(await connection.scalar(text(SERVER_VERSION)))
    except ServerTooOldError as error:
        raise MigrationError(str(error)) from None


async def _ensure_roles(connection: AsyncConnection) -> None:
    wanted = await _missing_roles(connection)
    if not wanted:
        return
    if not await connection.scalar(text("select rolsuper or rolcreaterole from pg_roles where rolname = current_user")):
        told = "; ".join(wanted)
        raise MigrationError(f"roles are missing that this user may not make; have an administrator run: {told}")
    for statement in wanted:
        # Roles belong to the whole server: a migration of another database may be making the same ones.
        await connection.execute(
            text(f"do $$ begin {statement}; exception when duplicate_object or unique_violation then null; end $$")
        )


async def _missing_roles(connection: AsyncConnection) -> list[str]:
    """The statements that bring what is missing of the roles and their membership."""
    rows = await connection.execute(text("select rolname from pg_roles where rolname like 'arrears\\_%'"))
    found = {name for (name,) in rows}
    members = set()
    for role in found & set(LOGIN_ROLES) if SERVICE_ROLE in found else ():
        if await connection.scalar(text(f"select pg_has_role('{role}', '{SERVICE_ROLE}', 'member')")):
            members.add(role)
    return [
        *([] if SERVICE_ROLE in found else [f"create role {SERVICE_ROLE} nologin"]),
        *(f"create role {role} login" for role in LOGIN_ROLES if role not in found),
        *(f"grant {SERVICE_ROLE} to {role}" for role in LOGIN_ROLES if role not in members),
    ]


async def _grant(connection: AsyncConnection) -> None:
    for statement in (
        f"grant usage on schema {SCHEMA} to {SERVICE_ROLE}",
        f"grant select, insert, update, delete on all tables in schema {SCHEMA} to {SERVICE_ROLE}",
        f"grant usage, select on all sequences in schema {SCHEMA} to {SERVICE_ROLE}",
        f"revoke insert, update, delete on {SCHEMA}.alembic_version from {SERVICE_ROLE}",
    ):
        await connection.execute(text(statement))
