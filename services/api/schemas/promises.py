"""Promises to pay as the API takes and shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Day, Text
from services.api.limits import Currency
from services.api.schemas.codes import ReasonCode

PromiseStateName = Literal["open", "kept", "partially_kept", "broken", "cancelled"]
Promised = Literal["debtor", "guarantor", "representative", "third_party"]
Told = Literal["phone", "sms", "email", "letter", "app", "branch", "visit", "other"]
Objection = Literal["too-late", "too-little", "open-already", "broken-before"]
Amount = Annotated[int, Field(strict=True, gt=0, le=10**15, description="Amount in minor units of its currency")]


class PromiseIn(Body):
    """What somebody promised to pay on one account, and until when."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "account_id": "A-1001",
                    "currency": "CNY",
                    "amount": 50000,
                    "due_on": "2026-07-15",
                    "channel": "phone",
                    "promised_by": "debtor",
                    "waive": [],
                }
            ]
        }
    )

    customer_id: Text
    account_id: Text
    currency: Currency
    amount: Amount
    due_on: Day = Field(description="The last day, where the customer lives; the policy's tolerance comes on top")
    channel: Told = Field(description="How it was promised")
    promised_by: Promised = "debtor"
    waive: list[Objection] = Field(
        default=[], max_length=4, description="Objections that a supervisor puts aside; for supervisors only"
    )


class PromiseCancellation(Body):
    reason: ReasonCode


class PromiseOut(BaseModel):
    """A promise as it was last judged."""

    promise_id: UUID
    customer_id: str
    case_id: UUID | None
    account_id: str
    currency: str
    amount: int = Field(description="Minor units")
    due_on: date
    made_at: datetime = Field(description="Only what is posted later counts")
    channel: str
    promised_by: Promised
    recorded_by: str
    tolerance_days: int
    tolerance_amount: int
    state: PromiseStateName
    paid: int = Field(description="What came in for it, in minor units, ``amount`` at most")
    kept_on: date | None
    judged_on: date | None
    reason: str = Field(description="What made us look: an event's type, a timer, or a person's reason")
    policy_version: int
    row_version: int
