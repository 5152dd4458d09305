"""SIGKILL of the suite at random moments, with work in flight: the same outcome, nothing lost, nothing said twice."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.demo_report import check_log
from shared.adapters.postgres import digest, invariants
from tests.faults.suite_process import SuiteProcess, a_world
from tests.feeds import three_months

CUSTOMERS = 600
KILLS = 20
WORK = ("sending", "outbox", "messages", "sending", "receiving")

_IN_FLIGHT = """
select (select count(*) from outbox where sent_at is null) as outbox,
       (select count(*) from attempts where state = 'sending') as sending,
       (select count(*) from messages m, business_clock c
        where m.state in ('planned', 'deferred') and m.not_before <= c.now) as messages,
       (select count(*) from imports where state = 'receiving') as receiving
"""


async def undisturbed(home: Path) -> tuple[str, int]:
    async with a_world(home) as (_, pool, driver):
        await driver.drive(three_months(CUSTOMERS))
        async with pool.acquire() as conn:
            entries = (await check_log(conn, home / "sandbox" / "log.ndjson")).entries
            return await digest.outcome_digest(conn), entries


async def in_flight(pool: Any) -> dict[str, int]:
    async with pool.acquire() as conn:
        return dict(await conn.fetchrow(_IN_FLIGHT))


async def kill_now_and_then(suite: SuiteProcess, pool: Any, finished: asyncio.Event) -> list[dict[str, int]]:
    """Kill at random moments, each time while another kind of work is in flight; what was in flight at each kill."""
    dice, phases = Random(7), []
    for number in range(KILLS):
        wanted, patience = WORK[number % len(WORK)], 400
        while patience and not finished.is_set() and not (await in_flight(pool))[wanted]:
            await asyncio.sleep(0.005)
            patience -= 1
        await asyncio.sleep(dice.uniform(0, 0.04))
        if finished.is_set():
            break
        await suite.kill()
        phases.append(await in_flight(pool))
        await suite.start()
    return phases


@pytest.mark.timeout(280)
async def test_twenty_kills_change_nothing(tmp_path: Path) -> None:
    expected, entries = await undisturbed(tmp_path / "undisturbed")
    home = tmp_path / "killed"
    async with a_world(home) as (suite, pool, driver):
        finished = asyncio.Event()
        async with asyncio.TaskGroup() as both:
            killer = both.create_task(kill_now_and_then(suite, pool, finished))
            await driver.drive(three_months(CUSTOMERS))
            finished.set()
        phases = killer.result()
        await driver.quiet()
        async with pool.acquire() as conn:
            sent = await check_log(conn, home / "sandbox" / "log.ndjson")
            findings = await invariants.check(conn)
            doubts = await conn.fetch(
                "select gateway, count(*) from attempts where state = 'in_doubt' group by gateway"
            )
            found = await digest.outcome_digest(conn)
    in_flight = sum(phase["sending"] for phase in phases)
    print(  # noqa: T201 - the figures belong into the log of the run
        f"{len(phases)} kills, in flight at each: {phases}; doubts left: {[tuple(row) for row in doubts]}"
    )
    assert findings == []
    assert not sent.broken, sent
    assert {row[0] for row in doubts} <= {"smtp"}, "an SMS in doubt is resolved by asking"
    assert sum(row[1] for row in doubts) <= in_flight
    assert found == expected
    assert len(phases) == KILLS
    assert sum(any(phase.values()) for phase in phases) >= KILLS // 2
    assert entries - in_flight <= sent.entries <= entries
