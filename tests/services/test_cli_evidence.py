"""``arrears synth``, ``digest`` and ``laws``: what an operator and CI hold two runs against each other with."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import asyncpg
import pytest
from typer.testing import CliRunner

from services.cli import app
from shared.adapters.postgres.schema import SCHEMA
from tests.adapters.lawful_world import settle_in
from tests.conftest import Database


async def run(*arguments: str) -> tuple[int, str]:
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
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
