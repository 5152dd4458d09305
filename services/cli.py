"""``arrears``: the command line. Each command parses, calls, prints."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from pydantic import ValidationError

from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from services.cli_data import audit, digest, keys, laws, replay, synth
from services.cli_database import db, migrate, migration
from services.cli_demo import demo
from services.cli_documents import asyncapi, openapi
from services.cli_rules import rules
from services.settings import CannotStart
from services.variables import refuse_unknown
from shared.adapters.postgres.digest import NoPolicy
from shared.adapters.postgres.migrate import MigrationError
from shared.application.principal import Role
from shared.domain.document import DocumentError
from shared.runtime.embedded_postgres import EmbeddedPostgresError
from shared.runtime.settings import complaint

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
app.add_typer(db, name="db")
app.add_typer(rules, name="rules")
app.command()(migrate)
app.command()(migration)
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


def main() -> None:
    """Run a command; what an operator can put right is told in one line, not as a traceback."""
    try:
        if "--help" not in sys.argv:  # who looks for the right name may read on
            refuse_unknown()
        app()
    except (CannotStart, DocumentError, EmbeddedPostgresError, MigrationError, NoPolicy, ValidationError) as error:
        told = complaint(error) if isinstance(error, ValidationError) else str(error)
        typer.echo(f"arrears: {told}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
