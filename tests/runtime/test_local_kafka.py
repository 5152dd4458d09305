"""The local broker: it answers, keeps what it was given over every way of ending, and touches nobody else's process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.runtime.local_kafka import LocalKafka
from tests.kafka_broker import own_broker

pytestmark = [pytest.mark.kafka, pytest.mark.slow]

TOPIC = "letters"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[LocalKafka]:
    with own_broker(tmp_path / "kafka") as broker:
        yield broker


async def write(bootstrap: str, *values: bytes, topic: str = TOPIC) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        if topic not in await admin.list_topics():
            await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for value in values:
            await asyncio.wait_for(producer.send_and_wait(topic, value), 10)
    finally:
        await producer.stop()


async def read(bootstrap: str, count: int, topic: str = TOPIC) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id="readers",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_shared(kafka: str) -> None:
    await write(kafka, b"one", b"two")
    assert await read(kafka, 2) == [b"one", b"two"]


async def test_kill(broker: LocalKafka) -> None:
    await write(broker.bootstrap, b"one", b"two")
    await asyncio.to_thread(broker.kill)
    assert broker.pid is None
    await asyncio.to_thread(broker.start)
    await write(broker.bootstrap, b"three")
    assert await read(broker.bootstrap, 3) == [b"one", b"two", b"three"]
