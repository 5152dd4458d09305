"""One real PostgreSQL for the whole run, a migrated template in it, and a fresh copy of that for every test that asks.

The controller makes the server's home and removes it at the end; every worker process joins the server, and the last to
leave stops it. Parts that may be missing on a machine (Kafka, a browser) skip their tests in one line, or fail them
when ``ARREARS_REQUIRE`` names them.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import asyncpg
import hypothesis
import pytest
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback

from shared.adapters.postgres.migrate import migrate
from shared.adapters.postgres.schema import SCHEMA
from shared.adapters.postgres.shelf import seed_documents
from shared.runtime.embedded_postgres import OWNER_ROLE, EmbeddedPostgres, EmbeddedPostgresError
from shared.runtime.local_kafka import LocalKafka
from shared.runtime.ownership import file_lock
from tests.ground import ground, grounds
from tests.kafka_broker import has_owners, kill_what_killed_runs_left, shared_broker, why_no_broker

TEMPLATE = "template_arrears"
SEEDED = "template_seeded"  # the same with the documents that ship
SEEDED_AT = datetime(2026, 6, 29, tzinfo=UTC)
HOME_VARIABLE = "ARREARS_TEST_HOME"
KEPT_VARIABLES = {"ARREARS_REQUIRE", "ARREARS_KAFKA_HOME"}  # of the run itself; the rest would change what is tested
PARTS: dict[str, Callable[[], str | None]] = {
    "kafka": why_no_broker,
    "browser": lambda: None if shutil.which("chromium") else "Chromium is not installed: no browser to test with",
}

_MINE: list[TextIO] = []  # what keeps this run's directory from being swept while it lasts


def _taken(home: Path) -> TextIO:
    """The directory is ours until this is closed, or until we are gone. Raises OSError when it is somebody else's."""
    lock = (home / "run.lock").open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise
    return lock


# How fast the machine is says nothing about what is tested.
hypothesis.settings.register_profile(
    "arrears", deadline=None, print_blob=True, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("arrears")


@dataclass(frozen=True, slots=True)
class Database:
    """A database of its own for one test, migrated and empty."""

    name: str
    server: EmbeddedPostgres

    @property
    def owner_dsn(self) -> str:
        """For setting up and looking, past every restriction."""
        return self.dsn(OWNER_ROLE)

    def dsn(self, role: str = "arrears_api") -> str:
        """As one of the services connects."""
        return self.server.dsn(self.name, role)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        return
    for name in [name for name in os.environ if name.startswith("ARREARS_") and name not in KEPT_VARIABLES]:
        del os.environ[name]
    os.environ["ARREARS_ENVIRONMENT"] = "development"
    _sweep_what_killed_runs_left()
    home = Path(tempfile.mkdtemp(prefix=_home_prefix(), dir=ground()))
    home.chmod(0o711)  # as root, the server runs as somebody else, who must be able to pass
    os.environ[HOME_VARIABLE] = str(home)
    _MINE.append(_taken(home))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput") and (home := os.environ.pop(HOME_VARIABLE, None)):
        LocalKafka(_kafka_home(Path(home))).wipe()  # the last worker to use it may have been killed
        EmbeddedPostgres(Path(home)).destroy()
        while _MINE:
            _MINE.pop().close()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is made here stays: to look for garbage in it, now and during the tests, is a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What may take long begins first, so that nobody is left with it at the end; the rest stays in random order."""
    items.sort(key=_patience, reverse=True)


def _patience(item: pytest.Item) -> float:
    """Seconds that the test may take, where it says so."""
    marker = item.get_closest_marker("timeout")
    if marker is not None:
        return float(marker.args[0])
    return 10.0 if item.get_closest_marker("kafka") or item.get_closest_marker("slow") else 0.0


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()  # not in the process that only hands tests out: its workers are among what it has made
    if not session.config.option.collectonly and any(item.get_closest_marker("kafka") for item in session.items):
        why_no_broker()  # here, because the first time fetches: no test should have to do that in its time


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = os.environ.get("ARREARS_REQUIRE", "").split(",")
    for part, why_missing in PARTS.items():
        if item.get_closest_marker(part) and (missing := why_missing()):
            (pytest.fail if part in required else pytest.skip)(missing)


@pytest.fixture(scope="session", autouse=True)
def plain_tracebacks() -> None:
    """Failures are part of many stories; to draw each with all its variables takes a second."""
    *others, _ = structlog.get_config()["processors"]
    structlog.configure(processors=[*others, ConsoleRenderer(exception_formatter=plain_traceback)])


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """The server of this run, with the migrated template in it."""
    server = EmbeddedPostgres(Path(os.environ[HOME_VARIABLE]), durable=False)
    dsn = server.start(TEMPLATE)
    marker = server.home / "template-is-migrated"
    with file_lock(server.home / "template.lock"):
        if not marker.exists():
            asyncio.run(_make_templates(server, dsn))
            marker.touch()
    yield server
    server.stop()


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A fresh copy of the migrated template, dropped after the test with whatever is still connected to it."""
    async with copy_of_template(postgres) as copy:
        yield copy


@pytest.fixture
async def other_database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """A second one, for tests that compare two."""
    async with copy_of_template(postgres) as copy:
        yield copy


@contextlib.asynccontextmanager
async def copy_of_template(postgres: EmbeddedPostgres, template: str = TEMPLATE) -> AsyncIterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await _administer(postgres, f"create database {name} template {template} strategy file_copy")
    yield Database(name, postgres)
    await _administer(postgres, f"drop database {name} with (force)")


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool]:
    """Connections to the test's database as a service has them: not the owner, our schema first."""
    async with asyncpg.create_pool(
        database.dsn(), min_size=1, max_size=8, server_settings={"search_path": SCHEMA}
    ) as connections:
        yield connections


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """One connection as the owner of the tables, for planting and looking where a service may not."""
    connection = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": SCHEMA})
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
def kafka() -> Iterator[str]:
    """The address of the one broker of this run. Topics and groups are the test's: give them names of their own."""
    with shared_broker(_kafka_home(Path(os.environ[HOME_VARIABLE]))) as bootstrap:
        yield bootstrap


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A new directory below the run's, gone after the test, and with it a database that the test started in it."""
    path = Path(tempfile.mkdtemp(prefix="t-", dir=os.environ[HOME_VARIABLE]))
    path.chmod(0o711)  # as root, a server below it runs as somebody else
    yield path
    for data in (*path.glob("pgdata"), *path.glob("*/pgdata")):
        with contextlib.suppress(EmbeddedPostgresError):  # the test has broken it
            EmbeddedPostgres(data.parent).destroy()
    shutil.rmtree(path, ignore_errors=True)


async def _make_templates(server: EmbeddedPostgres, dsn: str) -> None:
    await migrate(dsn)
    await _close(server, TEMPLATE)
    await _administer(server, f"create database {SEEDED} template {TEMPLATE} strategy file_copy")
    await seed_documents(server.dsn(SEEDED), SEEDED_AT)
    await _close(server, SEEDED)


async def _close(server: EmbeddedPostgres, template: str) -> None:
    """Nobody connects to it any more, so that it can be copied at any moment."""
    await _administer(server, f"alter database {template} is_template true allow_connections false")


async def _administer(server: EmbeddedPostgres, statement: str) -> None:
    connection = await asyncpg.connect(server.dsn("postgres"))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def _kafka_home(home: Path) -> Path:
    return home / "kafka"


def _home_prefix() -> str:
    return f"arrears-tests-{os.getuid()}-"


def _sweep_what_killed_runs_left() -> None:
    kill_what_killed_runs_left()
    for home in (each for place in grounds() for each in place.glob(_home_prefix() + "*")):
        with contextlib.suppress(OSError, RuntimeError):  # another run is sweeping it, or is using it
            used = EmbeddedPostgres(home).owners_alive() or has_owners(_kafka_home(home))
            if time.time() - home.stat().st_mtime > 300 and not used:
                with _taken(home):  # a run that has no server of its own may still have files here
                    EmbeddedPostgres(home).destroy()
