"""One thing is wrong, and everyone else's flow goes on: a poison event, a customer that always fails, one whose row is
held, a partition that is full."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from shared.adapters.postgres import invariants
from shared.adapters.postgres.shards import shard_of
from shared.application.principal import Role
from tests.faults.live_feed import overdue, paid, post, produce
from tests.faults.separate_world import Told, World, separate_world
from tests.faults.test_separate_faults import SENT, counting, sent_to, until

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(240)]

ALWAYS_FAILS = """
create function arrears.fail_for_one() returns trigger language plpgsql as $$
begin
    if new.customer_id = 'C7' then raise exception 'this one always fails'; end if;
    return new;
end $$;
create trigger fail_for_one before insert on arrears.messages for each row execute function arrears.fail_for_one();
"""
WAITING = ("parked at notifier", "unreadable at intake", "unreadable at scheduler")
HELD = "select from customers where customer_id = 'C8' for no key update"
JUNK = 40_000


async def test_whatever_one_event_or_customer_does_the_others_are_served(tmp_path: Path, kafka: str) -> None:
    async with separate_world(tmp_path, kafka, Told(replicas=1, manual_clock=False)) as world:
        owner = await asyncpg.connect(world.postgres.dsn(), server_settings={"search_path": "arrears"})
        try:
            await spoil(world, owner)
            now = datetime.now(UTC)
            async with owner.transaction():
                await post(world, [overdue(8, now)])
                await owner.execute(HELD)  # and keeps it for as long as the others need
                began = monotonic()
                await post(world, [overdue(number, now) for number in range(60) if number != 8])
                await until(counting(world, SENT, 58), within=120)
                print(f"58 others were served in {monotonic() - began:.1f} s, one was held and one failed")  # noqa: T201
            await until(counting(world, SENT, 59), within=120)
            await see_what_operations_see(world, owner)
        finally:
            await owner.close()
        assert set(sent_to(world).values()) == {1}
        await until(lambda: refused_and_answered(world))


async def spoil(world: World, owner: Any) -> None:
    """Bytes that are no event on two topics, an inbound event that says nothing, and a customer that always fails."""
    await owner.execute(ALWAYS_FAILS)
    nothing = {"specversion": "1.0", "id": "empty", "source": "/banks/test/core", "type": "payment.posted.v1"}
    await produce(world, [b"\x00\xffgarbage"])
    await produce(world, [b"garbage"], "arrears.account")
    await produce(world, [orjson.dumps({**nothing, "data": {"account_id": "A1"}})])


async def see_what_operations_see(world: World, owner: Any) -> None:
    """The customer that fails is parked, alone, with its cause; once that is put right, it is served."""

    async def one_is_parked() -> bool:  # the one that was held is let go when its time comes
        rows = await owner.fetch("select consumer, customer_id, error from parked where state in ('parked', 'dead')")
        return [tuple(row) for row in rows] == [("notifier", "C7", "RaiseError")]

    async def operations_see_it() -> bool:
        async with world.client(Role.OPERATIONS) as client:
            told = (await client.get("/v1/ops/queues")).json()
        depths = {queue["name"]: queue["depth"] for queue in told["queues"]}
        seen = [depths.get(name) for name in WAITING]
        read = {each["consumer"] for each in told["transport"]["partitions"]}
        measured = told["transport"]["state"] == "measured"
        return measured and seen == [1, 1, 1] and read == {"intake", "scheduler", "notifier"}

    await until(one_is_parked)
    await until(operations_see_it)
    await owner.execute("drop trigger fail_for_one on messages")
    await until(counting(world, SENT, 60), within=60)
    assert await invariants.check(owner) == []


async def refused_and_answered(world: World) -> bool:
    async with world.pool.acquire() as conn:
        unreadable = await conn.fetchval("select count(*) from unreadable")
    async with world.client() as client:
        answer = await client.get("/v1/events/%2Fbanks%2Ftest%2Fcore/empty")
    return unreadable == 2 and answer.status_code == 200 and answer.json()["answer"] == "rejected"


async def test_a_full_partition_delays_its_own_customers_only(tmp_path: Path, kafka: str) -> None:
    async with separate_world(tmp_path, kafka, Told(replicas=1, manual_clock=False)) as world:
        await fill(world, partition=0)
        now = datetime.now(UTC)
        elsewhere = [number for number in range(200) if shard_of(f"C{number}") % world.kafka.partitions != 0][:40]
        began = monotonic()
        await post(world, [overdue(number, now) for number in elsewhere])
        await until(counting(world, SENT, 40), within=120)
        took = monotonic() - began
        left = (await world.in_flight())["events"]
        said = (
            f"40 customers of other partitions were reminded in {took:.1f} s, with {left} events still in the full one"
        )
        print(said)  # noqa: T201
        await post(world, [paid(number, datetime.now(UTC)) for number in elsewhere])
        await until(counting(world, "select count(*) from cases where state = 'cured'", 40))


async def fill(world: World, partition: int) -> None:
    """Events of an epoch long gone: they are passed over, but they have to be read."""
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka.bootstrap, linger_ms=5)
    await producer.start()
    try:
        headers = [("ce_arrearsepoch", b"00000000-0000-0000-0000-000000000000")]
        sends = [
            await producer.send(
                world.kafka.topic("arrears.account"), b"{}" * 300, key=b"x", partition=partition, headers=headers
            )
            for _ in range(JUNK)
        ]
        await asyncio.gather(*sends)
    finally:
        await producer.stop()
