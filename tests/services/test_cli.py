"""The command line loads what a command needs, and lists them all."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from services.cli import COMMANDS, app_for


def test_all_commands_are_listed_with_what_they_do() -> None:
    told = CliRunner().invoke(app_for(None), ["--help"]).output
    for name in COMMANDS:
        assert name in told


@pytest.mark.parametrize("name", COMMANDS)
def test_each_is_found_under_its_name(name: str) -> None:
    result = CliRunner().invoke(app_for(name), [name, "--help"])
    assert result.exit_code == 0
    assert f" {name} " in result.output


@pytest.mark.parametrize("asked", ["demoo", "--version"])
def test_what_is_none_is_refused_by_name(asked: str) -> None:
    result = CliRunner().invoke(app_for(asked), [asked])
    assert result.exit_code == 2
    assert asked in result.output


def test_a_token_is_made_without_loading_the_services() -> None:
    asked = "import sys; from services.cli import app_for; app_for('token'); print('fastapi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], capture_output=True, check=True).stdout == b"False\n"
