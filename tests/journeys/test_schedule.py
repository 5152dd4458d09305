"""The schedule is a function of facts, policy and date: twice the same, and the same when the scheduler slept."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

import httpx
import pytest

from services.api.dev_issuer import DevIssuer
from services.demo import Driver
from services.demo_report import LogCheck, check_log
from services.embedded import LocalSettings
from services.together import running
from shared.adapters.postgres import digest, invariants
from shared.adapters.postgres.digest import StepKey
from shared.application.principal import Role
from tests.feeds import three_months

CUSTOMERS = 150


@dataclass(frozen=True, slots=True)
class Ended:
    lines: tuple[bytes, ...]
    passed_over: frozenset[StepKey]
    findings: list[object]
    sent: LogCheck


async def half_a_year(
    home: Path, *, awake: Callable[[datetime], bool] = lambda _at: True, but_for: Collection[StepKey] = ()
) -> Ended:
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
            async with digest.snapshot(conn):
                lines = tuple([line async for line in digest.outcome_lines(conn, without=but_for)])
            findings = await invariants.check(conn)
            return Ended(lines, passed, list(findings), await check_log(conn, home / "sandbox" / "log.ndjson"))


@pytest.mark.timeout(120)
async def test_the_same_feed_twice_has_the_same_outcome(tmp_path: Path) -> None:
    first, second = await half_a_year(tmp_path / "a"), await half_a_year(tmp_path / "b")
    assert first.lines == second.lines
    assert first.sent.entries > CUSTOMERS
    for ended in (first, second):
        assert ended.findings == []
        assert not ended.sent.broken, ended.sent


@pytest.mark.timeout(180)
async def test_a_scheduler_that_slept_for_random_days_only_passes_steps_over(tmp_path: Path) -> None:
    dice = Random(11)
    nights = {day for day in range(366) if dice.random() < 0.4}

    def awake(at: datetime) -> bool:
        return at.timetuple().tm_yday not in nights

    slept = await half_a_year(tmp_path / "first", awake=awake)
    punctual = await half_a_year(tmp_path / "punctual", but_for=slept.passed_over)
    assert slept.passed_over - punctual.passed_over, "it slept through something"
    both = slept.passed_over | punctual.passed_over
    slept_lines = await half_a_year(tmp_path / "again", awake=awake, but_for=both)
    punctual_lines = await half_a_year(tmp_path / "punctual-again", but_for=both)
    assert set(slept_lines.lines) ^ set(punctual_lines.lines) == set()
    assert slept_lines.lines == punctual_lines.lines
    assert slept_lines.findings == []
    assert not slept_lines.sent.broken, slept_lines.sent
