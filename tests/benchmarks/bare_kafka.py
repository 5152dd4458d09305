"""The limits of the transport: aiokafka as its documentation shows it, with nothing of ours around it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer, TopicPartition

from shared.adapters.kafka.clients import KafkaClients
from tests.benchmarks import bare_writes

WINDOW = 500


@dataclass(frozen=True, slots=True)
class Record:
    """One record as it lies in the topic, bytes made."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


def producer(clients: KafkaClients) -> AIOKafkaProducer:
    return AIOKafkaProducer(
        **clients.settings.connection(), client_id="bare", acks="all", enable_idempotence=True, linger_ms=0
    )


async def produce(clients: KafkaClients, records: Sequence[Record]) -> float:
    """``send`` for each, acknowledgements awaited in windows; the seconds."""
    client = producer(clients)
    await client.start()
    await _meet(client, records)
    began = perf_counter()
    for at in range(0, len(records), WINDOW):
        acknowledged = [
            await client.send(each.topic, each.value, key=each.key, partition=each.partition, headers=each.headers)
            for each in records[at : at + WINDOW]
        ]
        await asyncio.gather(*acknowledged)
    took = perf_counter() - began
    await client.stop()
    return took


async def produce_in_batches(clients: KafkaClients, records: Sequence[Record]) -> float:
    """Batches made by hand, one in flight a partition, all partitions at once; the seconds."""
    client = producer(clients)
    await client.start()
    await _meet(client, records)
    by_place: dict[tuple[str, int], list[Record]] = {}
    for each in records:
        by_place.setdefault((each.topic, each.partition), []).append(each)
    began = perf_counter()
    await asyncio.gather(*(_in_batches(client, *place, its) for place, its in by_place.items()))
    took = perf_counter() - began
    await client.stop()
    return took


async def _in_batches(client: Any, topic: str, partition: int, records: Sequence[Record]) -> None:
    batch = client.create_batch()
    for each in records:
        if batch.append(timestamp=None, key=each.key, value=each.value, headers=each.headers) is None:
            await (await client.send_batch(batch, topic, partition=partition))
            batch = client.create_batch()
            batch.append(timestamp=None, key=each.key, value=each.value, headers=each.headers)
    await (await client.send_batch(batch, topic, partition=partition))


async def _meet(client: Any, records: Sequence[Record]) -> None:
    """One record to each partition: a topic that was just made has no leader for a moment."""
    places = {(each.topic, each.partition): each for each in records}
    for each in places.values():
        await client.send_and_wait(each.topic, each.value, key=each.key, partition=each.partition)


async def consume(clients: KafkaClients, connection: Any, topics: Sequence[str], total: int) -> float:
    """Read, parse, take effect and note the offsets: one transaction a batch. The seconds from the first read."""
    await connection.execute("create table if not exists bench_offsets (topic text, partition int, next_offset bigint,"
                             " primary key (topic, partition))")  # fmt: skip
    await connection.execute("truncate bench_offsets")
    reader = clients.onlooker()
    await reader.start()
    for topic in topics:
        await reader._client._wait_on_metadata(topic)
    places = [TopicPartition(topic, number) for topic in topics for number in reader.partitions_for_topic(topic)]
    reader.assign(places)
    for place, begin in (await reader.beginning_offsets(places)).items():
        reader.seek(place, begin)
    began, seen = perf_counter(), 0
    while seen < total:
        fetched = await reader.getmany(timeout_ms=200, max_records=clients.settings.batch)
        records = [record for its in fetched.values() for record in its]
        if not records:
            continue
        for record in records:
            orjson.loads(record.value)
        async with connection.transaction():
            await bare_writes.count_customers(connection, [record.key.decode() for record in records])
            await connection.execute(
                "insert into bench_offsets select * from unnest($1::text[], $2::int[], $3::bigint[])"
                " on conflict (topic, partition) do update set next_offset = excluded.next_offset",
                [place.topic for place in fetched],
                [place.partition for place in fetched],
                [its[-1].offset + 1 for its in fetched.values()],
            )
        seen += len(records)
    took = perf_counter() - began
    await reader.stop()
    return took
