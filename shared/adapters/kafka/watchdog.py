"""Ends a process whose consumer is alive but does not get on: states that the library does not leave by itself."""

from __future__ import annotations

import asyncio
import contextlib
from time import monotonic

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from shared.adapters.kafka.consumer import ConsumerLoop

LONGEST_BATCH = 120.0  # seconds


class StuckError(RuntimeError):
    """The consumer does not get on, and nothing but a new process will help; the message says what was seen."""


class Watchdog:
    """``patience`` in seconds, for each of the states. A broker that is away is nobody's fault here."""

    def __init__(self, loop: ConsumerLoop, *, patience: float = 90.0, every: float = 10.0) -> None:
        self._loop = loop
        self._patience = patience
        self._every = every
        self._unassigned_since: float | None = None
        self._seen: dict[TopicPartition, tuple[int, float]] = {}  # position, and when it was first seen there

    async def run(self, stop: asyncio.Event) -> None:
        """Raises StuckError."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)
                return
            await self.look(monotonic())

    async def look(self, now: float) -> None:
        """Once. Raises StuckError."""
        if self._loop.assigned_at is not None:
            self._unassigned_since = None
            if now - self._loop.polled_at > max(self._patience, LONGEST_BATCH):
                raise StuckError("nothing was read for too long")
            await self._look_at_positions(now)
            return
        self._seen = {}
        if not await self._broker_answers():
            self._unassigned_since = None
        elif self._unassigned_since is None:
            self._unassigned_since = now
        elif now - self._unassigned_since > self._patience:
            raise StuckError("the group gave us no assignment")

    async def _broker_answers(self) -> bool:
        """A client that starts asks it for the cluster."""
        try:
            async with asyncio.timeout(self._every), self._loop.clients.admin():
                pass
        except (KafkaError, OSError, TimeoutError):
            return False
        return True

    async def _look_at_positions(self, now: float) -> None:
        kafka, partitions = self._loop.kafka, self._loop.partitions
        try:
            async with asyncio.timeout(self._every):
                ends = await kafka.end_offsets(partitions) if partitions else {}
                places = {partition: await kafka.position(partition) for partition in partitions}
        except (KafkaError, TimeoutError, IllegalStateError, AssertionError):
            # The broker is away, or a rebalance came between: nothing is known, so nothing is concluded. Patience
            # begins anew, or a consumer would be held to have stood all the while that it could not read.
            self._seen = {}
            return
        seen, self._seen = self._seen, {}
        for partition, place in places.items():
            place_before, since = seen.get(partition, (None, now))
            if place_before != place or place >= ends[partition]:
                since = now
            elif now - since > self._patience:
                raise StuckError(f"the position in {partition.topic}/{partition.partition} stands, and more is there")
            self._seen[partition] = (place, since)

    def ready(self) -> bool:
        return self._loop.assigned_at is not None
