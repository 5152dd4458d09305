"""SIGKILL of the suite at random moments, with work in flight: the same outcome, nothing lost, nothing said twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.demo import Instant, instants
from services.demo_report import LogCheck, check_log
from shared.adapters.postgres import digest, invariants
from tests.faults.suite_process import SuiteProcess, a_world
from tests.feeds import three_months, write_portfolio

pytestmark = pytest.mark.faults
Feed = Callable[[], Iterable[Instant]]

CUSTOMERS = 300
WORK = ("sending", "outbox", "messages", "sending", "receiving")

_IN_FLIGHT = """
select (select count(*) from outbox where sent_at is null) as outbox,
       (select count(*) from attempts where state = 'sending') as sending,
       (select count(*) from messages m, business_clock c
        where m.state in ('planned', 'deferred') and m.not_before <= c.now) as messages,
       (select count(*) from imports where state = 'receiving') as receiving
"""


async def undisturbed(home: Path, feed: Feed) -> tuple[str, int]:
    async with a_world(home) as (_, pool, driver):
        await driver.drive(feed())
        async with pool.acquire() as conn:
            entries = (await check_log(conn, home / "sandbox" / "log.ndjson")).entries
            return await digest.outcome_digest(conn), entries


async def in_flight(pool: Any) -> dict[str, int]:
    async with pool.acquire() as conn:
        return dict(await conn.fetchrow(_IN_FLIGHT))


async def kill_now_and_then(
    suite: SuiteProcess, pool: Any, finished: asyncio.Event, kills: int
) -> list[dict[str, int]]:
    """Kill at random moments, each time while another kind of work is in flight; what was in flight at each kill."""
    dice, phases = Random(7), []
    for number in range(kills):
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


@dataclass(frozen=True, slots=True)
class Survived:
    """What the kills left."""

    phases: list[dict[str, int]]
    findings: list[Any]
    sent: LogCheck
    doubts: dict[str, int]
    outcome: str


async def killed_again_and_again(home: Path, feed: Feed, kills: int) -> Survived:
    async with a_world(home) as (suite, pool, driver):
        finished = asyncio.Event()
        async with asyncio.TaskGroup() as both:
            killer = both.create_task(kill_now_and_then(suite, pool, finished, kills))
            await driver.drive(feed())
            finished.set()
        await driver.quiet()
        async with pool.acquire() as conn:
            doubts = await conn.fetch(
                "select gateway, count(*) from attempts where state = 'in_doubt' group by gateway"
            )
            return Survived(
                killer.result(),
                await invariants.check(conn),
                await check_log(conn, home / "sandbox" / "log.ndjson"),
                {row[0]: row[1] for row in doubts},
                await digest.outcome_digest(conn),
            )


async def see_that_kills_change_nothing(home: Path, feed: Feed, kills: int) -> None:
    expected, entries = await undisturbed(home / "undisturbed", feed)
    survived = await killed_again_and_again(home / "killed", feed, kills)
    marked = sum(phase["sending"] for phase in survived.phases)
    print(  # noqa: T201 - the figures belong into the log of the run
        f"{len(survived.phases)} kills, in flight: {survived.phases}; doubts left: {survived.doubts};"
        f" {survived.sent.entries} of {entries} entries in the providers' log"
    )
    assert survived.findings == []
    assert not survived.sent.broken, survived.sent
    assert survived.doubts.keys() <= {"smtp"}, "an SMS in doubt is resolved by asking"
    assert sum(survived.doubts.values()) <= marked
    assert survived.outcome == expected
    assert len(survived.phases) == kills
    assert sum(any(phase.values()) for phase in survived.phases) >= kills // 2
    assert entries - sum(survived.doubts.values()) <= survived.sent.entries <= entries


@pytest.mark.timeout(280)
async def test_kills_change_nothing(tmp_path: Path) -> None:
    await see_that_kills_change_nothing(tmp_path, lambda: three_months(CUSTOMERS), kills=7)


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_twenty_kills_during_the_whole_feed_change_nothing(tmp_path: Path) -> None:
    lines = write_portfolio(tmp_path / "feed.ndjson").read_bytes().splitlines()
    await see_that_kills_change_nothing(tmp_path, lambda: instants(lines), kills=20)
