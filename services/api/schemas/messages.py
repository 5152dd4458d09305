"""Messages as the API shows them: everything but what they say."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Reason

MessageState = Literal["planned", "deferred", "suppressed", "submitting", "done", "in_doubt", "failed"]
AttemptState = Literal["sending", "accepted", "rejected", "in_doubt", "delivered", "undelivered", "released"]


class Message(BaseModel):
    """One thing to tell a customer, however many attempts it takes. ``in_doubt``: nobody knows whether it was sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "message_id": "a1e1b8c0-0f7e-8d67-b3b0-97f7ad0c2a11",
                    "customer_id": "C-1001",
                    "case_id": "6f3e0c0e-8f4a-8c3b-9a51-0d4f5b1f9b11",
                    "follow_up_id": "0f0c8f1e-51a1-8f3e-a0cd-9d3c4b1c9f10",
                    "about": "reminder",
                    "step": "m1-sms-3",
                    "anchor": "2026-11-01",
                    "policy_version": 1,
                    "purpose": "dunning",
                    "template": "overdue-first",
                    "channels": ["sms", "email"],
                    "channel": "sms",
                    "state": "done",
                    "not_before": "2026-11-04T02:00:00+00:00",
                    "reason": None,
                    "tries": 1,
                    "created_at": "2026-11-04T02:00:00+00:00",
                    "updated_at": "2026-11-04T02:00:02+00:00",
                    "row_version": 3,
                }
            ]
        }
    )

    message_id: UUID
    customer_id: str
    case_id: UUID | None
    follow_up_id: UUID | None
    about: str
    step: str
    anchor: date | None
    policy_version: int
    purpose: str
    template: str
    channels: list[str] = Field(description="Still open to it, in order of preference")
    channel: str | None = Field(description="By which it went, or is going")
    state: MessageState
    not_before: datetime
    reason: str | None
    tries: int
    created_at: datetime
    updated_at: datetime
    row_version: int


class Attempt(BaseModel):
    """One try at one provider. ``text_sha256`` proves what was said after the text itself is erased."""

    attempt_id: UUID
    channel: str
    gateway: str
    point_id: UUID
    state: AttemptState
    marked_at: datetime
    outcome_at: datetime | None
    asked_at: datetime | None
    provider_id: str | None
    code: str | None
    error: str | None
    template_version: int
    text_sha256: str


class MessageOut(Message):
    decision: dict[str, object] | None = Field(
        description="The newest decision of the contact rules: outcome, rule set, what fired, the facts they saw"
    )
    attempts: list[Attempt]


class UnmaskText(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"reason": "customer disputes what was said"}]}, extra="forbid"
    )

    reason: Reason


class SaidText(BaseModel):
    attempt_id: UUID
    channel: str
    subject: str | None
    body: str | None = Field(description="null when it was erased")


class UnmaskedMessage(BaseModel):
    message_id: UUID
    attempts: list[SaidText]


class Resolution(BaseModel):
    """What became of a message in doubt, as somebody found out. ``not_sent`` lets it be sent again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"outcome": "sent", "reason": "seen in the provider's own log"}]},
        extra="forbid",
    )

    outcome: Literal["sent", "not_sent"]
    reason: Reason
