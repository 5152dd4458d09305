"""SIGKILL of services and of the broker at random moments, with work in flight: the same outcome as one undisturbed
process, nothing lost, nothing said twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest

from services.demo import Instant, instants
from services.demo_report import LogCheck, check_log
from services.separate import SERVICES
from shared.adapters.postgres import digest, invariants
from shared.runtime.local_kafka import LocalKafka
from tests.faults.separate_world import Told, World, separate_world
from tests.faults.suite_process import a_world
from tests.feeds import three_months, write_portfolio
from tests.kafka_broker import own_broker

pytestmark = [pytest.mark.faults, pytest.mark.kafka]
Feed = Callable[[], Iterable[Instant]]
WORK = ("sending", "outbox", "events", "messages", "events", "receiving")


@dataclass(frozen=True, slots=True)
class Kill:
    """What was killed, and what was in flight."""

    victim: str
    flying: dict[str, int]

    @property
    def busy(self) -> bool:
        return any(count > 0 for count in self.flying.values())


@dataclass(frozen=True, slots=True)
class Survived:
    kills: list[Kill]
    findings: list[Any]
    sent: LogCheck
    doubts: dict[str, int]
    outcome: str


async def undisturbed(home: Path, feed: Feed) -> tuple[str, int]:
    """The outcome of one embedded process, and how many entries the providers' log has."""
    async with a_world(home) as (_, pool, driver):
        await driver.drive(feed())
        async with pool.acquire() as conn:
            return await digest.outcome_digest(conn), (await check_log(conn, home / "sandbox" / "log.ndjson")).entries


def victims(services: int, brokers: int) -> Iterator[str]:
    """Who dies, in turn: each service alike, the brokers spread among them."""
    every = services // max(brokers, 1) or 1
    for number in range(services):
        yield SERVICES[number % len(SERVICES)]
        if brokers and number % every == every - 1 and number // every < brokers:
            yield "broker"


async def kill_now_and_then(
    world: World, broker: LocalKafka, whom: Iterable[str], finished: asyncio.Event
) -> list[Kill]:
    """Two services at once, or the broker; each time while another kind of work is in flight, if there is any."""
    dice, kills, waiting = Random(11), [], list(whom)
    while waiting and not finished.is_set():
        wanted, patience = WORK[len(kills) % len(WORK)], 100
        while patience and not finished.is_set() and (await world.in_flight())[wanted] <= 0:
            await asyncio.sleep(0.01)
            patience -= 1
        if finished.is_set():
            break
        flying = await world.in_flight()
        if waiting[0] == "broker":
            kills.append(Kill(waiting.pop(0), flying))
            await asyncio.to_thread(broker.kill)
            await asyncio.sleep(dice.uniform(0, 2))
            await asyncio.to_thread(broker.start)
            continue
        round_of = [(waiting.pop(0), dice.randrange(world.replicas))]
        if waiting and waiting[0] != "broker":
            round_of.append((waiting.pop(0), dice.randrange(world.replicas)))
        await asyncio.gather(*(world.kill(*victim) for victim in round_of))
        flying |= {"sending": max(flying["sending"], (await world.in_flight())["sending"])}
        kills += [Kill(f"{service}-{replica}", flying) for service, replica in round_of]
        await asyncio.sleep(dice.uniform(0, 0.5))
        children = [await world.services.start(*victim) for victim in round_of]
        if len(kills) % 3 == 0:  # else the next ones die while these are still starting
            await asyncio.gather(*(world.services.ready(child, within=120) for child in children))
    return kills


async def killed_again_and_again(home: Path, feed: Feed, services: int, brokers: int) -> Survived:
    with own_broker(home / "kafka") as broker:
        async with separate_world(home, broker.bootstrap, Told(replicas=2)) as world:
            finished = asyncio.Event()
            async with asyncio.TaskGroup() as both:
                killer = both.create_task(kill_now_and_then(world, broker, victims(services, brokers), finished))
                await world.driver.drive(feed())
                finished.set()
            await world.all_ready()
            await world.driver.quiet()
            async with world.pool.acquire() as conn:
                rows = await conn.fetch(
                    "select gateway, count(*) from attempts where state = 'in_doubt' group by gateway"
                )
                return Survived(
                    killer.result(),
                    await invariants.check(conn),
                    await check_log(conn, world.log),
                    {row[0]: row[1] for row in rows},
                    await digest.outcome_digest(conn),
                )


async def see_that_kills_change_nothing(home: Path, feed: Feed, services: int, brokers: int) -> None:
    expected, entries = await undisturbed(home / "undisturbed", feed)
    survived = await killed_again_and_again(home / "killed", feed, services, brokers)
    marked = sum(kill.flying["sending"] for kill in survived.kills)
    for kill in survived.kills:
        print(kill.victim, kill.flying)  # noqa: T201 - the phases belong into the log of the run
    print(  # noqa: T201
        f"{len(survived.kills)} kills of {dict(Counter(kill.victim for kill in survived.kills))},"
        f" {sum(kill.busy for kill in survived.kills)} with work in flight; doubts left: {survived.doubts};"
        f" {survived.sent.entries} of {entries} entries in the providers' log"
    )
    assert survived.findings == []
    assert not survived.sent.broken, survived.sent
    assert survived.doubts.keys() <= {"smtp"}, "an SMS in doubt is resolved by asking"
    assert sum(survived.doubts.values()) <= marked
    assert survived.outcome == expected
    assert sum(kill.busy for kill in survived.kills) >= len(survived.kills) // 2
    assert entries - sum(survived.doubts.values()) <= survived.sent.entries <= entries
    assert len(survived.kills) == services + brokers, "the feed ended before all kills were made"


@pytest.mark.timeout(280)
async def test_kills_of_services_and_of_the_broker_change_nothing(tmp_path: Path) -> None:
    await see_that_kills_change_nothing(tmp_path, lambda: three_months(150), services=4, brokers=1)


@pytest.mark.full
@pytest.mark.timeout(3600)
async def test_a_hundred_kills_during_the_whole_feed_change_nothing(tmp_path: Path) -> None:
    lines = write_portfolio(tmp_path / "feed.ndjson").read_bytes().splitlines()
    await see_that_kills_change_nothing(tmp_path, lambda: instants(lines), services=100, brokers=10)


@pytest.mark.full
@pytest.mark.timeout(1200)
async def test_the_whole_feed_through_three_processes_ends_as_in_one(tmp_path: Path) -> None:
    lines = write_portfolio(tmp_path / "feed.ndjson").read_bytes().splitlines()
    await see_that_kills_change_nothing(tmp_path, lambda: instants(lines), services=0, brokers=0)
