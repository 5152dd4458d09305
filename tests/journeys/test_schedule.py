"""The schedule is a function of facts, policy and date: twice the same, and the same when the scheduler slept."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

import httpx
import pytest

from services.api.dev_issuer import DevIssuer
from services.demo import Driver
from services.demo_report import LogCheck, check_log
from services.embedded import LocalSettings, open_database
from services.together import running
from shared.adapters.postgres import digest, invariants
from shared.adapters.postgres.digest import StepKey
from shared.adapters.postgres.pool import Pool
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.conftest import HOME_VARIABLE
from tests.feeds import three_months

CUSTOMERS = 100
pytestmark = pytest.mark.xdist_group("schedule")  # the year they share is lived once


@dataclass(frozen=True, slots=True)
class Ended:
    """Half a year that is over; its book is still there to be read."""

    settings: LocalSettings
    passed_over: frozenset[StepKey]
    findings: list[object]
    sent: LogCheck

    async def lines(self, *, but_for: Collection[StepKey] = ()) -> list[bytes]:
        """What became of it, but for some steps."""
        async with AsyncExitStack() as stack:
            pool = await Pool.open(await open_database(self.settings, stack), size=1)
            async with pool.acquire() as conn, digest.snapshot(conn):
                lines = [line async for line in digest.outcome_lines(conn, without=but_for)]
            await pool.close()
        return lines


async def half_a_year(home: Path, *, awake: Callable[[datetime], bool] = lambda _at: True) -> Ended:
    settings = LocalSettings(
        home=home, manual_clock=True, api_port=0, sandbox_http_port=0, sandbox_smtp_port=0, durable=False
    )
    async with running(settings) as suite:
        token = DevIssuer(home, audience="arrears").make_token(Role.CORE_BANKING)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{suite.port}", timeout=60) as client:
            driver = Driver(suite.pool, client, token, wake=suite.wake, awake=awake, hold=suite.hold_scheduler)
            await driver.drive(three_months(CUSTOMERS))
        async with suite.pool.acquire() as conn:
            passed = await digest.passed_over(conn)
            findings = await invariants.check(conn)
            return Ended(settings, passed, list(findings), await check_log(conn, home / "sandbox" / "log.ndjson"))


@pytest.fixture(scope="module")
def punctual() -> Iterator[Ended]:
    """Half a year in which the scheduler was always awake."""
    home = Path(tempfile.mkdtemp(prefix="t-", dir=os.environ[HOME_VARIABLE]))
    home.chmod(0o711)  # as root, the server below it runs as somebody else
    yield asyncio.run(half_a_year(home))
    EmbeddedPostgres(home).destroy()
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.timeout(120)
async def test_the_same_feed_twice_has_the_same_outcome(tmp_path: Path, punctual: Ended) -> None:
    first, second = punctual, await half_a_year(tmp_path / "again")
    assert await first.lines() == await second.lines()
    assert first.sent.entries > CUSTOMERS
    for ended in (first, second):
        assert ended.findings == []
        assert not ended.sent.broken, ended.sent


@pytest.mark.timeout(180)
async def test_a_scheduler_that_slept_for_random_days_only_passes_steps_over(tmp_path: Path, punctual: Ended) -> None:
    dice = Random(11)
    nights = {day for day in range(366) if dice.random() < 0.4}

    def awake(at: datetime) -> bool:
        return at.timetuple().tm_yday not in nights

    slept = await half_a_year(tmp_path / "slept", awake=awake)
    assert slept.passed_over - punctual.passed_over, "it slept through something"
    both = slept.passed_over | punctual.passed_over
    slept_lines, punctual_lines = await slept.lines(but_for=both), await punctual.lines(but_for=both)
    assert set(slept_lines) ^ set(punctual_lines) == set()
    assert slept_lines == punctual_lines
    assert len(slept_lines) > CUSTOMERS
    assert slept.findings == []
    assert not slept.sent.broken, slept.sent
