"""What became of inbound events."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from shared.domain.inbound import Answer


class ProblemOut(BaseModel):
    """One thing that is wrong: ``field`` is a JSON pointer into the event."""

    field: str = Field(examples=["/data/currency"])
    reason: str = Field(examples=["is not an ISO 4217 currency code"])


class EventAnswer(BaseModel):
    """The answer to one event. All but ``parked`` are final; ``reason`` explains every answer but ``accepted``."""

    index: int = Field(description="Position in the batch; 0 for a single event")
    id: str | None = Field(description="As far as it could be read")
    source: str | None
    answer: Answer
    reason: str | None
    problems: list[ProblemOut]


class BatchAnswer(BaseModel):
    """One answer for each event, in the order of the batch."""

    items: list[EventAnswer]


class RecordedAnswer(BaseModel):
    """What is on record about an event. ``answer`` is what its sender was first told, or ``parked``."""

    source: str
    id: str
    answer: Answer
    reason: str | None
    customer_id: str | None
    received_at: datetime
