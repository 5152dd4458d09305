"""Hand events to the broker: in their order per partition, acknowledged by all replicas, within a deadline.

The producer is idempotent, so what it retries by itself is not written twice. It can end in states that it does not
leave; whenever a batch fails for another reason than the event itself, a new producer is made. The caller ships again
what was not acknowledged, and consumers drop what they have seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from aiokafka.errors import KafkaError

from shared.adapters.codec import MAX_EVENT_BYTES, Envelope, encode_binary
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.closing import end_producer

EPOCH = "ce_arrearsepoch"  # a CloudEvents extension attribute; which epoch an event belongs to
LARGEST = MAX_EVENT_BYTES - 4 * 1024  # of the data; with its attributes it must be what consumers read
DEADLINE = 30.0  # seconds for one batch; after it nobody knows whether the broker has it
log = structlog.get_logger(__name__)


class Parcel(NamedTuple):
    """An event on its way to a topic. ``seq`` is how the caller knows it."""

    seq: int
    topic: str
    key: str
    event: Envelope


@dataclass(slots=True)
class Shipped:
    """``sent``: acknowledged, by seq. ``refused``: key to why its first event can not be shipped; later ones of that
    key were not tried. ``error``: what stopped the rest, if anything did."""

    sent: list[int]
    refused: dict[str, str]
    error: str | None = None


class Publisher:
    def __init__(self, clients: KafkaClients, *, deadline: float = DEADLINE) -> None:
        self._clients = clients
        self._deadline = deadline
        self._producer: Any = None
        self._making = asyncio.Lock()

    async def publish(self, parcels: Sequence[Parcel], partition: int, epoch: UUID) -> Shipped:
        """Ship to ``partition`` of each parcel's topic; what comes first is acknowledged before the next is tried."""
        shipped = Shipped([], {})
        by_topic: dict[str, list[Parcel]] = {}
        for parcel in parcels:
            by_topic.setdefault(parcel.topic, []).append(parcel)
        try:
            producer = await self._ready()
        except (KafkaError, OSError, TimeoutError) as error:
            shipped.error = type(error).__name__
            return shipped
        mark = (EPOCH, str(epoch).encode())
        ships = [self._ship(producer, topic, partition, its, mark, shipped) for topic, its in by_topic.items()]
        for outcome in await asyncio.gather(*ships, return_exceptions=True):
            if isinstance(outcome, (KafkaError, OSError, TimeoutError)):
                shipped.error = type(outcome).__name__
                await self._discard(producer)
            elif isinstance(outcome, BaseException):
                raise outcome
        return shipped

    async def _ship(
        self,
        producer: Any,
        topic: str,
        partition: int,
        parcels: Sequence[Parcel],
        mark: tuple[str, bytes],
        shipped: Shipped,
    ) -> None:
        batch = producer.create_batch()
        aboard: list[int] = []
        for parcel in parcels:
            if parcel.key in shipped.refused:
                continue
            headers, value = encode_binary(parcel.event)
            if len(value) > LARGEST:
                shipped.refused[parcel.key] = "the event is larger than a consumer reads"
                continue
            record = {"timestamp": None, "key": parcel.key.encode(), "value": value, "headers": [*headers, mark]}
            if batch.append(**record) is None:
                await self._send(producer, batch, topic, partition)
                shipped.sent += aboard
                batch, aboard = producer.create_batch(), []
                batch.append(**record)
            aboard.append(parcel.seq)
        if aboard:
            await self._send(producer, batch, topic, partition)
            shipped.sent += aboard

    async def _send(self, producer: Any, batch: Any, topic: str, partition: int) -> None:
        batch.close()
        async with asyncio.timeout(self._deadline):
            # Two waits: for a place in the queue, then for the acknowledgement. Neither ends by itself.
            await (await producer.send_batch(batch, self._clients.settings.topic(topic), partition=partition))

    async def _ready(self) -> Any:
        async with self._making:
            if self._producer is None:
                producer = self._clients.producer()
                try:
                    async with asyncio.timeout(self._deadline):
                        await producer.start()
                except BaseException:
                    await end_producer(producer)
                    raise
                self._producer = producer
            return self._producer

    async def _discard(self, producer: Any) -> None:
        """Another producer from now on; whoever else was using this one ships again, too."""
        if self._producer is producer:
            self._producer = None
            log.warning("kafka.producer_discarded")
            await end_producer(producer)

    async def close(self) -> None:
        if self._producer is not None:
            await end_producer(self._producer)
            self._producer = None
