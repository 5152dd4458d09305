"""How far behind each consumer is, per partition: honest figures. What could not be measured is unknown, never zero.

Where a consumer is, the database says; where the log ends, the broker; how old the oldest unprocessed event is, the
event itself. The library's own call for a group's offsets answers nothing at all when the broker refuses, which a
monitor would show as no lag.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Protocol

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.closing import end_consumer

PATIENCE = 10.0  # seconds for one measurement
PEEK = 2.0  # seconds for reading the oldest unprocessed event of a partition
PEEKS = 5.0  # seconds for those of all; the ages that did not fit in are unknown, the lags are not
log = structlog.get_logger(__name__)


class Position(Protocol):
    @property
    def consumer(self) -> str: ...
    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def next_offset(self) -> int | None: ...
    @property
    def last_error(self) -> str | None: ...
    @property
    def last_error_at(self) -> datetime | None: ...


class Places(Protocol):
    async def read(self) -> tuple[Mapping[str, Collection[str]], Sequence[Position]]: ...


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """``depth``: events that the broker keeps; ``lag``: of those, not processed yet; ``oldest_seconds``: how long the
    oldest of these has waited; ``per_minute``: processed since the measurement before. None: not known."""

    consumer: str
    topic: str
    partition: int
    depth: int | None
    lag: int | None
    oldest_seconds: int | None
    per_minute: int | None
    last_error: str | None
    last_error_at: datetime | None


@dataclass(frozen=True, slots=True)
class Reading:
    """One measurement. ``error`` says why it failed; then every partition's figures are unknown."""

    at: datetime
    partitions: tuple[PartitionLag, ...]
    error: str | None = None


class Astray(RuntimeError):
    """A log ends before a consumer's place: how far behind it is nobody can say."""


class LagWatch(Collector):
    """Measures now and then; shows the newest reading, and nothing of one that failed."""

    def __init__(self, clients: KafkaClients, places: Places, *, every: float = 5.0) -> None:
        self._clients = clients
        self._places = places
        self._every = every
        self._reader: Any = None
        self._before: tuple[float, dict[tuple[str, TopicPartition], int]] | None = None
        self._latest: Reading | None = None

    def latest(self) -> Reading | None:
        return self._latest

    async def run(self, stop: asyncio.Event) -> None:
        try:
            while not stop.is_set():
                self._latest = await self.measure()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), self._every)
        finally:
            await self.close()

    async def measure(self) -> Reading:
        """Never raises for the broker's or the database's doing."""
        try:
            async with asyncio.timeout(PATIENCE):
                return Reading(datetime.now(UTC), tuple(await self._measure()))
        except Exception as error:  # noqa: BLE001 - whatever it is, the figures are unknown and the others go on
            log.warning("kafka.lag_unknown", error=type(error).__name__)
            await self.close()
            return Reading(datetime.now(UTC), self._unknown(), type(error).__name__)

    def _unknown(self) -> tuple[PartitionLag, ...]:
        known = self._latest.partitions if self._latest is not None else ()
        return tuple(
            PartitionLag(
                each.consumer, each.topic, each.partition, None, None, None, None, each.last_error, each.last_error_at
            )
            for each in known
        )

    async def behind(self) -> int:
        """How many events consumers have still to process. Raises when that can not be known."""
        topics, positions = await self._places.read()
        ends, begins, places = await self._look(topics, positions)
        lags = [_lag(max(places.get((c, p), 0), begins[p]), ends[p]) for c, p in _watched(topics, ends)]
        known = [each for each in lags if each is not None]
        if len(known) < len(lags):
            raise Astray
        return sum(known)

    async def _measure(self) -> list[PartitionLag]:
        topics, positions = await self._places.read()
        ends, begins, places = await self._look(topics, positions)
        errors = {
            (p.consumer, TopicPartition(p.topic, p.partition)): (p.last_error, p.last_error_at) for p in positions
        }
        now, before = monotonic(), self._before
        self._before = (now, places)
        found = []
        for consumer, partition in _watched(topics, ends):
            place = max(places.get((consumer, partition), 0), begins[partition])
            lag = _lag(place, ends[partition])
            age = await self._age(partition, place, now + PEEKS - monotonic()) if lag else None
            found.append(
                PartitionLag(
                    consumer,
                    partition.topic,
                    partition.partition,
                    ends[partition] - begins[partition],
                    lag,
                    age,
                    _rate(before, now, (consumer, partition), place),
                    *errors.get((consumer, partition), (None, None)),
                )
            )
        return found

    async def _look(
        self, topics: Mapping[str, Collection[str]], positions: Sequence[Position]
    ) -> tuple[dict[Any, int], dict[Any, int], dict[tuple[str, TopicPartition], int]]:
        reader = await self._ready()
        partitions = [
            TopicPartition(topic, number)
            for topic in sorted({topic for its in topics.values() for topic in its})
            for number in await _numbers(reader, topic)
        ]
        ends = await reader.end_offsets(partitions)
        begins = await reader.beginning_offsets(partitions)
        places = {
            (each.consumer, TopicPartition(each.topic, each.partition)): each.next_offset
            for each in positions
            if each.next_offset is not None
        }
        return ends, begins, places

    async def _age(self, partition: TopicPartition, place: int, left: float) -> int | None:
        """How long the event at ``place`` has waited; None when it can not be read in time (``left`` in seconds)."""
        if left <= 0:
            return None
        reader = await self._ready()
        try:
            reader.assign([partition])
            reader.seek(partition, place)
            async with asyncio.timeout(min(PEEK, left)):
                record = await reader.getone(partition)
        except (KafkaError, TimeoutError):
            return None
        return max(0, int(datetime.now(UTC).timestamp() - record.timestamp / 1000))

    async def _ready(self) -> Any:
        if self._reader is None:
            reader = self._clients.onlooker()
            try:
                await reader.start()
            except BaseException:
                await end_consumer(reader)
                raise
            self._reader = reader
        return self._reader

    async def close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await end_consumer(reader)

    def collect(self) -> Iterator[Metric]:
        labels = ("consumer", "topic", "partition")
        lag = GaugeMetricFamily("arrears_consumer_lag", "Events not processed yet.", labels=labels)
        age = GaugeMetricFamily("arrears_consumer_oldest_seconds", "Age of the oldest one.", labels=labels)
        known = GaugeMetricFamily("arrears_consumer_lag_known", "1 when the last measurement succeeded.")
        reading = self._latest
        known.add_metric((), 1.0 if reading is not None and reading.error is None else 0.0)
        for each in reading.partitions if reading is not None else ():
            names = (each.consumer, each.topic, str(each.partition))
            if each.lag is not None:
                lag.add_metric(names, each.lag)
            if each.oldest_seconds is not None:
                age.add_metric(names, each.oldest_seconds)
        yield from (lag, age, known)


async def _numbers(reader: Any, topic: str) -> list[int]:
    numbers = reader.partitions_for_topic(topic)
    if numbers is None:
        await reader._client._wait_on_metadata(topic)
        numbers = reader.partitions_for_topic(topic)
    return sorted(numbers or ())


def _lag(place: int, end: int) -> int | None:
    """None when the log ends before the consumer's place: it is another log, or has lost its end."""
    return end - place if place <= end else None


def _watched(topics: Mapping[str, Collection[str]], ends: Mapping[Any, int]) -> Iterator[tuple[str, TopicPartition]]:
    for consumer, its in sorted(topics.items()):
        for partition in sorted(ends):
            if partition.topic in its:
                yield consumer, partition


def _rate(
    before: tuple[float, dict[tuple[str, TopicPartition], int]] | None,
    now: float,
    key: tuple[str, TopicPartition],
    place: int,
) -> int | None:
    if before is None or key not in before[1] or now <= before[0]:
        return None
    return max(0, round((place - before[1][key]) * 60 / (now - before[0])))
