"""``arrears``: the command line. Each command parses, calls, prints."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import typer
from pydantic import ValidationError

from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from services.cli_demo import demo
from services.cli_documents import asyncapi, openapi
from shared.adapters.postgres import digest as digests
from shared.adapters.postgres import invariants
from shared.adapters.postgres import migrate as schema
from shared.adapters.postgres.shelf import seed_documents
from shared.adapters.synthetic import portfolio
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from shared.runtime.settings import ProcessSettings

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
db = typer.Typer(no_args_is_help=True, help="The embedded database under ARREARS_HOME.")
app.add_typer(db, name="db")
app.command()(demo)
app.command()(openapi)
app.command()(asyncapi)


@app.command()
def migrate(target: Annotated[str, typer.Option(help="A revision, or head.")] = "head") -> None:
    """Bring the database to this version of the schema, with the roles and grants that the services need."""
    with _owner_dsn() as dsn:
        revision = asyncio.run(_migrate_and_seed(dsn, target))
    typer.echo(f"schema revision {revision or '(none)'}")


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="What the caller may do.")] = Role.COLLECTOR,
    subject: Annotated[str | None, typer.Option(help="Who the caller is.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="A team whose cases are also theirs.")] = None,
) -> None:
    """Print a token of the development issuer."""
    settings = ApiSettings()
    if not settings.uses_development_issuer:
        raise typer.BadParameter("tokens come from the configured issuer here")
    issuer = DevIssuer(settings.home, audience=settings.auth_audience)
    typer.echo(issuer.make_token(role, subject=subject, teams=team or ()))


async def _migrate_and_seed(dsn: str, target: str) -> str | None:
    revision = await schema.migrate(dsn, target=target)
    if target == "head":
        await seed_documents(dsn)
    return revision


@app.command()
def migration(name: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write the migration that leads from the migrated database to the tables as declared. For developers."""
    with _owner_dsn() as dsn:
        asyncio.run(schema.migrate(dsn))
        path = asyncio.run(schema.write_migration(dsn, name))
    typer.echo(f"wrote {path}: read it before you commit it")


@app.command()
def digest(
    outcome: Annotated[bool, typer.Option("--outcome/--facts", help="Follow-ups and messages too.")] = False,
    on: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Days past due on this date.")] = None,
    lines: Annotated[bool, typer.Option("--lines", help="What is hashed, to compare two runs line by line.")] = False,
) -> None:
    """Hash what the book holds: the same events, however they came, give the same digest."""
    day = None if on is None else on.date()
    asyncio.run(_print_lines(outcome, day) if lines else _print_digest(outcome, day))


async def _print_digest(outcome: bool, on: date | None) -> None:
    async with _reading() as conn:
        typer.echo(await (digests.outcome_digest(conn, on) if outcome else digests.facts_digest(conn, on)))


async def _print_lines(outcome: bool, on: date | None) -> None:
    async with _reading() as conn, digests.snapshot(conn):
        async for line in digests.outcome_lines(conn, on) if outcome else digests.facts_lines(conn, on):
            sys.stdout.buffer.write(line)


@app.command()
def laws() -> None:
    """Ask the whole database whether our laws hold; exit 1 when one is broken."""
    found = asyncio.run(_ask_laws())
    broken = Counter(finding.law for finding in found)
    for law in invariants.LAWS:
        typer.echo(f"{law:<4} {'broken' if broken[law] else 'holds'}")
        for finding in (each for each in found if each.law == law):
            typer.echo(f"     {finding.count} x {finding.what}: {', '.join(finding.sample)}")
    raise typer.Exit(1 if found else 0)


async def _ask_laws() -> list[invariants.Finding]:
    async with _reading() as conn:
        return await invariants.check(conn)


@app.command()
def synth(
    customers: Annotated[int, typer.Option(min=1, max=99_999_999)] = 1000,
    months: Annotated[int, typer.Option(min=1, max=120)] = 6,
    seed: int = 1,
    start: Annotated[datetime, typer.Option(formats=["%Y-%m"], help="The first month.")] = datetime(2026, 4, 1),  # noqa: DTZ001
    out: Annotated[Path | None, typer.Option(help="A file; else standard output.")] = None,
) -> None:
    """Make up a portfolio: our inbound feed as NDJSON, in the order of time, the same for the same seed."""
    feed = portfolio(customers, months, seed, start.date())
    with out.open("wb") if out is not None else nullcontext(sys.stdout.buffer) as file:
        for line in feed:
            file.write(line)


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


@asynccontextmanager
async def _reading() -> AsyncIterator[Any]:
    """One connection that sees everything."""
    with _owner_dsn() as dsn:
        conn = await asyncpg.connect(dsn, server_settings={"search_path": schema.SCHEMA})
        try:
            yield conn
        finally:
            await conn.close()


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
    except (EmbeddedPostgresError, schema.MigrationError, digests.NoPolicy, ValidationError) as error:
        typer.echo(f"arrears: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
