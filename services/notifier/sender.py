"""The sender's loop: mark a batch, hand it over gateway by gateway, record what came of it; and keep watch over doubts.

A route that says it is throttled or broken is closed for a while (real time); its messages stay planned and the other
route goes on.
"""

from __future__ import annotations

import asyncio
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
        self.wake = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.wake.clear()
            if not await self.send_once():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), self._poll)

    async def send_once(self) -> int:
        """Mark and send one batch; the number of attempts."""
        closed = [channel for channel, route in self.routes.items() if route.closed]
        if len(closed) == len(self.routes):
            return 0
        marked, began = await self._sender.mark(self._batch, closed)
        if not marked:
            return 0
        by_channel: dict[str, list[Marked]] = {}
        for one in marked:
            by_channel.setdefault(one.channel, []).append(one)
        await asyncio.gather(*(self._send_channel(channel, ones, began) for channel, ones in by_channel.items()))
        return len(marked)

    async def _send_channel(self, channel: str, marked: Sequence[Marked], began: float) -> None:
        facts = self._gateways[channel].facts
        gate = asyncio.Semaphore(facts.concurrency)
        batches = [marked[at : at + facts.batch_size] for at in range(0, len(marked), facts.batch_size)]

        async def one(batch: Sequence[Marked]) -> list[tuple[Marked, Outcome]]:
            async with gate:
                return await self._sender.hand_over(batch, began)

        answered = await asyncio.gather(*map(one, batches))
        results = [result for batch in answered for result in batch]
        for _, outcome in results:
            _ATTEMPTS.labels(channel, outcome.kind.value).inc()
        self.routes[channel].note_all([outcome for _, outcome in results])
        await self._sender.record(results)


async def watch_doubts(work: Any, gateways: Mapping[str, Gateway], stop: asyncio.Event, *, every: float = 1.0) -> None:
    """Turn run-out leases into doubts, and ask the providers that can be asked."""
    while not stop.is_set():
        await expire_leases(work)
        await ask_providers(work, gateways)
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
