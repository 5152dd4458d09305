"""What a person can put right is told in one line that names what they have set, never as a traceback."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services import cli, local
from services.chores import be_alone
from services.database import check_database
from services.sandbox.__main__ import main as sandbox
from services.settings import CannotStart, ServiceSettings, make_cipher
from shared.adapters.postgres.migrate import MigrationError
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.conftest import Database


@pytest.fixture(autouse=True)
def development(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARREARS_ENVIRONMENT", "development")


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("ARREARS_API_PORT", "4111x", "valid integer"),
        ("ARREARS_METRICS_PORT", "99999", "less than or equal to 65535"),
        ("ARREARS_SANDBOX_HTTP_PORT", "99999", "less than or equal to 65535"),
        ("ARREARS_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO'"),
        ("ARREARS_ENVIRONMENT", "prod", "'development' or 'production'"),
        ("ARREARS_AUTH_JWKS_URL", "here", "pattern"),
        ("ARREARS_SECRETS_DIR", "/nowhere", "is no directory"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named_as_it_was_set(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        local.main()
    told = str(ended.value)
    assert told.startswith(f"arrears: {name}: ")
    assert reason in told
    assert "\n" not in told


def test_so_is_one_of_the_sandbox(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("ARREARS_SANDBOX_SMTP_PORT", "smtp")
    assert sandbox([]) == 1
    assert capsys.readouterr().err.startswith("sandbox: ARREARS_SANDBOX_SMTP_PORT: ")


def test_a_level_of_the_log_may_be_written_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ARREARS_LOG_LEVEL", "warning")
    assert ServiceSettings().log_level == "WARNING"


@pytest.mark.parametrize("url", ["nonsense", "mysql://u:hidden@127.0.0.1/x", "postgresql://u:hidden@127.0.0.1:port/x"])
async def test_what_is_no_address_of_a_database_is_told_without_repeating_it(url: str) -> None:
    with pytest.raises(CannotStart, match="ARREARS_DATABASE_URL") as caught:
        await check_database(url, ServiceSettings())
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("command", [["migrate"], ["migration", "more"]])
def test_what_keeps_a_migration_from_running_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: Database, command: list[str]
) -> None:
    async def refuse(dsn: str, target: str) -> None:
        raise MigrationError(f"{target} needs a newer server")

    monkeypatch.setattr("shared.adapters.postgres.migrate.migrate", refuse)
    monkeypatch.setenv("ARREARS_DATABASE_URL", database.owner_dsn)
    monkeypatch.setattr("sys.argv", ["arrears", *command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "arrears: head needs a newer server\n"


@pytest.mark.parametrize("command", ["laws", "migrate"])
def test_so_does_the_command_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("ARREARS_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/x")
    monkeypatch.setattr("sys.argv", ["arrears", command])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    told = capsys.readouterr().err
    assert told == "arrears: the database can not be reached (ConnectionRefusedError); see ARREARS_DATABASE_URL\n"


async def test_a_home_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    async with AsyncExitStack() as stack:
        with pytest.raises(CannotStart, match="ARREARS_HOME"):
            be_alone(stack, tmp_path / "file" / "home")


def test_keys_that_can_not_be_read_are_told_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match=r"ARREARS_KEY_FILE .*missing\.json"):
        make_cipher(ServiceSettings(key_file=tmp_path / "missing.json"))


def test_a_feed_that_can_not_be_read_is_refused_before_the_demo_empties_anything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    feed, home = tmp_path / "feed.ndjson", tmp_path / "home"
    feed.write_text('{"time": "2026-04-01T10:00:00Z"}\n\n{"time": 7}\n')
    monkeypatch.setattr("sys.argv", ["arrears", "demo", "--feed", str(feed), "--home", str(home)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "line 3 of the feed" in capsys.readouterr().err
    assert not home.exists()


@pytest.fixture
def short_home() -> Iterator[Path]:
    """A socket's path may not be long, as those of pytest are."""
    with tempfile.TemporaryDirectory(prefix="arrears-home-") as folder:
        yield Path(folder) / "home"


@pytest.mark.faults
async def test_services_that_wait_for_a_broker_end_when_told_to(short_home: Path) -> None:
    nobody = "127.0.0.1:1"
    environment = {
        **os.environ,
        "ARREARS_HOME": str(short_home),
        "ARREARS_KAFKA_BOOTSTRAP": nobody,
        "ARREARS_SANDBOX": "false",
        "ARREARS_DURABLE": "false",
        "ARREARS_API_PORT": "0",
        "ARREARS_METRICS_PORT": "0",
    }
    suite = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.local"), env=environment, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        while len(list((short_home / "logs").glob("*.log"))) < 3:
            assert suite.returncode is None
            await asyncio.sleep(0.05)
    suite.send_signal(signal.SIGTERM)
    async with asyncio.timeout(20):
        _, complaints = await suite.communicate()
    assert suite.returncode == 0
    assert b"Traceback" not in complaints
    assert EmbeddedPostgres(short_home).running_pid() is None
