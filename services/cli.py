"""``arrears``: the command line. Each command parses, calls, prints."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from pydantic import ValidationError

from shared.adapters.postgres import migrate as schema
from shared.runtime.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from shared.runtime.settings import ProcessSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
db = typer.Typer(no_args_is_help=True, help="The embedded database under ARREARS_HOME.")
app.add_typer(db, name="db")


@app.command()
def migrate(target: Annotated[str, typer.Option(help="A revision, or head.")] = "head") -> None:
    """Bring the database to this version of the schema, with the roles and grants that the services need."""
    with _owner_dsn() as dsn:
        revision = asyncio.run(schema.migrate(dsn, target=target))
    typer.echo(f"schema revision {revision or '(none)'}")


@app.command()
def migration(name: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write the migration that leads from the migrated database to the tables as declared. For developers."""
    with _owner_dsn() as dsn:
        asyncio.run(schema.migrate(dsn))
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


@contextmanager
def _owner_dsn() -> Iterator[str]:
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


def main() -> None:
    """Run a command; what an operator can put right is told in one line, not as a traceback."""
    try:
        app()
    except (EmbeddedPostgresError, schema.MigrationError, ValidationError) as error:
        typer.echo(f"arrears: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
