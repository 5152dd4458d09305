"""From the outbox to Kafka: shards held by lease, one batch in flight a shard, marked after the acknowledgement.

A shard goes to one partition of each topic, so a partition that can not be written stops its own shards and no others.
A key whose event can not be shipped stops that key. Several relays share the shards; a dead one's move when its leases
run out.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from time import monotonic
from typing import Protocol
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from shared.adapters.codec import Envelope
from shared.adapters.kafka.publisher import Parcel, Publisher, Shipped
from shared.application.pipeline import SOURCE
from shared.runtime.metrics import REGISTRY

BATCH = 1000  # rows of one shard at a time
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds, for a shard or a key in trouble
QUICK_POLL, QUICK_FOR = 0.01, 1.0  # seconds: what was shipped makes consumers leave more, and nobody wakes us for that
log = structlog.get_logger(__name__)
_HELD = Gauge("arrears_relay_shards_held", "Shards of the outbox that this relay ships.", registry=REGISTRY)
_SHIPPED = Counter("arrears_relay_events", "Events that the broker has acknowledged.", ("topic",), registry=REGISTRY)
_TROUBLES = Counter(
    "arrears_relay_troubles", "Batches and keys that could not be shipped, by error.", ("error",), registry=REGISTRY
)


class Row(Protocol):
    @property
    def seq(self) -> int: ...
    @property
    def id(self) -> UUID: ...
    @property
    def topic(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def data(self) -> bytes: ...
    @property
    def at(self) -> datetime: ...


class ShardedOutbox(Protocol):
    """What the relay needs of the database (``shared/adapters/postgres/outbox.py``)."""

    async def renew(self, leaving: Sequence[int] = ()) -> dict[int, int]: ...

    async def share(self) -> int: ...

    async def leave(self) -> None: ...

    async def waiting(self, shards: Sequence[int], *, without: Sequence[str]) -> list[int]: ...

    async def unsent(self, shard: int, fence: int, *, without: Sequence[str], limit: int) -> Sequence[Row]: ...

    async def mark_sent(self, seqs: Sequence[int], epoch: UUID) -> int: ...

    async def note_error(self, shard: int, error: str | None) -> None: ...


class EpochInForce(Protocol):
    @property
    def current(self) -> UUID: ...

    async def refresh(self) -> None: ...


class Pause:
    """A back-off that doubles while trouble goes on."""

    def __init__(self) -> None:
        self._until = 0.0
        self._next = FIRST_PAUSE

    @property
    def over(self) -> bool:
        return monotonic() >= self._until

    def again(self) -> None:
        self._until = monotonic() + self._next
        self._next = min(self._next * 2, LONGEST_PAUSE)


class KafkaRelay:
    """``epoch`` is the current one as this process knows it; ``wake`` is set by whoever leaves news in the outbox
    here, and a poll finds what other processes left."""

    def __init__(
        self,
        outbox: ShardedOutbox,
        publisher: Publisher,
        epoch: EpochInForce,
        *,
        partitions: int,
        wake: asyncio.Event,
        poll: float = 0.05,
        beat: float = 1.0,
        batch: int = BATCH,
    ) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._epoch = epoch
        self._partitions = partitions
        self._wake = wake
        self._poll = poll
        self._beat = beat
        self._batch = batch
        self._news_at = 0.0  # when something was last found
        self._held: Mapping[int, int] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}
        self._pauses: dict[int, Pause] = {}
        self._stopped: dict[int, dict[str, Pause]] = {}  # keys that can not be shipped, by shard

    async def run(self, stop: asyncio.Event) -> None:
        keeper = asyncio.create_task(self._keep_leases(stop))
        try:
            while not stop.is_set():
                if keeper.done():
                    keeper.result()
                self._wake.clear()
                await self._dispatch()
                with contextlib.suppress(TimeoutError):
                    lately = monotonic() - self._news_at < QUICK_FOR
                    await asyncio.wait_for(self._wake.wait(), min(self._poll, QUICK_POLL) if lately else self._poll)
        finally:
            keeper.cancel()
            self._held = {}  # what is under way is finished, and nothing more is begun
            await asyncio.gather(keeper, *self._busy.values(), return_exceptions=True)
            with contextlib.suppress(Exception):
                await self._outbox.leave()
            _HELD.set(0)

    async def _keep_leases(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            surplus = len(self._held) - await self._outbox.share()
            idle = [shard for shard in self._held if shard not in self._busy]
            self._held = await self._outbox.renew(idle[: max(surplus, 0)])
            _HELD.set(len(self._held))
            await asyncio.sleep(self._beat)

    async def _dispatch(self) -> None:
        free = [shard for shard in self._held if shard not in self._busy and self._open(shard)]
        if not free:
            return
        resting = [key for shard in free for key in self._resting_keys(shard)]
        found = await self._outbox.waiting(free, without=resting)
        if found:
            self._news_at = monotonic()
        for shard in found:
            task = asyncio.create_task(self._work_off(shard))
            self._busy[shard] = task
            task.add_done_callback(lambda done, shard=shard: self._ended(shard, done))  # type: ignore[misc]

    def _open(self, shard: int) -> bool:
        pause = self._pauses.get(shard)
        return pause is None or pause.over

    def _ended(self, shard: int, task: asyncio.Task[None]) -> None:
        self._busy.pop(shard, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._pauses.setdefault(shard, Pause()).again()
            _TROUBLES.labels(type(error).__name__).inc()
            log.error("relay.shard_failed", shard=shard, exc_info=error)

    async def _work_off(self, shard: int) -> None:
        """Batch after batch until the shard is empty, lost, or in trouble."""
        while (fence := self._held.get(shard)) is not None:
            epoch = self._epoch.current
            rows = await self._outbox.unsent(shard, fence, without=self._resting_keys(shard), limit=self._batch)
            if not rows:
                return
            shipped = await self._publisher.publish([_parcel(row) for row in rows], shard % self._partitions, epoch)
            _count(rows, shipped)
            if shipped.sent and await self._outbox.mark_sent(shipped.sent, epoch) < len(shipped.sent):
                await self._epoch.refresh()
            if not await self._went_well(shard, {row.key for row in rows}, shipped):
                return

    async def _went_well(self, shard: int, keys: set[str], shipped: Shipped) -> bool:
        """``keys``: whose rows were tried."""
        stopped = self._stopped.setdefault(shard, {})
        for key, why in shipped.refused.items():
            stopped.setdefault(key, Pause()).again()
            log.error("relay.key_stopped", shard=shard, error=why)
            await self._outbox.note_error(shard, why)
        if shipped.error is not None:
            self._pauses.setdefault(shard, Pause()).again()
            log.warning("relay.not_shipped", shard=shard, error=shipped.error)
            await self._outbox.note_error(shard, shipped.error)
            return False
        over = [key for key in stopped if key in keys and key not in shipped.refused]
        for key in over:
            del stopped[key]
        if (self._pauses.pop(shard, None) is not None or over) and not stopped:
            await self._outbox.note_error(shard, None)
        return True

    def _resting_keys(self, shard: int) -> list[str]:
        return [key for key, pause in self._stopped.get(shard, {}).items() if not pause.over]


def _count(rows: Sequence[Row], shipped: Shipped) -> None:
    topics = {row.seq: row.topic for row in rows}
    for seq in shipped.sent:
        _SHIPPED.labels(topics[seq]).inc()
    if shipped.refused:
        _TROUBLES.labels("refused").inc(len(shipped.refused))
    if shipped.error is not None:
        _TROUBLES.labels(shipped.error).inc()


def _parcel(row: Row) -> Parcel:
    return Parcel(
        seq=row.seq,
        topic=row.topic,
        key=row.key,
        event=Envelope(
            id=str(row.id),
            source=SOURCE,
            type=row.type,
            data=row.data,
            subject=row.key,
            time=row.at,
            partitionkey=row.key,
        ),
    )
