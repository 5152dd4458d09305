"""Permits to contact and contacts that were made, as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.fields import Body, Instant, Text
from services.api.schemas.cases import FiredRule, SmallestChange
from services.api.schemas.codes import ReasonCode

ChannelName = Literal["sms", "email", "phone", "voice_bot", "letter", "visit", "legal"]
PurposeName = Literal["dunning", "due_reminder", "statutory_notice", "answer", "service", "locate"]
TargetName = Literal["debtor", "guarantor", "contact_person", "related_person", "estate", "representative", "other"]
PartyName = Literal["bank", "agency", "debt_buyer"]
PermitState = Literal["refused", "granted", "used", "lapsed", "released"]
OutcomeName = Literal[
    "right_party",
    "other_person",
    "voicemail",
    "machine",
    "no_answer",
    "rejected",
    "busy",
    "switched_off",
    "invalid_number",
    "sent",
    "returned",
    "unknown",
]
Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Organisation = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Reference = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$")]


class PartyIn(Body):
    """In whose name the contact is made."""

    kind: PartyName = "bank"
    name: Organisation | None = Field(default=None, description="Which agency or buyer, by a short code")


class ContentIn(Body):
    """What is said: the parts that are in it, whether it tells of the debt, and what a review found wrong."""

    parts: list[Code] | None = Field(default=None, max_length=50)
    says_debt: bool | None = None
    findings: list[Code] = Field(default=[], max_length=50)


class MannerIn(Body):
    """How it is to be done; what is left out is not known, and refuses where a rule needs it."""

    automated: bool | None = None
    account_registered: bool | None = Field(default=None, description="The calling number is on the bank's register")
    staff: int | None = Field(default=None, ge=0, le=100)
    recorded: bool | None = None
    entry: bool | None = None
    public_posting: bool | None = None
    announced: bool | None = None
    legal_step: Code | None = None


class MandateIn(Body):
    """Of an agency or buyer: listed by the bank, told to the customer, licensed, the assignment notified."""

    listed: bool | None = None
    announced: bool | None = None
    licensed: bool | None = None
    assignment_notified: bool | None = None


class ContactIn(Body):
    contact_point_id: UUID | None = Field(default=None, description="As ``GET /v1/customers/{customer_id}`` shows it")
    purpose: PurposeName = "dunning"
    target: TargetName = "debtor"
    person_id: UUID | None = Field(default=None, description="Which third party, where it is not the debtor")
    account_ids: list[Text] = Field(default=[], max_length=50, description="Empty: about any of the debts")
    announcement: bool = Field(default=False, description="Plays a notice instead of talking")
    party: PartyIn = PartyIn()


class PermitIn(ContactIn):
    """May this person be contacted by this channel, now?"""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "channel": "phone",
                    "contact_point_id": "4be0643f-1d98-473b-97cd-ca98a65347dd",
                    "purpose": "dunning",
                    "party": {"kind": "agency", "name": "agency-7"},
                    "manner": {"account_registered": True},
                    "mandate": {"listed": True},
                }
            ]
        }
    )

    customer_id: Text
    channel: ChannelName
    content: ContentIn = ContentIn()
    manner: MannerIn = MannerIn()
    mandate: MandateIn = MandateIn()


class PermitRelease(Body):
    reason: ReasonCode


class DecisionOut(BaseModel):
    """The gate's answer under the rules in force, and the facts that it was taken from."""

    outcome: Literal["allow", "defer", "forbid"]
    until: datetime | None = Field(description="Earliest permitted instant, where the answer is to wait")
    release: str | None
    rule_set: str
    fired: list[FiredRule]
    lift: SmallestChange | None
    facts: dict[str, Any]


class PermitOut(BaseModel):
    permit_id: UUID
    customer_id: str
    case_id: UUID | None
    contact_point_id: UUID | None
    channel: ChannelName
    purpose: PurposeName
    target: TargetName
    person_id: UUID | None
    account_ids: list[str]
    announcement: bool
    party: PartyName
    party_name: str | None
    state: PermitState = Field(description="``lapsed``: it ran out and nobody told; it counts until it is released")
    expires_at: datetime | None = Field(description="Make the contact before then; absent where refused")
    decision: DecisionOut
    asked_by: str
    asked_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None
    row_version: int


class AttemptIn(ContactIn):
    """What came of a contact. With ``permit_id`` the permit says who, how and about what; without one it is told here,
    because it happened and counts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "permit_id": "7b0f1c1e-0000-4000-8000-000000000000",
                    "outcome": "right_party",
                    "effective_talk": True,
                    "talk_seconds": 95,
                    "recording": "rec/2026-07/000123",
                }
            ]
        }
    )

    permit_id: UUID | None = None
    customer_id: Text | None = None
    channel: ChannelName | None = None
    direction: Literal["outbound", "inbound"] = "outbound"
    outcome: OutcomeName
    effective_talk: bool | None = Field(default=None, description="The debt was talked about with the right party")
    talk_seconds: int | None = Field(default=None, ge=0, le=86_400)
    recording: Reference | None = Field(default=None, description="Where the recording is kept")
    at: Instant | None = Field(default=None, description="When it was made, if not just now")

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Self:
        told = self.customer_id is not None and self.channel is not None
        if (self.permit_id is None) != told or (self.permit_id is not None and self.customer_id is not None):
            raise ValueError("give either permit_id, or customer_id and channel")
        return self


class AttemptOut(BaseModel):
    attempt_id: UUID
    permit_id: UUID | None
    permitted: bool = Field(description="Made under a permit and in its time")
    customer_id: str
    case_id: UUID | None
    contact_point_id: UUID | None
    channel: ChannelName
    purpose: PurposeName
    target: TargetName
    person_id: UUID | None
    account_ids: list[str]
    announcement: bool
    party: PartyName
    party_name: str | None
    direction: Literal["outbound", "inbound"]
    outcome: OutcomeName
    right_party: bool | None = Field(description="null: not known")
    effective_talk: bool | None
    talk_seconds: int | None
    recording: str | None
    at: datetime
    recorded_at: datetime
    recorded_by: str
