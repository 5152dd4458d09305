"""A provider of messages whose moods the dice decide."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random
from typing import Any

from shared.adapters.clock import BusinessClock
from shared.application.gateway import (
    ErrorClass,
    GatewayFacts,
    Outcome,
    OutcomeKind,
    Receipt,
    ReceiptStatus,
    Submission,
)


class Phone:
    """A provider whose moods the dice decide. What it took is in ``got``: (reference, message, to, body, at)."""

    def __init__(self, channel: str, dice: Random, clock: BusinessClock) -> None:
        self.facts = GatewayFacts(f"fake-{channel}", channel, False, timedelta(days=3), timedelta(0), 50, 1)
        self.got: list[tuple[str, str, str, str, datetime]] = []
        self.mood = "kind"
        self._dice = dice
        self._clock = clock

    async def submit(self, batch: list[Submission], still_allowed: Any) -> list[Outcome]:
        return [self._one(each, still_allowed) for each in batch]

    def _one(self, one: Submission, still_allowed: Any) -> Outcome:
        if not still_allowed():
            return Outcome(OutcomeKind.NOT_SENT, code="too late")
        mood = self._dice.choice(("kind", self.mood))
        if mood == "busy":
            return Outcome(OutcomeKind.NOT_SENT, ErrorClass.THROTTLED, code="slow down")
        if mood == "deaf":
            return Outcome(OutcomeKind.IN_DOUBT)
        if mood == "dead":
            return Outcome(OutcomeKind.REJECTED, ErrorClass.ADDRESS, code="no such number")
        self.got.append((one.reference, one.message_group, one.to, one.body, self._clock.now()))
        if mood == "mute":
            return Outcome(OutcomeKind.IN_DOUBT)
        return Outcome(OutcomeKind.ACCEPTED, provider_id=one.reference[:8])

    async def query(self, references: list[str]) -> dict[str, Receipt | None]:
        if self.mood == "deaf":
            return {}
        known = {reference for reference, *_ in self.got}
        return {
            each: Receipt(each, ReceiptStatus.ACCEPTED, self._clock.now()) if each in known else None
            for each in references
        }

    async def aclose(self) -> None: ...
