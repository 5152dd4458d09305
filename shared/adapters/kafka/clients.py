"""THE place where Kafka clients are made, so that no default of the library is ours by accident.

The defaults lose events: commits by time, ``latest`` on an offset that is out of range, ``acks=1``. Reasons and sources
stand in docs/decisions.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from shared.adapters.kafka.settings import KafkaSettings

REQUEST_MS = 40_000  # above the rebalance time-out, or joining a group times out and starts over for ever
REBALANCE_MS = 30_000
MAX_POLL_MS = 300_000
MAX_BYTES = 8 * 1024 * 1024  # of one fetch over all partitions: what a backlog may take of our memory, twice
MAX_PARTITION_BYTES = 512 * 1024
MAX_BATCH_BYTES = 512 * 1024


class KafkaClients:
    """Makes clients; ``name`` is shown by the broker. Whoever gets one starts and stops it."""

    def __init__(self, settings: KafkaSettings, name: str) -> None:
        self.settings = settings
        self._name = name

    def group(self, consumer: str) -> str:
        return f"{self.settings.group_prefix}{consumer}"

    def consumer(self, consumer: str) -> AIOKafkaConsumer:
        """A member of the consumer's group: offsets are committed by hand, and one that is out of range is an error."""
        return AIOKafkaConsumer(
            **self.settings.connection(),
            client_id=self._name,
            group_id=self.group(consumer),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            session_timeout_ms=self.settings.session_ms,
            heartbeat_interval_ms=min(3_000, self.settings.session_ms // 4),
            rebalance_timeout_ms=REBALANCE_MS,
            request_timeout_ms=REQUEST_MS,
            max_poll_interval_ms=MAX_POLL_MS,
            max_poll_records=self.settings.batch,
            fetch_max_bytes=MAX_BYTES,
            max_partition_fetch_bytes=MAX_PARTITION_BYTES,
            fetch_max_wait_ms=200,
            metadata_max_age_ms=15_000,
            retry_backoff_ms=100,
        )

    def onlooker(self) -> AIOKafkaConsumer:
        """Reads where it is told to, belongs to no group."""
        return AIOKafkaConsumer(
            **self.settings.connection(),
            client_id=f"{self._name}-onlooker",
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            request_timeout_ms=REQUEST_MS,
            fetch_max_bytes=MAX_BYTES,
            max_partition_fetch_bytes=MAX_PARTITION_BYTES,
            fetch_max_wait_ms=100,
            metadata_max_age_ms=15_000,
        )

    def producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(
            **self.settings.connection(),
            client_id=self._name,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,  # batches are made by hand; to pack them, too, would hold the API's event loop 10 ms a batch
            max_batch_size=MAX_BATCH_BYTES,
            request_timeout_ms=REQUEST_MS,
            metadata_max_age_ms=15_000,
            retry_backoff_ms=100,
        )

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        admin = AIOKafkaAdminClient(**self.settings.connection(), client_id=self._name, request_timeout_ms=10_000)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()
