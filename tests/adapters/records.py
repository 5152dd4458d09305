"""What lies in a topic, written and read past everything of ours but the names and the address."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import CommitFailedError

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.pairing import committed_offsets

Headers = Sequence[tuple[str, bytes]]


async def write(
    clients: KafkaClients,
    topic: str,
    *records: tuple[Headers, bytes | None],
    partition: int = 0,
    key: bytes = b"C1",
    codec: str | None = None,
) -> None:
    """Records of (headers, value), one after the other, packed by ``codec``."""
    producer = AIOKafkaProducer(
        bootstrap_servers=clients.settings.bootstrap, acks="all", enable_idempotence=True, compression_type=codec
    )
    await producer.start()
    try:
        name = clients.settings.topic(topic)
        for headers, value in records:
            sent = producer.send_and_wait(name, value, key=key, partition=partition, headers=list(headers))
            await asyncio.wait_for(sent, 30)
    finally:
        await producer.stop()


async def read_all(clients: KafkaClients, topic: str) -> list[Any]:
    """Every record of a topic, by partition."""
    async with _onlooker(clients) as reader:
        name = clients.settings.topic(topic)
        partitions = [TopicPartition(name, number) for number in range(clients.settings.partitions)]
        begins, ends = await reader.beginning_offsets(partitions), await reader.end_offsets(partitions)
        reader.assign(partitions)
        for partition in partitions:
            reader.seek(partition, begins[partition])
        found: list[Any] = []
        while any([await reader.position(partition) < ends[partition] for partition in partitions]):
            fetched = await reader.getmany(timeout_ms=500)
            found += [record for records in fetched.values() for record in records]
    return sorted(found, key=lambda record: (record.partition, record.offset))


async def drop_before(clients: KafkaClients, topic: str, partition: int, offset: int) -> None:
    """As retention does."""
    async with clients.admin() as admin:
        where = TopicPartition(clients.settings.topic(topic), partition)
        await admin.delete_records({where: RecordsToDelete(before_offset=offset)})


async def tell(clients: KafkaClients, consumer: str, offset: int) -> None:
    """Have the broker believe that the consumer, none of whose members is there, is at ``offset`` everywhere."""
    async with clients.admin() as admin:
        known = await committed_offsets(admin, clients.group(consumer))
    member = AIOKafkaConsumer(
        bootstrap_servers=clients.settings.bootstrap, group_id=clients.group(consumer), enable_auto_commit=False
    )
    await member.start()
    try:
        if known:
            member.assign(list(known))
            async with asyncio.timeout(30):
                while not await _committed(member, dict.fromkeys(known, offset)):
                    await asyncio.sleep(0.2)
    finally:
        await member.stop()


async def _committed(member: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> bool:
    """Refused while a member that had to be cut is still held to be there, until its session runs out."""
    try:
        await member.commit(offsets)
    except CommitFailedError:
        return False
    return True


@asynccontextmanager
async def _onlooker(clients: KafkaClients) -> Any:
    reader = clients.onlooker()
    try:
        await reader.start()
        yield reader
    finally:
        await reader.stop()
