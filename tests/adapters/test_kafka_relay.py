"""The relay: shards are shared and move, a key that fails stops alone, and the order of a key outlives a failure."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import pytest

from shared.adapters.kafka.publisher import EPOCH, Parcel, Publisher, Shipped
from shared.adapters.kafka.relay import QUICK_POLL, KafkaRelay
from shared.adapters.postgres.outbox import Outbox
from shared.adapters.postgres.shards import SHARDS, shard_of
from tests.adapters.records import read_all
from tests.adapters.transports import DELINQUENT, PAID, PATIENCE, Office, OverKafka, kafka_settings, supervised, until

TOPIC = "arrears.account"
SHORT, LONG = timedelta(seconds=1), timedelta(minutes=1)


@pytest.fixture
async def wire(office: Office, kafka: str) -> OverKafka:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT, PAID)], kafka_settings(kafka))
    await wire.meet()
    return wire


@asynccontextmanager
async def relaying(
    wire: OverKafka, publisher: Publisher | None = None, outbox: Outbox | None = None, **changes: Any
) -> Any:
    """A relay at work; it ends in its own time, and its publisher is closed after it."""
    publisher = publisher or Publisher(wire.clients)
    outbox = outbox or Outbox(wire.office.pool, "one")
    relay = KafkaRelay(outbox, publisher, wire.epoch, partitions=2, wake=wire.office.wake, **({"beat": 0.2} | changes))
    try:
        async with supervised({"relay": relay.run}, grace=PATIENCE):
            yield relay
    finally:
        await publisher.close()


async def test_shards_are_shared_fairly_and_given_up_for_a_relay_that_comes(office: Office) -> None:
    one, two = (Outbox(office.pool, name, lease=LONG) for name in ("one", "two"))
    held = await one.renew()
    assert sorted(held) == list(range(SHARDS))
    assert await two.renew() == {}
    assert await one.share() == SHARDS // 2
    kept = await one.renew(sorted(held)[: SHARDS // 2])
    taken = await two.renew()
    assert sorted([*kept, *taken]) == list(range(SHARDS))
    assert {held[shard] for shard in taken} == {1}
    assert set(taken.values()) == {2}, "under a fence above the last"


async def test_a_lease_that_ran_out_is_lost_and_its_rows_are_not_given_out(office: Office) -> None:
    await office.announce(("C1", 0))
    shard = shard_of("C1")
    one, two = Outbox(office.pool, "one", lease=timedelta(0)), Outbox(office.pool, "two", lease=LONG)
    fence = (await one.renew())[shard]
    assert await one.unsent(shard, fence, without=[], limit=10) == []
    fence = (await two.renew())[shard]
    assert [row.key for row in await two.unsent(shard, fence, without=[], limit=10)] == ["C1"]
    assert await two.unsent(shard, fence, without=["C1"], limit=10) == []
    assert await two.unsent(shard, fence - 1, without=[], limit=10) == []
    assert await two.waiting([shard], without=[]) == [shard]
    assert await two.waiting([shard], without=["C1"]) == []


async def test_rows_are_marked_only_in_their_own_epoch(office: Office) -> None:
    await office.announce(("C1", 0))
    seq, now = await office.pool.fetchval("select seq from outbox"), uuid4()
    await office.pool.execute(
        "insert into transport_epoch (id, epoch, cluster_id, began_at, reason) values (1, $1, 'c', now(), 'first')", now
    )
    outbox = Outbox(office.pool, "one")
    assert await outbox.mark_sent([seq], uuid4()) == 0
    assert await office.unsent() == 1
    assert await outbox.mark_sent([seq], now) == 1
    assert await office.unsent() == 0


@pytest.mark.kafka
async def test_two_relays_share_the_work_and_a_dead_ones_moves_within_its_lease(
    office: Office, wire: OverKafka
) -> None:
    await Outbox(office.pool, "dead", lease=SHORT).renew()  # it holds everything, and is never heard of again
    customers = [f"C{number}" for number in range(30)]
    await office.announce(*((customer, 0) for customer in customers))
    one, two = (Outbox(office.pool, name, lease=SHORT) for name in ("one", "two"))
    async with relaying(wire, outbox=one), relaying(wire, outbox=two):
        await until(lambda: shared(office, {"one": 32, "two": 32}), what="a half for each")
        await until(lambda: nothing_unsent(office), what="an empty outbox")
        await office.announce(*((customer, 1) for customer in customers))
        await until(lambda: nothing_unsent(office), what="an empty outbox")
    assert await shared(office, {}), "given up at the end"
    assert await shipped(wire) == {customer: [0, 1] for customer in customers}


async def shared(office: Office, wanted: dict[str, int]) -> bool:
    rows = await office.pool.fetch(
        "select holder, count(*) from relay_shards where lease_until > clock_timestamp() group by holder"
    )
    return {row[0]: row[1] for row in rows} == wanted


async def nothing_unsent(office: Office) -> bool:
    return await office.unsent() == 0


async def shipped(wire: OverKafka, topic: str = TOPIC) -> dict[str, list[int]]:
    """By key, the first of each event, in the order in which they lie."""
    found: dict[str, list[int]] = {}
    for record in await read_all(wire.clients, topic):
        number = int(record.value.split(b'"n": ')[1].split(b"}")[0].split(b",")[0])
        if number not in found.setdefault(record.key.decode(), []):
            found[record.key.decode()].append(number)
    return found


class Counting(Outbox):
    """When it was asked for what."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._asked: list[tuple[str, float]] = []

    def asked(self, what: str, began: float, ended: float) -> int:
        """How often between the two."""
        return sum(began < at < ended for which, at in self._asked if which == what)

    async def waiting(self, shards: Sequence[int], *, without: Sequence[str]) -> list[int]:
        self._asked.append(("waiting", monotonic()))
        return await super().waiting(shards, without=without)

    async def unsent(self, shard: int, fence: int, *, without: Sequence[str], limit: int) -> Any:
        self._asked.append(("unsent", monotonic()))
        return await super().unsent(shard, fence, without=without, limit=limit)


@pytest.mark.kafka
async def test_a_key_that_can_not_be_shipped_stops_alone_and_spins_nothing(office: Office, wire: OverKafka) -> None:
    neighbour = next(name for name in (f"N{number}" for number in range(10_000)) if shard_of(name) == shard_of("C1"))
    await office.announce(("C1", 0))
    await office.announce(("C1", 1), blob="x" * 65_000)  # no consumer would read it
    await office.announce(("C1", 2), (neighbour, 0), (neighbour, 1))
    await office.announce(("C1", 0), kind=PAID)
    outbox = Counting(office.pool, "one")
    async with relaying(wire, outbox=outbox) as relay:
        await until(lambda: only_left(office, [1, 2, 0]), what="all but the key's")
        await until(lambda: names_an_error(office, shard_of("C1")), what="the shard's error")
        rests = relay._stopped[shard_of("C1")]["C1"]
        await until(lambda: rests_long(rests), what="a longer rest")
        began, ends = monotonic(), rests._until
        await until(lambda: passed(ends), what="the rest's end")
        assert outbox.asked("unsent", began, ends) <= 1, "while the key rests its shard is left in peace"
        looks = (ends - began) / QUICK_POLL
        assert outbox.asked("waiting", began, ends) <= looks + 1, "no more often than a relay that has just shipped"
        await office.pool.execute("update outbox set payload = '{\"n\": 1}' where length(payload::text) > 60000")
        await until(lambda: nothing_unsent(office), what="an empty outbox")
        await until(lambda: no_error(office), what="the error's end")
    assert await shipped(wire) == {"C1": [0, 1, 2], neighbour: [0, 1]}
    assert "C1" not in relay._stopped[shard_of("C1")]


async def only_left(office: Office, numbers: list[int]) -> bool:
    rows = await office.pool.fetch("select (payload->>'n')::int from outbox where sent_at is null order by seq")
    return [row[0] for row in rows] == numbers


async def names_an_error(office: Office, shard: int) -> bool:
    return bool(await office.pool.fetchval("select last_error from relay_shards where shard = $1", shard))


async def rests_long(pause: Any) -> bool:
    return pause._next > 0.5 and not pause.over


async def passed(instant: float) -> bool:
    return monotonic() >= instant


async def no_error(office: Office) -> bool:
    return not await office.pool.fetchval("select count(*) from relay_shards where last_error is not null")


class Faltering(Publisher):
    """Ships the first half of what it is given, and fails; every other time that it is given something of a shard."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._calls: Counter[int] = Counter()

    async def publish(self, parcels: Sequence[Parcel], partition: int, epoch: UUID) -> Shipped:
        shard = shard_of(parcels[0].key)
        self._calls[shard] += 1
        if self._calls[shard] % 2 == 0 or len(parcels) < 2:
            return await super().publish(parcels, partition, epoch)
        half = await super().publish(parcels[: len(parcels) // 2], partition, epoch)
        # Of what was written, half is not known to be: the answer was lost.
        return Shipped(half.sent[: len(half.sent) // 2], {}, "KafkaTimeoutError")


@pytest.mark.kafka
async def test_the_order_of_a_key_outlives_failures_in_the_middle(office: Office, wire: OverKafka) -> None:
    customers = [f"C{number}" for number in range(8)]
    for n in range(20):
        await office.announce(*((customer, n) for customer in customers))
    async with relaying(wire, Faltering(wire.clients), batch=6):
        await until(lambda: nothing_unsent(office), what="an empty outbox")
    assert await shipped(wire) == {customer: list(range(20)) for customer in customers}


@pytest.mark.kafka
async def test_what_was_shipped_in_an_epoch_that_has_ended_is_shipped_again_in_the_new_one(
    office: Office, wire: OverKafka
) -> None:
    """A process that has not heard of the new epoch yet."""
    old, new = wire.epoch.current, uuid4()
    await office.pool.execute("update transport_epoch set epoch = $1", new)
    await office.announce(("C1", 0))
    async with relaying(wire):
        await until(lambda: nothing_unsent(office), what="an empty outbox")
    marks = [dict(record.headers)[EPOCH].decode() for record in await read_all(wire.clients, TOPIC)]
    assert marks == [str(old), str(new)]


@pytest.mark.kafka
async def test_a_stop_finishes_the_batch_under_way_and_begins_no_other(office: Office, wire: OverKafka) -> None:
    for n in range(40):
        await office.announce(("C1", n))

    class Slow(Publisher):
        async def publish(self, parcels: Sequence[Parcel], partition: int, epoch: UUID) -> Shipped:
            begun.set()
            await go_on.wait()
            return await super().publish(parcels, partition, epoch)

    begun, go_on = asyncio.Event(), asyncio.Event()
    async with relaying(wire, Slow(wire.clients), batch=5) as relay, asyncio.timeout(20):
        await begun.wait()
        going_on = asyncio.create_task(go_on_after_the_stop(relay, go_on))
    await going_on
    assert await office.unsent() == 35
    assert await shared(office, {}), "and another may go on at once"


async def go_on_after_the_stop(relay: KafkaRelay, go_on: asyncio.Event) -> None:
    await until(lambda: lets_go(relay), what="the stop")
    go_on.set()


async def lets_go(relay: KafkaRelay) -> bool:
    return not relay._held
