"""``arrears synth``, ``digest``, ``laws``, ``audit`` and ``keys``: what an operator and CI hold runs against each other
with, and what a new deployment begins with."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from services.chores import watch_laws
from services.cli import app_for
from shared.adapters.crypto import parse_keys
from shared.adapters.postgres import audit as audit_trail
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.schema import SCHEMA
from shared.runtime.metrics import REGISTRY
from tests.adapters.lawful_world import settle_in
from tests.conftest import Database


async def run(*arguments: str) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, app_for(arguments[0]), arguments)
    return result.exit_code, result.output


async def test_a_portfolio_is_written_to_a_file_or_printed(tmp_path: Path) -> None:
    out = tmp_path / "feed.ndjson"
    wanted = ("synth", "--customers", "5", "--seed", "4", "--start", "2026-05")
    assert await run(*wanted, "--out", str(out)) == (0, "")
    code, printed = await run(*wanted)
    assert code == 0
    assert printed == out.read_text(encoding="utf-8")
    assert json.loads(printed.splitlines()[0])["time"].startswith("2026-05")


@pytest.fixture
async def world(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": SCHEMA})
    await settle_in(owner)
    await owner.close()
    monkeypatch.setenv("ARREARS_DATABASE_URL", database.owner_dsn)
    return database


async def test_the_digest_is_one_line_and_its_lines_can_be_compared(world: Database) -> None:
    facts, outcome, later = (
        await run("digest", "--facts"),
        await run("digest", "--outcome"),
        await run("digest", "--facts", "--on", "2026-08-01"),
    )
    assert [code for code, _ in (facts, outcome, later)] == [0, 0, 0]
    assert len({facts[1], outcome[1], later[1]}) == 3
    assert len(facts[1].strip()) == 64
    code, lines = await run("digest", "--outcome", "--lines")
    assert code == 0
    assert {json.loads(line)[0] for line in lines.splitlines()} >= {"account", "payment", "follow-up", "message"}


async def test_laws_names_what_is_broken_and_fails(world: Database) -> None:
    code, holds = await run("laws")
    assert (code, "broken" in holds) == (0, False)
    owner = await asyncpg.connect(world.owner_dsn, server_settings={"search_path": SCHEMA})
    await owner.execute("update contact_ledger set state = 'released'")
    await owner.close()
    code, broken = await run("laws")
    assert code == 1
    assert "L4   broken" in broken
    assert "1 x an attempt that may have reached somebody is not counted" in broken


async def test_the_job_over_the_laws_shows_what_it_found_in_metrics(world: Database) -> None:
    pool = await Pool.open(world.dsn(), size=1, application="test", role="arrears_api")
    owner = await asyncpg.connect(world.owner_dsn, server_settings={"search_path": SCHEMA})
    await owner.execute("update contact_ledger set state = 'released'")
    await owner.close()
    stop = asyncio.Event()
    task = asyncio.create_task(watch_laws(pool, lambda: datetime.now(UTC), stop, every=0.01))
    while not REGISTRY.get_sample_value("arrears_law_violations", {"law": "L4"}):
        assert not task.done()
        await asyncio.sleep(0.01)
    assert REGISTRY.get_sample_value("arrears_law_violations", {"law": "L7"}) == 0
    stop.set()
    await task
    await pool.close()


async def test_the_audit_trail_is_checked_and_a_changed_entry_is_named(world: Database) -> None:
    owner = await asyncpg.connect(world.owner_dsn, server_settings={"search_path": SCHEMA})
    await owner.execute("delete from audit")
    assert await run("audit") == (0, "holds: it is empty\n")
    entries = [await audit_trail.append(owner, "anna", "case.assign", f"case/{n}", {"to": "bo"}) for n in range(3)]
    code, holds = await run("audit")
    assert (code, holds.startswith(f"holds up to entry {entries[-1]}, ")) == (0, True)
    await owner.execute("alter table audit disable trigger all")
    await owner.execute("update audit set actor = 'someone else' where entry = $1", entries[1])
    await owner.close()
    assert await run("audit") == (1, f"entry {entries[1]} is not what was written\n")


async def test_keys_of_a_new_deployment_are_made_once_and_never_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "keys.json"
    code, said = await run("keys", str(out))
    assert (code, out.stat().st_mode & 0o777) == (0, 0o600)
    made = out.read_bytes()
    assert parse_keys(made, development_allowed=False)
    assert base64.b64encode(made).decode() not in said
    code, said = await run("keys", str(out))
    assert code != 0
    assert "never overwritten" in said
    assert out.read_bytes() == made
