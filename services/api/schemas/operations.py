"""What operations and auditors are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Reason


class QueueOut(BaseModel):
    """``unknown`` is not zero: the measurement failed, and ``last_error`` names the failure."""

    name: str
    state: Literal["measured", "unknown"]
    depth: int | None
    oldest_seconds: int | None = Field(description="How long the oldest has waited; null when nothing does")
    per_minute: int | None = Field(description="What left it in the last minute; null where that is not measured")
    last_error: str | None


class PartitionOut(BaseModel):
    """How far a consumer is behind in one partition of a topic. ``unknown`` is not zero: the measurement failed."""

    consumer: str
    topic: str
    partition: int
    state: Literal["measured", "unknown"]
    depth: int | None = Field(description="Events that the broker keeps")
    lag: int | None = Field(description="Of those, not processed yet")
    oldest_seconds: int | None = Field(description="How long the oldest unprocessed one has waited, in real time")
    per_minute: int | None = Field(description="Processed; null until it was measured twice")
    last_error: str | None = Field(description="What last stopped this consumer here")
    last_error_at: datetime | None


class TransportOut(BaseModel):
    """Events between the services. ``in_process``: no broker lies between; then there are no partitions."""

    kind: Literal["in_process", "kafka"]
    state: Literal["measured", "unknown"]
    measured_at: datetime | None
    last_error: str | None
    partitions: list[PartitionOut]


class QueuesOut(BaseModel):
    queues: list[QueueOut]
    transport: TransportOut


class WorkerOut(BaseModel):
    """A process of the suite. ``dead``: known to have died, so that what it held is settled by asking."""

    instance: str
    service: str
    started_at: datetime
    beat_at: datetime
    ended_at: datetime | None
    dead: bool
    silent_seconds: int


class GatewayOut(BaseModel):
    """What is declared of a provider, by which the sender decides, and what is under way there."""

    name: str
    channel: str
    idempotent: bool = Field(description="Refuses a second submission under the same reference")
    query_for_seconds: int | None = Field(description="How long it can be asked by our reference; null: not at all")
    query_delay_seconds: int
    batch_size: int
    concurrency: int
    sending: int | None = Field(description="null: not known")
    in_doubt: int | None = Field(description="null: not known")


class GatewaysOut(BaseModel):
    gateways: list[GatewayOut]


LetterState = Literal["parked", "dead", "replayed", "discarded"]


class DeadLetterOut(BaseModel):
    """An event that a consumer gave up, without its content. It blocks its customer for that consumer."""

    entry: int
    consumer: str
    customer_id: str
    source: str
    event_id: str
    type: str
    state: LetterState
    tries: int
    not_before: datetime
    error: str = Field(description="Why it failed; of one that waits for another, why that one did")
    waits_for: int | None = Field(description="The entry in front of it, if there is one")
    parked_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    behind: int = Field(description="Later events of the customer that wait behind it")


class LetterDecision(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the missing policy version is loaded now"}]})

    reason: Reason


class LetterDecided(BaseModel):
    entry: int
    state: LetterState
    audit_entry: int


class AuditOut(BaseModel):
    """An entry of the chain: ``hash`` is SHA-256 over ``previous`` and the entry."""

    entry: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, object]
    previous: str
    hash: str


class AuditHead(BaseModel):
    """Note it elsewhere: with it, ``arrears audit verify`` also notices that the end of the chain was cut off."""

    entry: int
    hash: str
