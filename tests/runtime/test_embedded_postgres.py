"""The embedded server under owners that come, go and are killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import asyncpg
import psutil
import pytest

from shared.runtime.embedded_postgres import OWNER_ROLE, EmbeddedPostgres, EmbeddedPostgresError
from shared.runtime.processes import alive

ROOT = Path(__file__).parents[2]


class OpenHome(Protocol):
    def __call__(self, *, durable: bool = False, at: Path = ...) -> EmbeddedPostgres: ...


OWNER = """
import sys, time
from pathlib import Path
from shared.runtime.embedded_postgres import EmbeddedPostgres
print(EmbeddedPostgres(Path(sys.argv[1]), durable=False).start(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="arrears-home-"))
    home = folder / "home"
    yield home
    shutil.rmtree(folder)


@pytest.fixture
def open_home(home: Path) -> Iterator[OpenHome]:
    """Makes owners over the test's home; whatever they leave is put away after the test."""
    opened: list[EmbeddedPostgres] = []

    def make(*, durable: bool = False, at: Path = home) -> EmbeddedPostgres:
        opened.append(EmbeddedPostgres(at, durable=durable))
        return opened[-1]

    yield make
    for postgres in opened:
        postgres.stop()
    for postgres in opened:
        postgres.destroy()


def another_owner(home: Path) -> subprocess.Popen[str]:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline().startswith("postgresql://")
    return owner


def kill(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.communicate()


async def ask(dsn: str, question: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


async def test_starts_answers_and_stops_with_its_last_owner(open_home: OpenHome) -> None:
    postgres = open_home()
    dsn = postgres.start("bank")
    assert await ask(dsn, "select current_user || '@' || current_database()") == f"{OWNER_ROLE}@bank"
    assert await ask(dsn, "show server_encoding") == "UTF8"
    pid = postgres.running_pid()
    assert pid is not None
    server = psutil.Process(pid)
    assert postgres.stop()
    assert postgres.running_pid() is None
    assert not alive(server)  # whoever started it may still have to reap it


@pytest.mark.faults
async def test_what_was_written_is_there_after_a_restart(open_home: OpenHome) -> None:
    postgres = open_home(durable=True)
    dsn = postgres.start()
    assert await ask(dsn, "show fsync") == "on"
    await ask(dsn, "create table kept as select 7 as n")
    postgres.stop()
    assert await ask(postgres.start(), "select n from kept") == 7


async def test_leaves_the_server_to_the_other_owner(open_home: OpenHome) -> None:
    first, second = open_home(), open_home()
    dsn = first.start()
    assert second.start() == dsn
    assert first.owners_alive() == 2
    assert not first.stop()
    assert await ask(dsn, "select 1") == 1
    assert second.stop()


@pytest.mark.faults
async def test_takes_over_from_a_killed_owner_and_then_stops_it(home: Path, open_home: OpenHome) -> None:
    kill(another_owner(home))
    postgres = open_home()
    left_behind = postgres.running_pid()
    assert left_behind is not None, "the server outlives its killed owner"
    dsn = postgres.start()
    assert postgres.running_pid() == left_behind
    assert postgres.owners_alive() == 1
    assert await ask(dsn, "select 1") == 1
    assert postgres.stop()
    assert postgres.running_pid() is None


@pytest.mark.faults
def test_puts_away_what_a_killed_owner_left_behind_without_starting(home: Path, open_home: OpenHome) -> None:
    kill(another_owner(home))
    assert open_home(durable=True).stop()
    assert open_home(durable=True).running_pid() is None


@pytest.mark.faults
async def test_a_living_owner_in_another_process_keeps_the_server(home: Path, open_home: OpenHome) -> None:
    owner = another_owner(home)
    try:
        postgres = open_home()
        dsn = postgres.start()
        assert not postgres.stop()
        assert await ask(dsn, "select 1") == 1
        with pytest.raises(EmbeddedPostgresError, match="another process"):
            postgres.destroy()
    finally:
        kill(owner)


async def test_a_pid_file_whose_pid_is_somebody_else_now_is_not_believed(home: Path, open_home: OpenHome) -> None:
    postgres = open_home()
    postgres.start()
    pid_file = home.resolve() / "pgdata" / "postmaster.pid"
    lines = pid_file.read_text().splitlines()
    postgres.stop()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    assert postgres.running_pid() is None
    assert await ask(postgres.start(), "select 1") == 1


@pytest.mark.faults
async def test_recovers_after_the_server_itself_was_killed(open_home: OpenHome) -> None:
    postgres = open_home(durable=True)
    dsn = postgres.start()
    await ask(dsn, "create table kept as select 7 as n")
    pid = postgres.running_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while postgres.running_pid() is not None:
        time.sleep(0.005)
    assert await ask(postgres.start(), "select n from kept") == 7


async def test_starts_again_when_its_socket_was_swept_away(open_home: OpenHome) -> None:
    postgres = open_home()
    dsn = postgres.start()
    next(Path(dsn.partition("host=")[2]).glob(".s.PGSQL.*[0-9]")).unlink()
    assert await ask(postgres.start(), "select 1") == 1


async def test_a_home_too_deep_for_a_socket_path_works(home: Path, open_home: OpenHome) -> None:
    deep = home / ("deep-" * 12) / ("deeper-" * 12)
    postgres = open_home(at=deep)
    assert await ask(postgres.start(), "select 1") == 1


def test_only_its_account_may_enter_the_socket_directory(open_home: OpenHome) -> None:
    dsn = open_home().start()
    assert Path(dsn.partition("host=")[2]).stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_root_opens_no_directory_for_the_servers_account(home: Path, open_home: OpenHome) -> None:
    home.parent.chmod(0o700)
    postgres = open_home()
    postgres.start()
    assert home.parent.stat().st_mode & 0o777 == 0o700
    data = (home / "pgdata").resolve()
    assert data.stat().st_uid != 0
    postgres.stop()
    postgres.destroy()
    assert not data.exists()


def test_a_server_that_can_not_start_says_why(home: Path, open_home: OpenHome) -> None:
    postgres = open_home()
    postgres.start()
    postgres.stop()
    (home / "pgdata" / "pg_hba.conf").write_text("nonsense\n")
    with pytest.raises(EmbeddedPostgresError, match="pg_hba"):
        postgres.start()
    assert postgres.owners_alive() == 0
