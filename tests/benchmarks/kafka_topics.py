"""What relay and consumer are measured on: a book's outbox, topics of a prefix, and the epoch they belong to."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from shared.adapters.codec import encode_binary
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.pairing import EpochWatch
from shared.adapters.kafka.publisher import EPOCH
from shared.adapters.kafka.relay import _parcel
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.postgres.epochs import Epochs
from shared.adapters.postgres.outbox import OutboxRow
from shared.adapters.postgres.pool import Pool
from tests.benchmarks import books
from tests.benchmarks.bare_kafka import Record
from tests.benchmarks.cpu import Meter, Spent
from tests.benchmarks.stage import Stage, connect

READ = "read."  # the prefix of the topics that hold each event once; rounds of the relay pile up under another


@dataclass(slots=True)
class Ground:
    """``total`` events lie in the outbox; ``others`` are the process ids that share the work with ours."""

    stage: Stage
    dsn: str
    bootstrap: str
    connection: Any
    pool: Pool
    total: int
    topics: list[str]
    others: dict[str, int]

    def clients(self, prefix: str) -> KafkaClients:
        return KafkaClients(KafkaSettings(bootstrap=self.bootstrap, topic_prefix=prefix), "bench")

    async def epoch(self, clients: KafkaClients) -> EpochWatch:
        """The topics are there after it."""
        watch = EpochWatch(clients, Epochs(self.pool))
        await watch.ensure()
        return watch

    async def ship_again(self) -> None:
        await self.connection.execute("update outbox set sent_at = null")
        await self.connection.execute("vacuum analyze outbox")
        await self.connection.execute("checkpoint")

    @contextmanager
    def metered(self, spent: Spent, what: str) -> Iterator[None]:
        """Add what the block costs each process to ``spent``, as milliseconds a thousand events."""
        meter = Meter(self.others)
        yield
        spent.setdefault(what, []).append(meter.per_thousand(self.total))

    async def records(self, clients: KafkaClients, watch: EpochWatch) -> Sequence[Record]:
        """Each event of the outbox as the relay writes it."""
        rows = await self.connection.fetch(
            "select seq, id, aggregatetype, aggregateid, type, payload::text, at, shard from outbox order by seq"
        )
        mark = (EPOCH, str(watch.current).encode())
        records = []
        for row in rows:
            seq, event_id, topic_name, key, kind, payload, at, shard = row
            parcel = _parcel(OutboxRow(seq, event_id, topic_name, key, kind, payload.encode(), at))
            headers, value = encode_binary(parcel.event)
            topic, partition = clients.settings.topic(parcel.topic), shard % clients.settings.partitions
            records.append(Record(topic, partition, parcel.key.encode(), value, [*headers, mark]))
        return records


@asynccontextmanager
async def laid_out(stage: Stage, bootstrap: str, others: dict[str, int]) -> AsyncIterator[Ground]:
    dsn = await stage.database("bench_kafka")
    async with stage.suite(dsn, manual=False) as suite:
        now = datetime.now(UTC)
        await books.fill(suite, range(max(2_000, stage.options.accounts // 5)), now - timedelta(hours=1), now)
    connection = await connect(dsn)
    pool = await Pool.open(dsn, role="arrears_api")
    try:
        total = await connection.fetchval("select count(*) from outbox")
        topics = [row[0] for row in await connection.fetch("select distinct aggregatetype from outbox order by 1")]
        yield Ground(stage, dsn, bootstrap, connection, pool, total, topics, {"ours": os.getpid(), **others})
    finally:
        await pool.close()
        await connection.close()
