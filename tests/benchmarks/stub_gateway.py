"""A gateway that answers at once: what is measured is our side of the road."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from shared.application.gateway import Callback, GatewayFacts, Outcome, OutcomeKind, Receipt, Submission


class StubGateway:
    """Takes everything. ``taken`` hears of each address."""

    def __init__(self, channel: str, taken: Callable[[str], None] = lambda _to: None) -> None:
        self.taken = taken
        self.count = 0
        self._facts = GatewayFacts(
            name={"sms": "http_sms", "email": "smtp"}[channel],
            channel=channel,
            idempotent=True,
            query_for=timedelta(days=1),
            query_delay=timedelta(0),
            batch_size=100,
            concurrency=8,
        )

    @property
    def facts(self) -> GatewayFacts:
        return self._facts

    async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
        if not still_allowed():
            return [Outcome(OutcomeKind.NOT_SENT)] * len(batch)
        for one in batch:
            self.taken(one.to)
        self.count += len(batch)
        return [Outcome(OutcomeKind.ACCEPTED, provider_id=one.reference) for one in batch]

    async def query(self, references: Sequence[str]) -> dict[str, Receipt | None]:
        return {}

    def callback(self, body: bytes, headers: Mapping[str, str]) -> Callback:
        return Callback([], [])

    async def aclose(self) -> None:
        return None
