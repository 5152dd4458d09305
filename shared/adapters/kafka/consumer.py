"""A consumer's loop: read a batch, have it applied or parked, write down how far, tell the broker.

Where to read on stands in the database, under a fence that rises with every assignment; what the broker knows of it is
for looking at. On a rebalance the batch under way is finished first, then the claims are let go. Memory is bounded by
one fetch and one batch, whatever the backlog.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Any
from uuid import UUID

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from prometheus_client import Counter, Gauge, Histogram

from shared.adapters.kafka.clients import KafkaClients
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


class StuckError(RuntimeError):
    """The consumer does not get on, and nothing but a new process will help; the message says what was seen."""


class ConsumerLoop:
    """One member of a consumer's group. ``delivered`` is called after each batch."""

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
    ) -> None:
        self._clients = clients
        self._work = work
        self._consumer = consumer
        self._topics = sorted(topics)
        self._take = take
        self._holder = holder
        self._delivered = delivered
        for each in (_TAKEN, _GAPS, _PARTITIONS):
            each.labels(consumer)  # there from the start: what rises from nothing is not seen to rise
        self._kafka: Any = None
        self._claims: dict[TopicPartition, Claim] = {}
        self._epoch: UUID | None = None
        self._ready = asyncio.Event()  # claims are taken and positions set
        self._idle = asyncio.Event()  # no batch is under way
        self._idle.set()
        self._checked = 0.0
        self.assigned_at: float | None = None
        self.polled_at = monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. Raises when it can not go on; whoever supervises starts it again, as a new member."""
        self._kafka = self._clients.consumer(self._consumer)
        self._kafka.subscribe(self._topics, listener=_Listener(self))
        self.assigned_at, self.polled_at = None, monotonic()
        try:
            await self._kafka.start()
            while not stop.is_set():
                await self._step(stop)
        finally:
            self._hold({})
            self.assigned_at = None
            self._ready.clear()
            with contextlib.suppress(KafkaError, TimeoutError):
                await asyncio.wait_for(self._kafka.stop(), DRAIN)

    @property
    def partitions(self) -> list[TopicPartition]:
        return sorted(self._claims)

    async def _step(self, stop: asyncio.Event) -> None:
        if not self._ready.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ready.wait(), 0.2)
            return
        claims = dict(self._claims)
        try:
            self.polled_at = monotonic()
            fetched = await self._kafka.getmany(timeout_ms=200, max_records=self._clients.settings.batch)
            self.polled_at = monotonic()
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            await self._find_way(error)
            return
        if not self._ready.is_set() or claims != self._claims:
            return  # a rebalance came between; whoever has the partitions now reads these again
        if not fetched:
            await self._check_claims(claims)
            return
        self._idle.clear()
        try:
            await self._apply(fetched, claims)
        finally:
            self._idle.set()

    async def _apply(self, fetched: Mapping[TopicPartition, Sequence[Any]], claims: Mapping[Any, Claim]) -> None:
        touched = [claims[partition] for partition in fetched]
        records = [record for records in fetched.values() for record in records]
        ends = {partition: records[-1].offset + 1 for partition, records in fetched.items()}
        work = GuardedWork(self._work, self._consumer, touched)
        assert self._epoch is not None  # noqa: S101 - set with the claims
        began = monotonic()
        try:
            await self._take(work, self._epoch, records)
            async with self._work() as tx:
                await tx.advance_claims(self._consumer, touched, {(p.topic, p.partition): n for p, n in ends.items()})
        except Fenced:
            raise
        except Exception as error:
            await self._note_error(touched, error)
            raise
        _SECONDS.labels(self._consumer).observe(monotonic() - began)
        _TAKEN.labels(self._consumer).inc(len(records))
        self._delivered()
        await self._tell_broker(ends)

    async def _tell_broker(self, ends: Mapping[TopicPartition, int]) -> None:
        """For lag monitors and for noticing that a database was restored; nothing reads on from it."""
        try:
            async with asyncio.timeout(COMMIT_WITHIN):
                await self._kafka.commit(dict(ends))
        except (KafkaError, IllegalStateError, TimeoutError) as error:
            log.warning("kafka.commit_failed", consumer=self._consumer, error=type(error).__name__)

    async def _note_error(self, claims: Sequence[Claim], error: Exception) -> None:
        with contextlib.suppress(Exception):
            async with self._work() as tx:
                await tx.note_consumer_error(self._consumer, claims, type(error).__name__)

    async def _check_claims(self, claims: Mapping[Any, Claim]) -> None:
        """An idle consumer would not notice that an epoch has ended. Raises Fenced."""
        if monotonic() - self._checked < CHECK_EVERY:
            return
        self._checked = monotonic()
        async with self._work() as tx:
            await tx.hold_claims(self._consumer, list(claims.values()))

    async def claim(self, partitions: Collection[TopicPartition]) -> None:
        """Take the partitions over and read on from where the database says."""
        async with self._work() as tx:
            epoch, claims = await tx.claim_partitions(
                self._consumer, self._holder, [(each.topic, each.partition) for each in sorted(partitions)]
            )
        by_partition = {TopicPartition(claim.topic, claim.partition): claim for claim in claims}
        fresh = [partition for partition, claim in by_partition.items() if claim.next_offset is None]
        begins = await self._kafka.beginning_offsets(fresh) if fresh else {}
        for partition, claim in by_partition.items():
            begin: int = begins.get(partition, 0)
            self._kafka.seek(partition, begin if claim.next_offset is None else claim.next_offset)
        self._hold(by_partition)
        self._epoch, self._checked = epoch, monotonic()
        self.assigned_at = monotonic()
        self._ready.set()
        log.info("kafka.assigned", consumer=self._consumer, partitions=len(by_partition))

    async def let_go(self) -> None:
        """Finish the batch under way, within bounds, then hold nothing any more."""
        self._ready.clear()
        try:
            async with asyncio.timeout(DRAIN):
                await self._idle.wait()
        except TimeoutError:
            log.warning("kafka.drain_ran_out", consumer=self._consumer)
        self._hold({})

    def _hold(self, claims: dict[TopicPartition, Claim]) -> None:
        self._claims = claims
        _PARTITIONS.labels(self._consumer).set(len(claims))

    async def _find_way(self, error: KafkaError) -> None:
        """Our place is outside of what the broker keeps: read on from the nearest end of it, and say so aloud."""
        if isinstance(error, NoOffsetForPartitionError):
            return  # asked before the position was set
        for partition, wanted in error.args[0].items():
            first = (await self._kafka.beginning_offsets([partition]))[partition]
            last = (await self._kafka.end_offsets([partition]))[partition]
            going_on = first if wanted < first else last
            self._kafka.seek(partition, going_on)
            _GAPS.labels(self._consumer).inc()
            log.error(
                "kafka.gap", consumer=self._consumer, topic=partition.topic, partition=partition.partition,
                wanted=wanted, kept_from=first, kept_to=last,
            )  # fmt: skip


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Called inside the rebalance, which swallows what it raises; takes no lock that the loop could hold."""

    def __init__(self, loop: ConsumerLoop) -> None:
        self._loop = loop

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._loop.let_go()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        pause = 0.1
        while True:  # the assignment stands; without claims nothing is read, and the watchdog sees it
            try:
                await self._loop.claim(assigned)
            except Exception:
                log.exception("kafka.claim_failed")
                await asyncio.sleep(pause)
                pause = min(pause * 2, 2.0)
                if pause >= 2.0:
                    return
            else:
                return


class Watchdog:
    """Ends a process whose consumer is alive but does not get on: states that the library does not leave by itself."""

    def __init__(self, loop: ConsumerLoop, *, patience: float = 90.0, every: float = 10.0) -> None:
        self._loop = loop
        self._patience = patience
        self._every = every
        self._seen: dict[TopicPartition, tuple[int, float]] = {}  # position, and when it was first seen there

    async def run(self, stop: asyncio.Event) -> None:
        """Raises StuckError."""
        unassigned_since: float | None = None
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)
                return
            now = monotonic()
            unassigned_since = None if self._loop.assigned_at is not None else (unassigned_since or now)
            if unassigned_since is not None and now - unassigned_since > self._patience:
                raise StuckError("the group gave us no assignment")
            if now - self._loop.polled_at > max(self._patience, 120.0) and self._loop.assigned_at is not None:
                raise StuckError("nothing was read for too long")
            await self._look_at_positions(now)

    async def _look_at_positions(self, now: float) -> None:
        kafka, partitions = self._loop._kafka, self._loop.partitions
        if not partitions:
            self._seen = {}
            return
        try:
            async with asyncio.timeout(self._every):
                ends = await kafka.end_offsets(partitions)
                places = {partition: await kafka.position(partition) for partition in partitions}
        except (KafkaError, TimeoutError, IllegalStateError, AssertionError):
            # The broker is away, or a rebalance came between: nothing is known, so nothing is concluded. Patience
            # begins anew, or a consumer would be held to have stood all the while that it could not read.
            self._seen = {}
            return
        for partition, place in places.items():
            first_seen = self._seen.get(partition, (None, now))
            if first_seen[0] != place or place >= ends[partition]:
                self._seen[partition] = (place, now)
            elif now - first_seen[1] > self._patience:
                raise StuckError(
                    f"the position in {partition.topic}/{partition.partition} stands, and the end moves on"
                )

    def ready(self) -> bool:
        return self._loop.assigned_at is not None
