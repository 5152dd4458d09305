"""Messages as the API shows them: everything but what they say."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Reason

MessageState = Literal["planned", "deferred", "suppressed", "submitting", "done", "in_doubt", "failed"]
AttemptState = Literal["sending", "accepted", "rejected", "in_doubt", "delivered", "undelivered", "released"]


class Message(BaseModel):
    """One thing to tell a customer, however many attempts it takes. ``in_doubt``: nobody knows whether it was sent."""

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


class UnmaskText(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "customer disputes what was said"}]})

    reason: Reason


class SaidText(BaseModel):
    attempt_id: UUID
    channel: str
    subject: str | None
    body: str | None = Field(description="null when it was erased")


class UnmaskedMessage(BaseModel):
    message_id: UUID
    attempts: list[SaidText]


class Resolution(Body):
    """What became of a message in doubt, as somebody found out. ``not_sent`` lets it be sent again."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"outcome": "sent", "reason": "seen in the provider's own log"}]},
    )

    outcome: Literal["sent", "not_sent"]
    reason: Reason
