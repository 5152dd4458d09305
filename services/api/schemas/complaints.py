"""Complaints as the API takes and shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.api.fields import Body, Instant, Reason, Text
from services.api.limits import LongText
from services.api.schemas.codes import ReasonCode, Subject

ComplaintStateName = Literal["received", "acknowledged", "responded", "resolved", "escalated"]
ComplexityName = Literal["simple", "complex", "very_complex"]
Category = Literal[
    "harassment", "contact_times", "third_party_contact", "amount", "not_my_debt", "privacy", "service", "other"
]
Way = Literal["phone", "sms", "email", "letter", "app", "branch", "regulator", "other"]
ComplaintOutcome = Literal["upheld", "partly_upheld", "not_upheld", "settled", "withdrawn"]

_EXAMPLE: JsonDict = {
    "customer_id": "C-1001",
    "account_id": None,
    "category": "contact_times",
    "channel": "phone",
    "complexity": "simple",
    "text": "I was called during the night.",
}


class ComplaintIn(Body):
    """A complaint as it came in. It holds what it is about at once: the account, or the customer."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    customer_id: Text
    account_id: Text | None = Field(default=None, description="About this account only; absent: the customer")
    category: Category
    channel: Way
    complexity: ComplexityName = "simple"
    text: LongText = Field(description="In the complainant's words; kept encrypted")
    owner: Subject | None = Field(default=None, description="Who answers it")
    received_at: Instant | None = Field(default=None, description="When it reached the bank, if not just now")


class ComplaintAnswer(Body):
    response: LongText = Field(description="What the complainant is told; kept encrypted")


class ComplaintResolution(Body):
    outcome: ComplaintOutcome


class ComplaintEscalation(Body):
    reason: ReasonCode
    owner: Subject | None = Field(default=None, description="Who takes it over")


class ComplaintExtension(Body):
    """More time: 30 days for a complex complaint, 60 for a very complex one whose sender was told."""

    complexity: Literal["complex", "very_complex"]
    requested_by: Subject = Field(description="Who asked for it; somebody else than the caller, who approves")
    reason: Reason
    complainant_told_at: Instant | None = None


class ComplaintListed(BaseModel):
    """A complaint without its texts."""

    complaint_id: UUID
    customer_id: str
    case_id: UUID | None
    account_id: str | None
    category: str
    channel: str
    complexity: ComplexityName
    state: ComplaintStateName
    owner: str | None
    received_at: datetime
    acknowledge_by: datetime
    answer_by: datetime = Field(description="The last instant of ``answer_on`` where the customer lives")
    answer_on: date
    acknowledged_at: datetime | None
    responded_at: datetime | None
    resolved_at: datetime | None
    escalated_at: datetime | None
    outcome: str | None
    extension_reason: str | None
    extension_approved_by: str | None
    hold_id: UUID | None
    created_by: str
    row_version: int


class ComplaintOut(ComplaintListed):
    """With its texts, for those who handle complaints; null for those who only look."""

    text: str | None
    response: str | None
