"""Waivers as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Text
from services.api.limits import Currency
from services.api.schemas.codes import ReasonCode
from services.api.schemas.plans import Amount
from services.api.schemas.settlements import ComponentName

WaiverStateName = Literal["proposed", "granted", "withdrawn"]
CauseName = Literal["bank_error", "goodwill", "hardship", "complaint", "bereavement", "illness", "disaster", "other"]


class WaiverIn(Body):
    """What would be let off: ``amount`` of one part of what is owed on one account. The principal is not waived; that
    takes a settlement."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "account_id": "A-1001",
                    "currency": "CNY",
                    "component": "penalty",
                    "amount": 5000,
                    "cause": "bank_error",
                }
            ]
        }
    )

    customer_id: Text
    account_id: Text
    currency: Currency
    component: ComponentName
    amount: Amount
    cause: CauseName


class WaiverOut(BaseModel):
    """A waiver in minor units of its ``currency``. Granted, it counts at once for quotes, settlements and further
    waivers; the bank books it on our event, and its next report is taken to show it."""

    waiver_id: UUID
    customer_id: str
    case_id: UUID | None
    account_id: str
    currency: str
    component: ComponentName
    amount: int
    owed: int = Field(description="Of the component, when the waiver was proposed")
    cause: CauseName
    state: WaiverStateName
    reason: str
    proposed_by: str
    proposed_at: datetime
    approvers: list[str] = Field(description="Roles one of which has to approve it; none once it is granted")
    granted_by: str | None
    granted_at: datetime | None
    policy_version: int
    row_version: int


class WaiverWithdrawal(Body):
    reason: ReasonCode
