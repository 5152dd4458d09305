"""A consumer's loop: read a batch, have it applied or parked, write down how far, tell the broker.

Where to read on stands in the database, under a fence that rises with every assignment; what the broker knows of it is
for looking at. On a rebalance the batch under way is finished first, then the claims are let go. Memory is bounded by
one fetch and one batch, whatever the backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from prometheus_client import Counter, Gauge, Histogram

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.closing import end_consumer
from shared.application.transport import Claim, Fenced, GuardedWork
from shared.runtime.metrics import REGISTRY

DRAIN = 15.0  # seconds that a rebalance waits for the batch under way; below the rebalance time-out
COMMIT_WITHIN = 5.0
CHECK_EVERY = 2.0  # seconds between looks whether claims of an idle consumer still hold
log = structlog.get_logger(__name__)
_BY = ("consumer",)
_TAKEN = Counter("arrears_consumer_events", "Events applied, parked, kept or passed over.", _BY, registry=REGISTRY)
_PARTITIONS = Gauge("arrears_consumer_partitions", "Partitions that this process reads.", _BY, registry=REGISTRY)
_GAPS = Counter(
    "arrears_consumer_gaps", "Times our place was outside of what the broker keeps.", _BY, registry=REGISTRY
)
_SECONDS = Histogram(
    "arrears_consumer_batch_seconds",
    "From a batch in hand to its commit.",
    _BY,
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60),
    registry=REGISTRY,
)

Take = Callable[[Any, UUID, Sequence[Any]], Awaitable[None]]
"""(guarded unit of work, epoch, records in their order): returns when each is committed as applied, parked or kept."""


async def _known_already() -> None:
    """For a loop whose pairing somebody else looks after."""


class ConsumerLoop:
    """One member of a consumer's group. ``delivered`` is called after each batch; ``meet`` compares database and broker
    before anything is read, and when the log is not what it was."""

    def __init__(
        self,
        clients: KafkaClients,
        work: Any,
        consumer: str,
        topics: Collection[str],
        take: Take,
        *,
        holder: str,
        delivered: Callable[[], None] = lambda: None,
        meet: Callable[[], Awaitable[object]] = _known_already,
    ) -> None:
        self.clients = clients
        self._work = work
        self._consumer = consumer
        self._topics = sorted(topics)
        self._take = take
        self._holder = holder
        self._delivered = delivered
        self._meet = meet
        for each in (_TAKEN, _GAPS, _PARTITIONS):
            each.labels(consumer)  # there from the start: what rises from nothing is not seen to rise
        self.kafka: Any = None
        self._claims: dict[TopicPartition, Claim] = {}
        self._epoch: UUID | None = None
        self._ready = asyncio.Event()  # claims are taken and positions set
        self._idle = asyncio.Event()  # no batch is under way, and no look at the claims
        self._idle.set()
        self._failure: Exception | None = None  # of a claim
        self._checked = 0.0
        self.assigned_at: float | None = None
        self.polled_at = monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. Raises when it can not go on; whoever supervises starts it again, as a new member."""
        await self._meet()
        kafka = self.kafka = self.clients.consumer(self._consumer)
        self._failure, self.polled_at = None, monotonic()
        try:
            kafka.subscribe(self._topics, listener=_Listener(self, kafka))
            await kafka.start()
            while not stop.is_set():
                await self._step()
        finally:
            self._forget()
            await end_consumer(kafka)

    @property
    def partitions(self) -> list[TopicPartition]:
        return sorted(self._claims)

    async def _step(self) -> None:
        if not self._ready.is_set():
            self.kafka._coordinator.check_errors()  # nobody reads, so nobody else would be told of them
            if self._failure is not None:
                raise self._failure
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), 0.2)
            return
        try:
            self.polled_at = monotonic()
            fetched = await self.kafka.getmany(timeout_ms=200, max_records=self.clients.settings.batch)
            self.polled_at = monotonic()
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            await self._find_way(error)
            return
        if not self._ready.is_set():
            return  # a rebalance came between; its claims set every position anew
        # Nothing else has run since these were handed out: they belong to the claims as they are now, also when a
        # rebalance began and ended while we waited. Dropping them would be a gap, because the position is past them.
        self._idle.clear()
        try:
            if fetched:
                await self._apply(fetched, {partition: self._claims[partition] for partition in fetched})
            else:
                await self._look_around()
        finally:
            self._idle.set()

    async def _apply(
        self, fetched: Mapping[TopicPartition, Sequence[Any]], claims: Mapping[TopicPartition, Claim]
    ) -> None:
        places = {partition: await self.kafka.position(partition) for partition in claims}
        records = [record for records in fetched.values() for record in records]
        held = list(claims.values())
        assert self._epoch is not None  # noqa: S101 - set with the claims
        began = monotonic()
        try:
            await self._take(GuardedWork(self._work, self._consumer, held), self._epoch, records)
            await self._advance(claims, places)
        except Fenced:
            raise
        except Exception as error:
            await self._note_error(held, error)
            raise
        _SECONDS.labels(self._consumer).observe(monotonic() - began)
        _TAKEN.labels(self._consumer).inc(len(records))
        self._delivered()
        await self._tell_broker(places)

    async def _advance(self, claims: Mapping[TopicPartition, Claim], places: Mapping[TopicPartition, int]) -> None:
        """Write down how far the claimed partitions are. Raises Fenced."""
        ends = {(partition.topic, partition.partition): place for partition, place in places.items()}
        async with self._work() as tx:
            await tx.advance_claims(self._consumer, list(claims.values()), ends)
        for partition, claim in claims.items():
            if self._claims.get(partition) is claim:
                self._claims[partition] = replace(claim, next_offset=places[partition])

    async def _tell_broker(self, places: Mapping[TopicPartition, int]) -> None:
        """For lag monitors and for noticing that a database was restored; nothing reads on from it."""
        try:
            async with asyncio.timeout(COMMIT_WITHIN):
                await self.kafka.commit(dict(places))
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.warning("kafka.commit_failed", consumer=self._consumer, error=type(error).__name__)

    async def _note_error(self, claims: Sequence[Claim], error: Exception) -> None:
        with contextlib.suppress(Exception):
            async with self._work() as tx:
                await tx.note_consumer_error(self._consumer, claims, type(error).__name__)

    async def _look_around(self) -> None:
        """An idle consumer would not notice that an epoch has ended; nor would anybody see that it is past what is no
        event, such as the marks of somebody's transactions. Raises Fenced."""
        if monotonic() - self._checked < CHECK_EVERY:
            return
        self._checked = monotonic()
        claims = dict(self._claims)
        places = {partition: await self.kafka.position(partition) for partition in claims}
        moved = {partition: place for partition, place in places.items() if place != claims[partition].next_offset}
        async with self._work() as tx:
            await tx.hold_claims(self._consumer, list(claims.values()))
        if moved:
            await self._advance({partition: claims[partition] for partition in moved}, moved)
            await self._tell_broker(moved)

    async def claim(self, partitions: Collection[TopicPartition]) -> None:
        """Take the partitions over and read on from where the database says."""
        async with self._work() as tx:
            epoch, claims = await tx.claim_partitions(
                self._consumer, self._holder, [(each.topic, each.partition) for each in sorted(partitions)]
            )
        by_partition = {TopicPartition(claim.topic, claim.partition): claim for claim in claims}
        fresh = [partition for partition, claim in by_partition.items() if claim.next_offset is None]
        begins = await self.kafka.beginning_offsets(fresh) if fresh else {}
        for partition, claim in by_partition.items():
            self.kafka.seek(partition, begins[partition] if claim.next_offset is None else claim.next_offset)
        self._hold(by_partition)
        self._epoch, self._checked = epoch, monotonic()
        self.assigned_at = monotonic()
        self._ready.set()
        log.info("kafka.assigned", consumer=self._consumer, partitions=len(by_partition))

    def give_up(self, error: Exception) -> None:
        """Without its claims it must not read: end it, so that it is started again as a new member."""
        self._failure = error

    async def let_go(self) -> None:
        """Finish the batch under way, within bounds, then hold nothing any more."""
        self._ready.clear()
        try:
            async with asyncio.timeout(DRAIN):
                await self._idle.wait()
        except TimeoutError:
            log.warning("kafka.drain_ran_out", consumer=self._consumer)
        self._forget()

    def _forget(self) -> None:
        self._hold({})
        self._epoch, self.assigned_at = None, None
        self._ready.clear()

    def _hold(self, claims: dict[TopicPartition, Claim]) -> None:
        self._claims = claims
        _PARTITIONS.labels(self._consumer).set(len(claims))

    async def _find_way(self, error: KafkaError) -> None:
        """Our place is outside of what the broker keeps: read on from its beginning, and say so aloud.

        Before it, what lay between was dropped by age. Behind its end, it is another log than the one we were in, or
        one that lost its end: what we have not seen of it may lie anywhere, and what we have seen is dropped again."""
        if isinstance(error, NoOffsetForPartitionError):
            return  # asked before the position was set
        for partition, wanted in error.args[0].items():
            claim = self._claims.get(partition)
            first = (await self.kafka.beginning_offsets([partition]))[partition]
            last = (await self.kafka.end_offsets([partition]))[partition]
            if wanted > last:
                await self._meet()
            if claim is None or self._claims.get(partition) is not claim:
                return  # a rebalance came between
            self.kafka.seek(partition, first)
            _GAPS.labels(self._consumer).inc()
            log.error(
                "kafka.gap", consumer=self._consumer, topic=partition.topic, partition=partition.partition,
                wanted=wanted, kept_from=first, kept_to=last,
            )  # fmt: skip


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called inside the rebalance, which swallows what it raises; takes no lock that the loop could hold."""

    def __init__(self, loop: ConsumerLoop, kafka: Any) -> None:
        self._loop = loop
        self._kafka = kafka

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        if self._loop.kafka is self._kafka:
            await self._loop.let_go()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        if self._loop.kafka is not self._kafka:
            return  # of a member that has ended
        try:
            await self._loop.claim(assigned)
        except Exception as error:  # noqa: BLE001 - raised where it is seen: by the loop
            self._loop.give_up(error)
