"""Outbox to Kafka, acknowledged and marked, beside a producer that has the same bytes at hand."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from time import perf_counter
from uuid import UUID

from shared.adapters.kafka.publisher import Publisher
from shared.adapters.kafka.relay import KafkaRelay
from shared.adapters.postgres.outbox import Outbox
from tests.benchmarks import bare_kafka
from tests.benchmarks.cpu import Spent, told
from tests.benchmarks.kafka_topics import READ, Ground
from tests.benchmarks.outcome import Line, median


class _Counting(Outbox):
    """Says when all is marked sent."""

    def __init__(self, ground: Ground) -> None:
        super().__init__(ground.pool, "bench")
        self._left = ground.total
        self.done = asyncio.Event()

    async def mark_sent(self, seqs: Sequence[int], epoch: UUID) -> int:
        marked = await super().mark_sent(seqs, epoch)
        self._left -= marked
        if self._left <= 0:
            self.done.set()
        return marked


async def run(ground: Ground) -> None:
    """By turns; at the end each event lies once in the topics that consumers are measured on."""
    clients = ground.clients("relay.")
    records = await ground.records(clients, await ground.epoch(clients))
    spent: Spent = {}
    ours, sends, batches = [], [], []
    for _ in range(ground.stage.options.rounds):
        with ground.metered(spent, "send"):
            sends.append(len(records) / await bare_kafka.produce(clients, records))
        with ground.metered(spent, "batches"):
            batches.append(len(records) / await bare_kafka.produce_in_batches(clients, records))
        await ground.ship_again()
        with ground.metered(spent, "relay"):
            ours.append(ground.total / await _relayed(ground, "relay."))
    await ground.ship_again()
    await _relayed(ground, READ)
    line = "outbox to Kafka, acknowledged, in order | idempotent send"
    ground.stage.add(Line(line, median(ours), "events/s", median(sends), 0.5, note=told(spent)))
    ground.stage.add(Line("the same | batches made by hand, bytes at hand", median(ours), "events/s", median(batches)))


async def _relayed(ground: Ground, prefix: str) -> float:
    """The seconds until every row is marked, the taking of the shards' leases included."""
    clients = ground.clients(prefix)
    watch = await ground.epoch(clients)
    outbox, publisher, stop = _Counting(ground), Publisher(clients), asyncio.Event()
    relay = KafkaRelay(outbox, publisher, watch, partitions=clients.settings.partitions, wake=asyncio.Event())
    began = perf_counter()
    running = asyncio.create_task(relay.run(stop))
    try:
        async with asyncio.timeout(300):
            await outbox.done.wait()
        took = perf_counter() - began
    finally:
        stop.set()
        await running
        await publisher.close()
    return took
