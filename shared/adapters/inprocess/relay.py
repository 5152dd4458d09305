"""The transport of the embedded suite: outbox rows go, in order, through the codec into each consumer's pipeline.

The same bytes and the same pipeline as with Kafka; a row is marked sent when every consumer has applied or parked it,
so a crash between makes a second delivery, which the inbox drops. A customer with a row that is no event we can read is
stopped there, and no other is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Any, NamedTuple

import structlog

from shared.adapters.codec import Envelope, decode_structured, encode_structured
from shared.adapters.own_events import seen_as
from shared.application.pipeline import SOURCE, Consumer, OurEvent, consume
from shared.application.ports import UnitOfWork

IN_HALVES_FROM = 200  # events; of fewer, a second transaction costs more than it saves
STOPPED_FOR = 10.0  # seconds; then a row that could not be read is tried again, as another version may be running
ROUND = 16  # batches; then whoever turns the wheel may look whether it is time to stop
log = structlog.get_logger(__name__)


class _Batch(NamedTuple):
    seqs: list[int]
    events: list[OurEvent]
    last: int  # the place in the outbox up to which it was read


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
        self._stopped: dict[str, float] = {}  # customers with a row that can not be read, and until when (monotonic)

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.wake.clear()
            if self.held or not await self.deliver():
                await _first(self.wake, stop, within=self._poll)

    async def deliver(self) -> int:
        """Oldest first, until nothing is left or ``ROUND`` batches are delivered; the number of rows that were.

        While one batch is applied the next is read, and the one before is marked sent. What commits late, before the
        last row that was read, comes in the next round: a customer's rows commit in their order."""
        # Only here, where the oldest row is read first: in the middle, what lies behind the bad row would pass it.
        self._stopped = {who: until for who, until in self._stopped.items() if monotonic() < until}
        count, before, reading = 0, 0, asyncio.create_task(self._read(after=0))
        applied: list[int] = []
        try:
            for _ in range(ROUND):
                batch = await reading
                if batch.last == before:
                    break
                before = batch.last
                reading = asyncio.create_task(self._read(after=before))
                await asyncio.gather(self._apply(batch.events), self._mark_sent(applied))
                applied = batch.seqs
                self._delivered()
                count += len(batch.seqs)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._mark_sent(applied)
        return count

    async def _apply(self, events: Sequence[OurEvent]) -> None:
        """A large batch in two halves side by side, each customer's events in one of them."""
        halves: tuple[list[OurEvent], list[OurEvent]] = ([], [])
        for event in events:
            halves[hash(event.customer_id) & 1 if len(events) >= IN_HALVES_FROM else 0].append(event)
        await asyncio.gather(
            *(consume(self._work, consumer, half) for consumer in self._consumers for half in halves if half)
        )

    async def _read(self, after: int) -> _Batch:
        rows = await self._pool.fetch(
            "select seq, id, aggregatetype, aggregateid, type, payload::text, at from outbox"
            " where sent_at is null and seq > $2 and not (aggregateid = any($3::text[])) order by seq limit $1",
            self._batch,
            after,
            list(self._stopped),
        )
        read = list(self._readable(rows))
        return _Batch([seq for seq, _ in read], [event for _, event in read], rows[-1]["seq"] if rows else after)

    def _readable(self, rows: Sequence[Any]) -> Iterator[tuple[int, OurEvent]]:
        """What can be read; of a customer nothing that lies behind what can not."""
        for row in rows:
            if row["aggregateid"] in self._stopped:
                continue
            body = _travelled(row)
            try:
                event = seen_as(row["aggregatetype"], decode_structured(body), body)
            except ValueError:
                self._stopped[row["aggregateid"]] = monotonic() + STOPPED_FOR
                log.exception("relay.key_stopped", seq=row["seq"], type=row["type"])
            else:
                yield row["seq"], event

    async def _mark_sent(self, seqs: Sequence[int]) -> None:
        if not seqs:
            return
        await self._pool.execute("update outbox set sent_at = clock_timestamp() where seq = any($1::bigint[])", seqs)


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
