"""Holds as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Instant, Text
from services.api.limits import Currency, MinorUnits
from services.api.schemas.codes import ReasonCode

HoldKindName = Literal[
    "complaint",
    "dispute",
    "objection",
    "fraud_victim",
    "hardship",
    "plan",
    "deceased",
    "incapable",
    "bankrupt",
    "moratorium",
    "attorney",
    "do_not_contact",
    "police_no_contact",
    "legal_only",
    "manual",
]


class DisputedPart(Body):
    """An amount of one part of what is owed. Payments leave it out while the hold stands, at most what is owed of it;
    minimum payments stay as the bank asks for them."""

    currency: Currency
    component: Literal["principal", "interest", "fees", "penalty"]
    amount: Annotated[MinorUnits, Field(gt=0)]


class HoldIn(Body):
    """Leave a customer, or one of their accounts, in peace."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "kind": "hardship",
                    "reason": "lost_employment",
                    "ends_at": "2027-01-31T16:00:00+00:00",
                }
            ]
        }
    )

    customer_id: Text
    account_id: Text | None = Field(default=None, description="Only this account; absent: the customer")
    kind: HoldKindName = Field(description="complaint and plan are placed by their own process, not here")
    reason: ReasonCode
    disputed: DisputedPart | None = Field(
        default=None, description="With kind dispute on one account: which amount is disputed"
    )
    ends_at: Instant | None = Field(default=None, description="Ends by itself then; absent: until released")


class HoldRelease(Body):
    reason: ReasonCode


class HoldOut(BaseModel):
    hold_id: UUID
    customer_id: str
    account_id: str | None
    kind: HoldKindName
    reason: str
    disputed: DisputedPart | None
    origin: str | None = Field(description="Id of the complaint or plan that placed it")
    placed_at: datetime
    placed_by: str
    ends_at: datetime | None
    released_at: datetime | None
    released_by: str | None
    row_version: int
