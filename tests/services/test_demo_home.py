"""Which homes the demo empties: its own, and what a start that failed left; never one with data."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from services.demo_home import HomeRefused, prepare_home
from shared.adapters.postgres.migrate import migrate
from shared.adapters.postgres.shelf import seed_documents
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.ownership import file_lock


@pytest.fixture
def home() -> Iterator[Path]:
    """A socket's path may not be long, as those of pytest are."""
    with tempfile.TemporaryDirectory(prefix="arrears-home-") as folder:
        yield Path(folder) / "home"


def test_an_earlier_demo_is_emptied(home: Path) -> None:
    prepare_home(home)
    (home / "sandbox").mkdir()
    (home / "sandbox/log.ndjson").write_text("{}\n")
    prepare_home(home)
    assert not (home / "sandbox").exists()
    prepare_home(home)


def test_so_is_what_a_start_that_failed_early_left(home: Path) -> None:
    for folder in ("owners", "logs", "sandbox"):
        (home / folder).mkdir(parents=True)
    for file in ("suite.lock", "suite.name", "lock", "sandbox/log.ndjson"):
        (home / file).touch()
    prepare_home(home)
    assert not (home / "suite.name").exists()


@pytest.mark.parametrize("name", ["thesis.txt", "sandbox/log.ndjson", "keys.json", "kafka/data"])
def test_what_may_be_of_value_is_not(home: Path, name: str) -> None:
    kept = home / name
    kept.parent.mkdir(parents=True)
    kept.write_text("of value")
    (home / "suite.lock").touch()
    with pytest.raises(HomeRefused, match=f"holds {Path(name).parts[0]}"):
        prepare_home(home)
    assert kept.read_text() == "of value"


def test_a_home_where_a_suite_runs_is_not(home: Path) -> None:
    home.mkdir()
    with file_lock(home / "suite.lock"), pytest.raises(HomeRefused, match="a suite runs on it"):
        prepare_home(home)


def test_what_is_no_directory_is_not(home: Path) -> None:
    home.touch()
    with pytest.raises(HomeRefused, match="is no directory"):
        prepare_home(home)


def test_a_database_with_customers_is_kept_and_one_without_is_not(home: Path) -> None:
    asyncio.run(_suite_that_failed_late(home))
    prepare_home(home)
    assert not (home / "pgdata").exists()
    asyncio.run(
        _suite_that_failed_late(
            home, "insert into arrears.customers (customer_id, created_at, updated_at) values ('C', now(), now())"
        )
    )
    (home / "demo.mark").unlink()
    with pytest.raises(HomeRefused, match="holds the data of a suite"):
        prepare_home(home)
    assert (home / "pgdata").exists()
    EmbeddedPostgres(home).destroy()


async def _suite_that_failed_late(home: Path, *more: str) -> None:
    with EmbeddedPostgres(home, durable=False) as postgres:
        await migrate(postgres.dsn())
        await seed_documents(postgres.dsn())
        conn = await asyncpg.connect(postgres.dsn())
        for statement in more:
            await conn.execute(statement)
        await conn.close()
