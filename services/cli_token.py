"""``arrears token``: who may be tried out in development."""

from __future__ import annotations

from typing import Annotated

import typer

from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from shared.application.principal import Role


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
