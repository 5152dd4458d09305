"""A consumer's loop over fences, rebalances and forgotten places: nothing is lost, and nothing done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop
from shared.adapters.kafka.pairing import committed_offsets
from shared.application.transport import Claim, Fenced, GuardedWork
from tests.adapters.reading import Reader, has_read, reading
from tests.adapters.records import drop_before, tell, write
from tests.adapters.transports import (
    DELINQUENT,
    Office,
    OverKafka,
    kafka_settings,
    supervised,
    until,
)

TOPIC = "arrears.account"


async def claim(office: Office, holder: str, partitions: Sequence[tuple[str, int]] = (("t", 0), ("t", 1))) -> Any:
    async with office.work() as tx:
        _, claims = await tx.claim_partitions("planner", holder, partitions)
    return claims


async def note(work: Any) -> None:
    async with work() as tx:
        await tx.conn.execute("insert into noted (consumer, customer_id, n) values ('planner', 'C1', 1)")


async def advance(office: Office, claims: Sequence[Claim], to: int) -> None:
    async with office.work() as tx:
        await tx.advance_claims("planner", claims, {(each.topic, each.partition): to for each in claims})


WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"


async def test_a_second_claim_makes_the_first_holder_write_nothing_more(office: Office) -> None:
    first = await claim(office, "one")
    await note(GuardedWork(office.work, "planner", first))
    second = await claim(office, "two", [("t", 1)])
    with pytest.raises(Fenced, match="1 of 2 partitions"):
        await note(GuardedWork(office.work, "planner", first))
    with pytest.raises(Fenced):
        await advance(office, first, 5)
    assert await office.noted("planner") == {"C1": [1]}, "only what was written before"
    await note(GuardedWork(office.work, "planner", second))
    assert await office.pool.fetch("select next_offset from consumer_offsets where next_offset is not null") == []


async def test_who_takes_over_waits_for_what_the_holder_is_writing(office: Office) -> None:
    guarded = GuardedWork(office.work, "planner", await claim(office, "one"))
    async with guarded() as tx:
        taking = asyncio.create_task(claim(office, "two"))
        waiting = (
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )
        await until(lambda: office.pool.fetchval(waiting), what="the other's wait")
        await tx.conn.execute("insert into noted (consumer, customer_id, n) values ('planner', 'C1', 1)")
        assert not taking.done()
    assert [each.fence for each in await taking] == [2, 2]
    assert await office.noted("planner") == {"C1": [1]}


async def test_a_place_that_moved_behind_the_holders_back_is_not_its_place(office: Office) -> None:
    """A database that was restored under a living process stands where it stood then."""
    held = await claim(office, "one", [("t", 0)])
    await advance(office, held, 7)
    held = [Claim("t", 0, 7, held[0].fence)]
    await note(GuardedWork(office.work, "planner", held))
    await office.pool.execute("update consumer_offsets set next_offset = 3")
    with pytest.raises(Fenced):
        await note(GuardedWork(office.work, "planner", held))
    with pytest.raises(Fenced):
        await advance(office, held, 9)
    assert await office.pool.fetchval("select next_offset from consumer_offsets") == 3


@pytest.fixture
async def wire(office: Office, kafka: str) -> OverKafka:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, partitions=1))
    await wire.meet()
    return wire


async def place(office: Office, offset: int | None) -> None:
    await office.pool.execute(
        "insert into consumer_offsets (consumer, topic, partition, next_offset, fence, holder)"
        " select 'planner', topic, 0, $1, 1, '' from consumer_types where consumer = 'planner'"
        " on conflict (consumer, topic, partition) do update set next_offset = excluded.next_offset",
        offset,
    )


@pytest.mark.kafka
@pytest.mark.parametrize(("ours", "told", "read"), [(2, 4, [2, 3, 4]), (2, 0, [2, 3, 4]), (None, 3, [0, 1, 2, 3, 4])])
async def test_where_to_read_on_says_the_database(
    office: Office, wire: OverKafka, ours: int | None, told: int, read: list[int]
) -> None:
    await write(wire.clients, TOPIC, *[([], b"x")] * 5)
    first = Reader()
    async with supervised({"planner": reading(wire, first).run}):  # so that the broker knows the group
        await has_read(first, 5)
        await until(lambda: known_to_broker(wire, 5))
    await tell(wire.clients, "planner", told)
    await place(office, ours)
    reader = Reader()
    async with supervised({"planner": reading(wire, reader).run}):
        await has_read(reader, len(read))
        await until(lambda: known_to_broker(wire, 5))
    assert [offset for _, offset in reader.offsets] == read


@pytest.mark.kafka
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_records_are_read_however_their_producer_packed_them(office: Office, wire: OverKafka, codec: str) -> None:
    """What the bank's producers are set to is not ours to say; one that we can not unpack stops a consumer."""
    await write(wire.clients, TOPIC, *[([], b"x" * 500)] * 3, codec=codec)
    reader = Reader()
    async with supervised({"planner": reading(wire, reader).run}):
        await has_read(reader, 3)


async def known_to_broker(wire: OverKafka, offset: int) -> bool:
    async with wire.clients.admin() as admin:
        return list((await committed_offsets(admin, wire.clients.group("planner"))).values()) == [offset]


@pytest.mark.kafka
async def test_what_was_dropped_by_age_is_passed_over_aloud(office: Office, wire: OverKafka) -> None:
    await write(wire.clients, TOPIC, *[([], b"x")] * 6)
    await drop_before(wire.clients, TOPIC, 0, 4)
    await place(office, 1)
    reader = Reader()
    with capture_logs() as said:
        async with supervised({"planner": reading(wire, reader).run}):
            await has_read(reader, 2)
    assert reader.offsets == [(0, 4), (0, 5)]
    (gap,) = [each for each in said if each["event"] == "kafka.gap"]
    assert (gap["log_level"], gap["wanted"], gap["kept_from"], gap["kept_to"]) == ("error", 1, 4, 6)


@pytest.mark.kafka
async def test_a_log_that_ends_before_our_place_is_looked_at_and_read_from_its_beginning(
    office: Office, wire: OverKafka
) -> None:
    await write(wire.clients, TOPIC, *[([], b"x")] * 3)
    await place(office, 100)
    reader, met = Reader(), []

    async def meet() -> None:
        met.append(len(reader.offsets))

    async with supervised({"planner": reading(wire, reader, meet=meet).run}):
        await has_read(reader, 3)
    assert reader.offsets == [(0, 0), (0, 1), (0, 2)]
    assert met == [0, 0], "before the first read, and before the place was given up"


class Interrupting(KafkaClients):
    """A rebalance begins and ends while its consumers wait for records."""

    def __init__(self, clients: KafkaClients) -> None:
        super().__init__(clients.settings, "interrupted")
        self.loop: Any = None
        self.left = 3

    def consumer(self, consumer: str) -> Any:
        made = super().consumer(consumer)
        getmany = made.getmany

        async def interrupted(**how: Any) -> Any:
            if self.left:
                self.left -= 1
                partitions = self.loop.partitions
                await self.loop.let_go()
                await self.loop.claim(partitions)
                await until(lambda: fetched(made), what="records that were fetched ahead")
            return await getmany(**how)

        made.getmany = interrupted
        return made


async def fetched(kafka: Any) -> bool:
    return bool(kafka._fetcher._records)


@pytest.mark.kafka
async def test_what_is_handed_out_right_after_a_rebalance_is_not_dropped(office: Office, wire: OverKafka) -> None:
    await write(wire.clients, TOPIC, *[([], b"x")] * 5)
    reader, clients = Reader(), Interrupting(wire.clients)
    loop = clients.loop = reading(wire, reader, clients=clients)
    async with supervised({"planner": loop.run}):
        await has_read(reader, 5)
        assert clients.left < 3
    assert reader.offsets == [(0, offset) for offset in range(5)]


@pytest.mark.kafka
async def test_a_rebalance_waits_for_the_batch_under_way(office: Office, kafka: str) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka))
    gate = office.gates["planner", "C1", 0] = asyncio.Event()
    await office.announce(*((f"C{number}", 0) for number in range(8)))
    await wire.ship()
    (planner,) = wire.consumers
    one, two = wire.loop(planner, "one"), wire.loop(planner, "two")
    async with supervised({"one": one.run}) as first:
        await asyncio.wait_for(office.reached.wait(), 30)
        async with supervised({"two": two.run}):
            await until(lambda: is_letting_go(one), what="the rebalance")
            assert one.partitions, "not before it has finished"
            assert await office.noted("planner") == {}
            assert two.assigned_at is None
            gate.set()
            await until(lambda: share_of(one, two), what="a share for each")
            await wire.settled()
        assert first.tasks[0].restarts == 0, "it was not fenced off, it had finished"
    assert await office.noted("planner") == {f"C{number}": [0] for number in range(8)}


async def is_letting_go(loop: ConsumerLoop) -> bool:
    return not loop._ready.is_set()


async def share_of(*all_loops: ConsumerLoop) -> bool:
    return [len(loop.partitions) for loop in all_loops] == [1] * len(all_loops)


@pytest.mark.kafka
async def test_a_holder_that_slept_through_its_session_writes_nothing(office: Office, kafka: str) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, partitions=1))
    gate = office.gates["planner", "C2", 0] = asyncio.Event()
    await office.announce(("C1", 0), ("C2", 0))
    await wire.ship()
    (planner,) = wire.consumers
    loop = wire.loop(planner)
    async with supervised({"planner": loop.run}) as supervisor:
        await asyncio.wait_for(office.reached.wait(), 30)
        office.gates.clear()
        taken = asyncio.create_task(claim(office, "two", [(wire.settings.topic(TOPIC), 0)]))
        await until(lambda: restarted(supervisor, gate), what="the refusal")
        await taken
        await wire.settled()
    assert await office.noted("planner") == {"C1": [0], "C2": [0]}, "once, by the one that came after"


async def restarted(supervisor: Any, gate: asyncio.Event) -> bool:
    gate.set()
    return bool(supervisor.tasks[0].restarts)
