"""SIGKILL while two chunks of a file are in flight: it goes on where it stopped, and each line counts once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from services.api.dev_issuer import DevIssuer
from shared.adapters.postgres import invariants
from shared.application.principal import Role
from tests.benchmarks import feed
from tests.faults.suite_process import a_world

pytestmark = pytest.mark.faults
ACCOUNTS = 4_000
REPORTS = 2  # of each account; the second comes two chunks behind the first
KILLS = 3

_LEFT = """
select (select count(*) from inbox where consumer = 'intake') as taken,
       (select count(*) from snapshots) as snapshots,
       (select count(*) from snapshots where stale) as stale,
       (select count(*) from accounts where sequence = 2) as newest,
       (select count(*) from outbox where type = 'arrears.case.opened.v1') as opened,
       (select count(*) from outbox where type = 'arrears.account.delinquent.v1') as delinquent
"""


def content() -> bytes:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    lines = [
        line
        for sequence in range(1, REPORTS + 1)
        for line in feed.reports(range(ACCOUNTS), at, sequence=sequence, profile=False)
    ]
    return b"\n".join(lines) + b"\n"


async def kill_at_work(suite: Any, pool: Any, dice: Random) -> None:
    """When more lines are committed than before: then the next chunk is being written, and one more decided."""
    before = await pool.fetchval("select count(*) from inbox")
    async with asyncio.timeout(120):
        while await pool.fetchval("select count(*) from inbox") == before:
            await asyncio.sleep(0.01)
    await asyncio.sleep(dice.uniform(0, 0.2))
    await suite.kill()
    await suite.start()
    # A receiver that fell silent is only taken for gone after a while.
    await pool.execute("update imports set updated_at = updated_at - interval '1 hour' where state = 'receiving'")


@pytest.mark.timeout(280)
async def test_an_import_that_is_killed_again_and_again_ends_as_one_that_was_not(tmp_path: Path) -> None:
    file, dice = content(), Random(11)
    async with a_world(tmp_path) as (suite, pool, _):
        await pool.execute("insert into business_clock (id, now) values (1, '2026-03-02T12:00:00Z')")
        headers = {"authorization": f"Bearer {DevIssuer(tmp_path, audience='arrears').make_token(Role.CORE_BANKING)}"}
        async with httpx.AsyncClient(base_url=suite.url, headers=headers, timeout=120) as client:
            about = {"name": "killed", "format": "ndjson", "lines": ACCOUNTS * REPORTS}
            made = await client.post("/v1/imports", json=about, headers={"idempotency-key": "once"})
            where = made.headers["location"] + "/content"
            for _ in range(KILLS):
                sent = asyncio.create_task(client.put(where, content=file))
                await kill_at_work(suite, pool, dice)
                await asyncio.gather(sent, return_exceptions=True)
            answer = await client.put(where, content=file)
        assert answer.json()["state"] == "done", answer.text
        done = answer.json()
        assert done["lines_done"] == ACCOUNTS * REPORTS == sum(done["counts"].values())
        assert set(done["counts"]) <= {"accepted", "duplicate"}
        left = dict(await pool.fetchrow(_LEFT))
        assert left == {
            "taken": ACCOUNTS * REPORTS, "snapshots": ACCOUNTS * REPORTS, "stale": 0, "newest": ACCOUNTS,
            "opened": ACCOUNTS, "delinquent": ACCOUNTS,
        }  # fmt: skip
        async with pool.acquire() as conn:
            assert await invariants.check(conn) == []
