"""``arrears``: the command line. Each command parses, calls, prints."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from pydantic import ValidationError

from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from services.cli_data import audit, digest, keys, laws, replay, synth
from services.cli_demo import demo
from services.cli_documents import asyncapi, openapi
from services.cli_home import owner_dsn
from services.cli_rules import rules
from services.database import connect
from services.settings import CannotStart
from shared.adapters.postgres import migrate as schema
from shared.adapters.postgres.digest import NoPolicy
from shared.adapters.postgres.shelf import seed_documents
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres, EmbeddedPostgresError
from shared.runtime.settings import ProcessSettings, complaint

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
db = typer.Typer(no_args_is_help=True, help="The embedded database under ARREARS_HOME.")
app.add_typer(db, name="db")
app.add_typer(rules, name="rules")
app.command()(demo)
app.command()(digest)
app.command()(laws)
app.command()(replay)
app.command()(audit)
app.command()(keys)
app.command()(synth)
app.command()(openapi)
app.command()(asyncapi)


@app.command()
def migrate(target: Annotated[str, typer.Option(help="A revision, or head.")] = "head") -> None:
    """Bring the database to this version of the schema, with the roles and grants that the services need."""
    with owner_dsn() as dsn:
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
    await (await connect(dsn)).close()  # what can not be reached is told as everywhere
    revision = await schema.migrate(dsn, target=target)
    if target == "head":
        await seed_documents(dsn)
    return revision


@app.command()
def migration(name: Annotated[str, typer.Argument(help="What it does, in a few words.")]) -> None:
    """Write the migration that leads from the migrated database to the tables as declared. For developers."""
    with owner_dsn() as dsn:
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


def main() -> None:
    """Run a command; what an operator can put right is told in one line, not as a traceback."""
    try:
        app()
    except (CannotStart, EmbeddedPostgresError, schema.MigrationError, NoPolicy, ValidationError) as error:
        told = complaint(error) if isinstance(error, ValidationError) else str(error)
        typer.echo(f"arrears: {told}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
