"""A broker that goes, hangs and comes back: events wait, clients end in time, and everything goes on by itself."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any
from uuid import uuid4

import psutil
import pytest

from shared.adapters.kafka import lag as lags
from shared.adapters.kafka.clients import REQUEST_MS, KafkaClients
from shared.adapters.kafka.closing import end_consumer, end_producer
from shared.adapters.kafka.publisher import Parcel, Publisher
from shared.runtime.local_kafka import LocalKafka
from tests.adapters.records import read_all
from tests.adapters.test_kafka import envelope
from tests.adapters.transports import DELINQUENT, Office, OverKafka, kafka_settings, lag_of, until

# A broker is started in the middle, beside whatever else the machine does.
pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(120)]
TOPIC = "arrears.account"
A_REQUEST = REQUEST_MS / 1000  # seconds that the library itself waits for an answer of the broker


def parcel(seq: int) -> Parcel:
    return Parcel(seq, TOPIC, "C1", envelope(seq))


async def paused(broker: LocalKafka) -> None:
    broker.pause()
    await until(lambda: is_stopped(broker), what="the broker's stop")


async def is_stopped(broker: LocalKafka) -> bool:
    return psutil.Process(broker.pid).status() == psutil.STATUS_STOPPED


async def left_over(before: set[asyncio.Task[Any]]) -> bool:
    """Whether tasks of the library's still run."""
    return any("aiokafka" in str(task.get_coro()) for task in asyncio.all_tasks() - before if not task.done())


async def test_a_publish_has_a_deadline_and_a_hung_producer_gives_way_to_a_new_one(
    office: Office, broker: LocalKafka
) -> None:
    wire = OverKafka(office, [], kafka_settings(broker.bootstrap, partitions=1))
    await wire.meet()
    before = asyncio.all_tasks()
    publisher, epoch = Publisher(wire.clients), uuid4()
    assert (await publisher.publish([parcel(1)], 0, epoch)).sent == [1]
    hung = publisher._producer
    await paused(broker)
    publisher._deadline, began = 1.0, monotonic()
    both = [publisher.publish([parcel(2)], 0, epoch), publisher.publish([parcel(3)], 0, epoch)]
    for shipped in await asyncio.gather(*both):
        assert (shipped.sent, shipped.error is not None) == ([], True)
    assert monotonic() - began < A_REQUEST, "with the end of the one that hung"
    assert publisher._producer is None
    broker.resume()
    publisher._deadline = 20.0
    assert (await publisher.publish([parcel(2), parcel(3)], 0, epoch)).sent == [2, 3]
    assert publisher._producer is not hung
    await publisher.close()
    assert not await left_over(before)
    first_seen = list(dict.fromkeys(record.value for record in await read_all(wire.clients, TOPIC)))
    assert first_seen == [b'{"n": 1}', b'{"n": 2}', b'{"n": 3}'], "in doubt, and in order"


async def test_a_producer_is_made_anew_after_the_broker_was_killed(office: Office, broker: LocalKafka) -> None:
    wire = OverKafka(office, [], kafka_settings(broker.bootstrap, partitions=1))
    await wire.meet()
    publisher = Publisher(wire.clients)
    assert (await publisher.publish([parcel(1)], 0, uuid4())).sent == [1]
    await asyncio.to_thread(broker.kill)
    publisher._deadline = 1.0
    assert (await publisher.publish([parcel(2)], 0, uuid4())).error is not None
    publisher._deadline = 20.0
    assert (await publisher.publish([parcel(2)], 0, uuid4())).error == "KafkaConnectionError"
    await asyncio.to_thread(broker.start)
    assert (await publisher.publish([parcel(2)], 0, uuid4())).sent == [2]
    await publisher.close()


async def test_what_is_announced_while_the_broker_is_away_is_delivered_when_it_is_back(
    office: Office, broker: LocalKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(broker.bootstrap))
    await wire.start()
    try:
        await office.announce(("C1", 0), ("C2", 0))
        await wire.settled()
        async with lag_of(wire) as lag:
            assert (await lag.measure()).error is None
            await asyncio.to_thread(broker.kill)
            await office.announce(("C1", 1), ("C2", 1))
            with monkeypatch.context() as patch:
                patch.setattr(lags, "PATIENCE", 0.5)
                assert (await lag.measure()).error is not None, "unknown, not zero"
            assert wire.loops["planner"].assigned_at is not None, "an outage is no reason to be restarted"
            await asyncio.to_thread(broker.start)
            await office.announce(("C1", 2))
            await wire.settled()
            assert (await lag.measure()).error is None
    finally:
        await wire.stop()
    assert await office.noted("planner") == {"C1": [0, 1, 2], "C2": [0, 1]}


async def test_clients_of_a_broker_that_hangs_are_cut_and_leave_nothing_running(
    office: Office, broker: LocalKafka
) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(broker.bootstrap))
    await wire.meet()
    before = asyncio.all_tasks()
    clients = KafkaClients(wire.settings, "tests")
    consumer, producer = clients.consumer("planner"), clients.producer()
    consumer.subscribe([wire.settings.topic(TOPIC)])
    await asyncio.gather(consumer.start(), producer.start())
    await producer.send_and_wait(wire.settings.topic(TOPIC), b"x", partition=0)
    await paused(broker)
    batch = producer.create_batch()
    batch.append(timestamp=None, key=b"C1", value=b"x")
    waiting = await producer.send_batch(batch, wire.settings.topic(TOPIC), partition=0)
    began = monotonic()
    await asyncio.gather(end_consumer(consumer, within=0.5), end_producer(producer, within=0.5))
    assert monotonic() - began < A_REQUEST, "it need not wait for the broker's answers"
    with pytest.raises(Exception, match="ProducerClosed"):
        await waiting
    await until(lambda: nothing_left(before), what="the end of the library's tasks")
    broker.resume()


async def nothing_left(before: set[asyncio.Task[Any]]) -> bool:
    return not await left_over(before)
