"""The transport of the embedded suite: outbox rows go, in order, through the codec into each consumer's pipeline.

The same bytes and the same pipeline as with Kafka; a row is marked sent when every consumer has applied or parked it,
so a crash between makes a second delivery, which the inbox drops.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from shared.adapters.codec import Envelope, decode_structured, encode_structured
from shared.adapters.own_events import seen_as
from shared.application.pipeline import SOURCE, Consumer, consume
from shared.application.ports import UnitOfWork

log = structlog.get_logger(__name__)


class InProcessRelay:
    """Delivers to ``consumers``. ``wake`` is set by whoever leaves news in the outbox; a slow poll stands behind it.

    ``delivered`` is called after each batch, for whoever waits for what consumers write."""

    def __init__(
        self,
        pool: Any,
        work: UnitOfWork,
        consumers: Sequence[Consumer],
        *,
        wake: asyncio.Event,
        batch: int = 1000,
        poll: float = 0.5,
        delivered: Callable[[], None] = lambda: None,
    ) -> None:
        self._pool = pool
        self._work = work
        self._consumers = consumers
        self._batch = batch
        self._poll = poll
        self._delivered = delivered
        self.wake = wake
        self.held = False

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.wake.clear()
            if self.held or not await self.deliver():
                await _first(self.wake, stop, within=self._poll)

    async def deliver(self) -> int:
        """One batch, oldest first; the number of rows that were delivered."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(
                "select seq, id, aggregatetype, aggregateid, type, payload::text, at from outbox"
                " where sent_at is null order by seq limit $1",
                self._batch,
            )
        if not rows:
            return 0
        bodies = [(row["aggregatetype"], _travelled(row)) for row in rows]
        events = [seen_as(topic, decode_structured(body), body) for topic, body in bodies]
        await asyncio.gather(*(consume(self._work, consumer, events) for consumer in self._consumers))
        async with self._pool.acquire() as conn:
            await conn.execute(
                "update outbox set sent_at = clock_timestamp() where seq = any($1::bigint[])",
                [row["seq"] for row in rows],
            )
        self._delivered()
        return len(rows)


def _travelled(row: Any) -> bytes:
    """The bytes that would lie in the topic."""
    return encode_structured(
        Envelope(
            id=str(row["id"]),
            source=SOURCE,
            type=row["type"],
            data=row["payload"].encode(),
            subject=row["aggregateid"],
            time=row["at"],
            partitionkey=row["aggregateid"],
        )
    )


async def _first(*events: asyncio.Event, within: float) -> None:
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
