"""``arrears migrate``, ``migration`` and ``db``: the database itself."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from services.cli_home import owner_dsn
from services.database import connect, migrated
from shared.adapters.postgres import migrate as schema
from shared.adapters.postgres.shelf import check_shipped, seed_documents
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.settings import ProcessSettings

db = typer.Typer(no_args_is_help=True, help="The embedded database under ARREARS_HOME.")


def migrate(target: Annotated[str, typer.Option(help="A revision, or head.")] = "head") -> None:
    """Bring the database to this version of the schema, with the roles and grants that the services need."""
    check_shipped()
    with owner_dsn() as dsn:
        revision = asyncio.run(_migrate_and_seed(dsn, target))
    typer.echo(f"schema revision {revision or '(none)'}")


async def _migrate_and_seed(dsn: str, target: str) -> str | None:
    await (await connect(dsn)).close()  # what can not be reached is told as everywhere
    revision = await migrated(dsn, target)
    if target == "head":
        await seed_documents(dsn)
    return revision


def migration(name: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write the migration that leads from the migrated database to the tables as declared. For developers."""
    with owner_dsn() as dsn:
        asyncio.run(migrated(dsn))
        path = asyncio.run(schema.write_migration(dsn, name))
    typer.echo(f"wrote {path}: read it before you commit it")


@db.command()
def status() -> None:
    """Say whether the embedded server runs, and for how many processes."""
    postgres = EmbeddedPostgres(ProcessSettings().home)
    pid = postgres.running_pid()
    typer.echo(f"running (pid {pid}) for {postgres.owners_alive()} processes" if pid else "not running")


@db.command()
def stop() -> None:
    """Stop the embedded server, if its owners have gone without stopping it."""
    if not EmbeddedPostgres(ProcessSettings().home).stop():
        typer.echo("another process is using it", err=True)
        raise typer.Exit(1)


@db.command()
def destroy(yes: Annotated[bool, typer.Option("--yes", help="Really remove all its data.")] = False) -> None:
    """Remove the embedded database with all its data."""
    if not yes:
        typer.confirm("Remove the embedded database and all its data?", abort=True)
    EmbeddedPostgres(ProcessSettings().home).destroy()
