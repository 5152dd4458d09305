"""The sender's loop: mark a batch, hand it over gateway by gateway, record what came of it; and keep watch over doubts.

Several batches are under way at a time, each marked, handed over and written down by itself, so that database, gateway
and we are not idle by turns. What is marked is handed over at once, never queued: a gateway gets no more marks than it
has room for. A route that says it is throttled or broken is closed for a while (real time); its messages stay planned
and the other route goes on.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import structlog
from prometheus_client import Counter, Gauge

from shared.application.doubts import ask_providers, expire_leases
from shared.application.gateway import ErrorClass, Gateway, Outcome, OutcomeKind
from shared.application.sending import Marked, Sender
from shared.runtime.metrics import REGISTRY

BATCH = 400  # customers a marking transaction
UNDER_WAY = 3  # batches at once: while the database works for two of them, we think about the third
log = structlog.get_logger(__name__)
_FIRST_PAUSE = {ErrorClass.THROTTLED: 1.0, ErrorClass.TRANSIENT: 1.0, ErrorClass.ROUTE: 15.0}
_LONGEST_PAUSE = 120.0
_ATTEMPTS = Counter(
    "arrears_sender_attempts", "Attempts handed over, by what came of them.", ("channel", "outcome"), registry=REGISTRY
)
_PAUSED = Gauge("arrears_sender_route_paused", "1 while a route is closed to us.", ("channel",), registry=REGISTRY)
_TROUBLED = Gauge(
    "arrears_sender_route_troubled_seconds",
    "How long a route has been in trouble without one success; 0 when it is well.",
    ("channel",),
    registry=REGISTRY,
)


class Route:
    """Whether a gateway is open to us. Each trouble in a row doubles the pause; one success ends it."""

    def __init__(self) -> None:
        self._closed_until = 0.0
        self._troubles = 0
        self._troubled_since: float | None = None
        self.last_error: str | None = None

    @property
    def closed(self) -> bool:
        return monotonic() < self._closed_until

    @property
    def troubled_seconds(self) -> float:
        """How long it has been in trouble without one success: a pause that is over is not a success."""
        return 0.0 if self._troubled_since is None else monotonic() - self._troubled_since

    def show(self, channel: str) -> None:
        """In ``/metrics``, as this channel's."""
        _PAUSED.labels(channel).set_function(lambda: float(self.closed))
        _TROUBLED.labels(channel).set_function(lambda: self.troubled_seconds)

    @property
    def in_trouble(self) -> bool:
        """Nothing has come through since the last trouble."""
        return self._troubles > 0

    def note_all(self, outcomes: Sequence[Outcome]) -> None:
        """What one round says of the route: it is in trouble when it takes nothing, or asks us to wait."""
        taken = any(outcome.kind is OutcomeKind.ACCEPTED for outcome in outcomes)
        if taken:
            self._troubles = 0
            self._troubled_since = None
        for outcome in outcomes:
            if not taken or outcome.retry_after is not None:
                self._note_trouble(outcome)

    def _note_trouble(self, outcome: Outcome) -> None:
        pause = _FIRST_PAUSE.get(outcome.error) if outcome.error is not None else None
        if pause is not None and not self.closed:
            wait = float(outcome.retry_after) if outcome.retry_after else pause * 2**self._troubles
            now = monotonic()
            self._closed_until = now + min(wait, _LONGEST_PAUSE)
            self._troubled_since = now if self._troubled_since is None else self._troubled_since
            self._troubles = min(self._troubles + 1, 8)
            self.last_error = f"{outcome.error}: {outcome.code}"
            log.warning("sender.route_paused", error=self.last_error, seconds=wait)


class SenderLoop:
    def __init__(
        self, sender: Sender, gateways: Mapping[str, Gateway], *, poll: float = 1.0, batch: int = BATCH
    ) -> None:
        self._sender = sender
        self._gateways = gateways
        self._poll = poll
        self._batch = batch
        self.routes = {channel: Route() for channel in gateways}
        for channel, route in self.routes.items():
            route.show(channel)
        self._gates = {channel: asyncio.Semaphore(each.facts.concurrency) for channel, each in gateways.items()}
        self._marking = 0  # batches that are being marked now
        self._on_the_way: Tally[str] = Tally()  # by channel: marked and not answered yet
        self._in_hand: Tally[str] = Tally()  # by channel: marked and not written down yet
        self.wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.wake.clear()
            if not await self.send_all(stop):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), self._poll)

    async def send_once(self) -> int:
        """Mark and send one batch; the number of attempts."""
        marked, began = await self._mark()
        await self._send(marked, began)
        return len(marked)

    async def send_all(self, stop: asyncio.Event | None = None) -> int:
        """Mark and send batches until nothing is due, or until told to stop; the number of attempts."""
        count, dry = 0, False
        under_way: set[asyncio.Task[int]] = set()
        try:
            while True:
                going_on = not dry and (stop is None or not stop.is_set())
                while going_on and len(under_way) < self._most_under_way():
                    under_way.add(asyncio.create_task(self.send_once()))
                if not under_way:
                    return count
                ended, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                sent = sum(task.result() for task in ended)
                count, dry = count + sent, sent == 0
        except Exception:
            # What is at a gateway already must still be written down, or it would be a doubt.
            await asyncio.gather(*under_way, return_exceptions=True)
            raise
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    def _most_under_way(self) -> int:
        """One by one where a route is in trouble: it may have to be closed before more is marked for it."""
        return 1 if any(route.in_trouble for route in self.routes.values()) else UNDER_WAY

    async def _mark(self) -> tuple[list[Marked], float]:
        closed = [channel for channel, route in self.routes.items() if route.closed or self._is_full(channel)]
        if len(closed) == len(self.routes):
            return [], 0.0
        self._marking += 1
        try:
            marked, began = await self._sender.mark(self._batch, closed, self._in_hand)
        finally:
            self._marking -= 1
        for tally in (self._on_the_way, self._in_hand):
            tally.update(one.channel for one in marked)
        return marked, began

    def _is_full(self, channel: str) -> bool:
        """Would what is marked next have to wait for what the gateway has already, or is about to get?"""
        ahead = self._on_the_way[channel] + self._marking * self._batch
        return ahead > 0 and ahead + self._batch > self._gateways[channel].facts.at_once

    async def _send(self, marked: Sequence[Marked], began: float) -> None:
        by_channel: dict[str, list[Marked]] = {}
        for one in marked:
            by_channel.setdefault(one.channel, []).append(one)
        try:
            await asyncio.gather(*(self._send_channel(channel, ones, began) for channel, ones in by_channel.items()))
        finally:
            self._in_hand.subtract(one.channel for one in marked)

    async def _send_channel(self, channel: str, marked: Sequence[Marked], began: float) -> None:
        size = self._gateways[channel].facts.batch_size
        batches = [marked[at : at + size] for at in range(0, len(marked), size)]

        async def one(batch: Sequence[Marked]) -> list[tuple[Marked, Outcome]]:
            async with self._gates[channel]:
                return await self._sender.hand_over(batch, began)

        try:
            answered = await asyncio.gather(*map(one, batches))
        finally:
            self._on_the_way[channel] -= len(marked)
        results = [result for batch in answered for result in batch]
        for kind, number in Tally(outcome.kind for _, outcome in results).items():
            _ATTEMPTS.labels(channel, kind.value).inc(number)
        self.routes[channel].note_all([outcome for _, outcome in results])
        await self._sender.record(results)


async def watch_doubts(work: Any, gateways: Mapping[str, Gateway], stop: asyncio.Event, *, every: float = 1.0) -> None:
    """Turn run-out leases into doubts, and ask the providers that can be asked."""
    while not stop.is_set():
        await expire_leases(work)
        await ask_providers(work, gateways)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
