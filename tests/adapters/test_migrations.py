"""The migrations lead to the declared tables, once at a time, and the services get what they need and no more."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from services.database import check_database
from services.settings import CannotStart
from shared.adapters.postgres import schema
from shared.adapters.postgres.migrate import LOGIN_ROLES, MigrationError, downgrade, migrate
from shared.adapters.postgres.schema import (
    SCHEMA,
    OwnerRefusedError,
    SchemaMismatchError,
    ServerTooOldError,
    check_schema,
    check_server,
    expected_revision,
    refuse_owner,
)
from shared.adapters.postgres.tables import metadata
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.settings import ProcessSettings
from tests.conftest import Database


async def differences(dsn: str) -> list[Any]:
    """What autogenerate would still change."""

    def compare(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: name == SCHEMA if kind == "schema" else True,
                "version_table_schema": SCHEMA,
                "compare_server_default": True,
            },
        )
        return list(compare_metadata(context, metadata))

    async def connect() -> Any:
        return await asyncpg.connect(dsn, server_settings={"search_path": "public"})

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(compare)
    await engine.dispose()
    return found


async def tables(connection: asyncpg.Connection) -> set[str]:
    rows = await connection.fetch("select tablename from pg_tables where schemaname = $1", SCHEMA)
    return {row["tablename"] for row in rows}


async def test_the_migrated_database_is_the_declared_one(database: Database) -> None:
    assert await differences(database.owner_dsn) == []


async def test_the_way_down_removes_every_table_and_the_way_up_brings_them_back(
    database: Database, owner: asyncpg.Connection
) -> None:
    await downgrade(database.owner_dsn, target="base")
    assert await tables(owner) == {"alembic_version"}
    assert await migrate(database.owner_dsn) == expected_revision()
    assert await differences(database.owner_dsn) == []


async def test_migrating_again_or_at_the_same_time_changes_nothing(database: Database) -> None:
    await downgrade(database.owner_dsn, target="base")
    revisions = await asyncio.gather(*(migrate(database.owner_dsn) for _ in range(3)))
    assert set(revisions) == {expected_revision()}


async def test_a_process_refuses_a_schema_it_does_not_know(database: Database, owner: asyncpg.Connection) -> None:
    await check_schema(owner)
    await owner.execute("update alembic_version set version_num = 'of-tomorrow'")
    with pytest.raises(SchemaMismatchError, match=r"of-tomorrow.*arrears migrate"):
        await check_schema(owner)


async def test_a_process_refuses_a_database_without_a_schema(postgres: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres.dsn("postgres"))
    with pytest.raises(SchemaMismatchError, match=r"\(none\)"):
        await check_schema(connection)
    await connection.close()


@pytest.mark.parametrize("role", LOGIN_ROLES)
async def test_a_service_reads_and_writes_rows_and_can_do_nothing_else(database: Database, role: str) -> None:
    connection = await asyncpg.connect(database.dsn(role), server_settings={"search_path": SCHEMA})
    await check_schema(connection)
    await refuse_owner(connection)
    await connection.execute("insert into timers (scope, kind, subject, due_at, rank) values ('*', 'k', 's', now(), 1)")
    await connection.execute("delete from timers")
    for forbidden in (
        "truncate timers",
        "drop table timers",
        "alter table timers add column x int",
        "create table mine (x int)",
        "update alembic_version set version_num = 'x'",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(forbidden)
    await connection.close()


async def test_the_owner_of_the_tables_is_refused_as_a_service(owner: asyncpg.Connection) -> None:
    with pytest.raises(OwnerRefusedError, match="arrears_owner"):
        await refuse_owner(owner)


@pytest.fixture
def fresh_server() -> Iterator[EmbeddedPostgres]:
    """A server of its own: roles belong to the server, and here none have been made."""
    folder = Path(tempfile.mkdtemp(prefix="arrears-home-"))
    server = EmbeddedPostgres(folder / "home", durable=False)
    yield server
    server.destroy()
    shutil.rmtree(folder)


async def test_an_owner_who_may_not_make_roles_is_told_what_an_administrator_must_run(
    fresh_server: EmbeddedPostgres,
) -> None:
    administrator = await asyncpg.connect(fresh_server.start("bank"))
    await administrator.execute("create role bank_owner login; grant create on database bank to bank_owner")
    dsn = fresh_server.dsn("bank", "bank_owner")
    with pytest.raises(MigrationError, match="create role arrears_service") as caught:
        await migrate(dsn)
    await administrator.execute(str(caught.value).partition("run: ")[2])
    assert await migrate(dsn) == expected_revision()
    await administrator.close()


async def test_a_server_that_is_too_old_is_refused_by_its_version(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_server(170000)
    with pytest.raises(ServerTooOldError, match=r"PostgreSQL 16\.4, this version needs PostgreSQL 17"):
        check_server(160004)
    monkeypatch.setattr(schema, "OLDEST_SERVER", 99)
    with pytest.raises(MigrationError, match="needs PostgreSQL 99"):
        await migrate(database.owner_dsn)
    with pytest.raises(CannotStart, match="needs PostgreSQL 99"):
        await check_database(database.dsn(), ProcessSettings())
