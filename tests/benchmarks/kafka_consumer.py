"""Kafka to inbox and effect, committed, beside the same effect in bare batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import Any

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop
from shared.adapters.kafka.taking import own_events
from shared.application.book import Book
from shared.application.pipeline import Consumer, OurEvent
from tests.benchmarks import bare_kafka, bare_writes
from tests.benchmarks.cpu import Spent, told
from tests.benchmarks.kafka_topics import READ, Ground
from tests.benchmarks.outcome import Line, median
from tests.benchmarks.stage import settle


async def run(ground: Ground) -> None:
    """One row an event is written by either side; the bare one has neither inbox nor locks, and parses JSON only."""
    await ground.connection.execute("create table bench_effect (customer_id text primary key, seen int)")
    await ground.connection.execute("grant all on bench_effect to arrears_scheduler")
    clients = ground.clients(READ)
    topics = [clients.settings.topic(topic) for topic in ground.topics]
    spent: Spent = {}
    ours, bare = [], []
    async with ground.stage.suite(ground.dsn, manual=False) as suite:
        for number in range(ground.stage.options.rounds):
            await _fresh(ground)
            with ground.metered(spent, "bare"):
                bare.append(ground.total / await bare_kafka.consume(clients, ground.connection, topics, ground.total))
            await _check(ground)
            await _fresh(ground)
            with ground.metered(spent, "pipeline"):
                ours.append(ground.total / await _consumed(ground, suite.clockwork._work, clients, topics, number))
            await _check(ground)
    line = "Kafka to inbox and effect, committed | effect in batches, bare"
    ground.stage.add(Line(line, median(ours), "events/s", median(bare), 0.25, note=told(spent)))


async def _fresh(ground: Ground) -> None:
    await ground.connection.execute("truncate bench_effect")
    await settle(ground.dsn)


async def _check(ground: Ground) -> None:
    counted = await ground.connection.fetchval("select sum(seen) from bench_effect")
    if counted != ground.total:
        raise RuntimeError(f"{counted} effects of {ground.total} events")


async def _consumed(ground: Ground, work: Any, clients: KafkaClients, topics: list[str], number: int) -> float:
    """The seconds from the assignment until the last batch and its place are committed."""
    seen, ended, stop = 0, 0.0, asyncio.Event()

    async def effect(tx: Any, book: Book, events: Sequence[OurEvent]) -> None:
        nonlocal seen
        await bare_writes.count_customers(tx.conn, [event.customer_id for event in events])
        seen += len(events)

    def delivered() -> None:
        nonlocal ended
        if seen >= ground.total:
            ended = monotonic()
            stop.set()

    kinds = await ground.connection.fetch("select distinct type from outbox")
    consumer = Consumer(f"bench-{number}", {row[0]: effect for row in kinds})
    loop = ConsumerLoop(clients, work, consumer.name, topics, own_events(consumer), holder="bench", delivered=delivered)
    began = 0.0

    async def note_assignment() -> None:
        nonlocal began
        while loop.assigned_at is None:
            await asyncio.sleep(0.001)
        began = loop.assigned_at

    async with asyncio.timeout(300), asyncio.TaskGroup() as tasks:
        tasks.create_task(note_assignment())
        tasks.create_task(loop.run(stop))
    return ended - began
