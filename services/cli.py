"""``arrears``: the command line. Each command parses, calls, prints."""

from __future__ import annotations

import sys
from importlib import import_module

import typer
from pydantic import ValidationError

from services.settings import CannotStart
from services.variables import refuse_unknown
from shared.domain.document import DocumentError
from shared.runtime.embedded_postgres import EmbeddedPostgresError
from shared.runtime.settings import complaint

# Where each command is, in the order in which they are listed. To load what all of them need takes seconds.
COMMANDS = {
    "db": "services.cli_database",
    "rules": "services.cli_rules",
    "migrate": "services.cli_database",
    "migration": "services.cli_database",
    "demo": "services.cli_demo",
    "digest": "services.cli_data",
    "laws": "services.cli_data",
    "replay": "services.cli_data",
    "audit": "services.cli_data",
    "keys": "services.cli_data",
    "synth": "services.cli_data",
    "openapi": "services.cli_documents",
    "asyncapi": "services.cli_documents",
    "token": "services.cli_token",
}


def app_for(asked: str | None) -> typer.Typer:
    """The command line with the one command that is asked for, or with all of them where it is none that we know."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
    app.callback()(_no_options)  # else a single command would be the whole command line
    for name in [asked] if asked is not None and asked in COMMANDS else COMMANDS:
        command = getattr(import_module(COMMANDS[name]), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _no_options() -> None: ...


def main() -> None:
    """Run a command; what an operator can put right is told in one line, not as a traceback."""
    try:
        if "--help" not in sys.argv:  # who looks for the right name may read on
            refuse_unknown()
        app_for(next(iter(sys.argv[1:]), None))()
    except (CannotStart, DocumentError, EmbeddedPostgresError, ValidationError) as error:
        told = complaint(error) if isinstance(error, ValidationError) else str(error)
        typer.echo(f"arrears: {told}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
