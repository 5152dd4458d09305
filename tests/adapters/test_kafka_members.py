"""Members of a consumer's group come, go, fail and fall behind: memory is bounded, and each event is applied once."""

from __future__ import annotations

import asyncio
import itertools
import os
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.adapters.kafka import consumer as loops
from shared.adapters.kafka.clients import MAX_PARTITION_BYTES
from shared.adapters.kafka.closing import end_producer
from shared.adapters.kafka.watchdog import LONGEST_BATCH, StuckError, Watchdog
from tests.adapters.reading import TOPIC, Reader, has_read, reading
from tests.adapters.records import write
from tests.adapters.transports import DELINQUENT, Office, OverKafka, kafka_settings, lag_of, supervised, until

BACKLOG = 50_000


@pytest.mark.kafka
async def test_a_backlog_takes_no_more_memory_than_a_fetch_and_a_batch(office: Office, kafka: str) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, batch=500))
    await wire.meet()
    await fill(wire, BACKLOG)
    reader = Reader()
    reader.gate.clear()
    loop = reading(wire, reader)
    async with supervised({"planner": loop.run}):
        await asyncio.wait_for(reader.reached.wait(), 30)
        fetcher = loop.kafka._fetcher
        await until(lambda: fetched_ahead(fetcher), what="what is fetched while a batch is under way")
        held = [result._partition_records._records.size_in_bytes() for result in fetcher._records.values()]
        assert len(held) <= wire.settings.partitions
        assert max(held) <= MAX_PARTITION_BYTES + 20_000, "one record batch may lie over the edge"
        assert len(fetcher._in_flight) <= 1
        reader.gate.set()
        await has_read(reader, BACKLOG)
    assert reader.largest <= 500
    assert len(set(reader.offsets)) == len(reader.offsets) == BACKLOG


async def fetched_ahead(fetcher: Any) -> bool:
    return len(fetcher._records) > 0 and not fetcher._in_flight


async def fill(wire: OverKafka, count: int) -> None:
    """Events of 1 kB, which do not compress."""
    producer = AIOKafkaProducer(
        bootstrap_servers=wire.settings.bootstrap, enable_idempotence=True, max_batch_size=16_384
    )
    await producer.start()
    try:
        acknowledged: Any = None
        noise = os.urandom(2_000)
        for number in range(count // 10):
            batch = producer.create_batch()
            for each in range(10):
                at = (number + each) % 1_000
                batch.append(timestamp=None, key=b"C1", value=noise[at : at + 1_000])
            batch.close()
            partition = number % wire.settings.partitions
            acknowledged = await producer.send_batch(batch, wire.settings.topic(TOPIC), partition=partition)
        await acknowledged
        await producer.flush()
    finally:
        await end_producer(producer)


@pytest.mark.kafka
async def test_members_come_and_go_and_each_event_is_applied_once_in_order(office: Office, kafka: str) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, session_ms=2_000, batch=7))
    await wire.meet()
    (planner,) = wire.consumers
    relay, publisher = wire.relay()
    numbers = itertools.count()
    customers = [f"C{number}" for number in range(10)]
    stays = wire.loop(planner, "stays")
    async with supervised({"relay": relay.run, "stays": stays.run}):
        for member in ("second", "third", "fourth"):
            comes = wire.loop(planner, member)
            async with supervised({member: comes.run}):
                for _ in range(5):
                    n = next(numbers)
                    await office.announce(*((customer, n) for customer in customers))
                await until(lambda: has_partitions(comes), what="a share for the member that came")  # noqa: B023
                n = next(numbers)
                await office.announce(*((customer, n) for customer in customers))
        await wire.settled()
    await publisher.close()
    everything = list(range(next(numbers)))
    assert await office.noted("planner") == dict.fromkeys(customers, everything)


async def has_partitions(loop: Any) -> bool:
    return bool(loop.partitions)


@pytest.mark.kafka
async def test_a_member_that_can_not_take_its_claims_is_started_again(
    office: Office, kafka: str, owner: asyncpg.Connection
) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka))
    await office.announce(("C1", 0))
    await wire.ship()
    await owner.execute("alter table consumer_offsets rename to consumer_offsets_elsewhere")
    loop = wire.loop(wire.consumers[0])
    loop._meet = loops._known_already
    async with supervised({"planner": loop.run}) as supervisor:
        await until(lambda: was_restarted(supervisor), what="a second try")
        assert loop.assigned_at is None, "it is not ready"
        await owner.execute("alter table consumer_offsets_elsewhere rename to consumer_offsets")
        await wire.settled()
    assert await office.noted("planner") == {"C1": [0]}


async def was_restarted(supervisor: Any) -> bool:
    return bool(supervisor.tasks[0].restarts)


@pytest.mark.kafka
async def test_the_marks_of_somebodys_transactions_are_no_lag(
    office: Office, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log goes on behind the last event: with a mark that is none, and with what was taken back."""
    monkeypatch.setattr(loops, "CHECK_EVERY", 0.1)
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, partitions=1))
    await wire.meet()
    reader = Reader()
    async with supervised({"planner": reading(wire, reader).run}), lag_of(wire) as lag:
        await write(wire.clients, TOPIC, ([], b"x"))
        producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=wire.settings.topic("bank"))
        await producer.start()
        await producer.begin_transaction()
        await producer.send_and_wait(wire.settings.topic(TOPIC), b"taken back", partition=0)
        await producer.abort_transaction()
        await producer.stop()
        await has_read(reader, 1)
        behind_the_mark = "select 1 from consumer_offsets where next_offset = 3"
        await until(lambda: office.pool.fetchval(behind_the_mark), what="the place behind the mark")
        assert await lag.behind() == 0
    assert reader.offsets == [(0, 0)]


class Loop(SimpleNamespace):
    """A consumer's loop as the watchdog sees it."""

    def __init__(self, **changes: Any) -> None:
        here = TopicPartition("t", 0)
        given: dict[str, Any] = {
            "assigned_at": 0.0, "polled_at": 0.0, "partitions": [here], "place": 5, "end": 9, "away": False,
            "kafka": self, "clients": self,
        }  # fmt: skip
        super().__init__(**(given | changes))

    async def end_offsets(self, partitions: Any) -> Any:
        if self.away:
            raise KafkaConnectionError
        return dict.fromkeys(partitions, self.end)

    async def position(self, partition: Any) -> int:
        return self.place

    def admin(self) -> Any:
        return self

    async def __aenter__(self) -> Any:
        if self.away:
            raise KafkaConnectionError
        return self

    async def __aexit__(self, *_: Any) -> None: ...


async def test_a_member_without_assignment_is_stuck_unless_the_broker_is_away() -> None:
    loop = Loop(assigned_at=None, away=True)
    dog = Watchdog(loop, patience=90)
    for now in range(0, 1_000, 10):
        await dog.look(float(now))
    loop.away = False
    await dog.look(1_000.0)
    await dog.look(1_090.0)
    with pytest.raises(StuckError, match="no assignment"):
        await dog.look(1_091.0)
    assert not dog.ready()


async def test_a_member_that_does_not_poll_is_stuck() -> None:
    dog = Watchdog(Loop(place=9))
    await dog.look(LONGEST_BATCH)
    with pytest.raises(StuckError, match="nothing was read"):
        await dog.look(LONGEST_BATCH + 1)


async def test_a_member_whose_place_stands_while_more_is_there_is_stuck() -> None:
    loop = Loop()
    dog = Watchdog(loop, patience=90)
    for now in range(0, 91, 10):
        loop.polled_at = float(now)
        await dog.look(float(now))
    loop.place = 6
    for now in range(100, 191, 10):  # it moved, so its time begins anew
        loop.polled_at = float(now)
        await dog.look(float(now))
    with pytest.raises(StuckError, match="the position in t/0 stands"):
        await dog.look(200.0)


async def test_a_member_that_is_at_the_end_or_whose_broker_is_away_is_not_stuck() -> None:
    for loop in (Loop(place=9), Loop(away=True)):
        dog = Watchdog(loop, patience=90)
        for now in range(0, 1_000, 10):
            loop.polled_at = float(now)
            await dog.look(float(now))
        assert dog.ready()
