"""Customers as the API shows them: masked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.fields import Body, Reason
from services.api.limits import ShortText

PointKind = Literal["mobile", "phone", "email", "address"]


class ContactPoint(BaseModel):
    """A way to reach the customer. ``bad``: a provider refused it, or it can not be dialled."""

    point_id: UUID
    kind: PointKind
    source: str
    origin: Literal["core", "staff"]
    position: int
    value: str = Field(description="Masked")
    state: Literal["active", "bad", "removed"]
    state_reason: str | None
    updated_at: datetime


class Customer(BaseModel):
    customer_id: str
    name: str | None = Field(description="Masked: the first character")
    language: str
    time_zone: str | None
    jurisdiction: str | None
    segment: str
    merged_into: str | None = Field(description="The customer who took this one's place")
    open_case_id: UUID | None
    bucket: str | None = Field(description="Of the open case")
    cases_opened: int
    created_at: datetime
    updated_at: datetime


class CustomerOut(Customer):
    contact_points: list[ContactPoint]


class CustomerSearch(Body):
    """At least one of them; all that are given must match. Whole values only, but for the last four digits."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"phone": "+8613812340001"}]})

    phone: Annotated[str, Field(min_length=5, max_length=40)] | None = Field(
        default=None, description="With its country, or as it is dialled in any country that has contact rules"
    )
    email: Annotated[str, Field(min_length=3, max_length=254)] | None = None
    name: ShortText | None = Field(
        default=None,
        description="The full name as the core-banking system has it, in any form of Unicode",
    )
    phone_last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None

    @model_validator(mode="after")
    def _something(self) -> CustomerSearch:
        if not (self.phone or self.email or self.name or self.phone_last4):
            raise ValueError("give something to search by")
        return self


class Unmask(Body):
    """What to see in plain, and why. It is written to the audit trail under the caller's name."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"fields": ["name", "mobile"], "reason": "customer asked to confirm number"}]},
    )

    fields: Annotated[list[Literal["name", "mobile", "phone", "email", "address"]], Field(min_length=1, max_length=5)]
    reason: Reason


class PlainPoint(BaseModel):
    point_id: UUID
    kind: PointKind
    state: str
    value: str


class Unmasked(BaseModel):
    """Only what was asked for."""

    customer_id: str
    name: str | None = None
    contact_points: list[PlainPoint]
