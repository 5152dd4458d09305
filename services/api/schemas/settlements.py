"""Settlements as the API takes and shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from services.api.fields import Body, Day, Text
from services.api.schemas.codes import ReasonCode
from services.api.schemas.plans import Amount, DebtOut, FrequencyName, PlanAccount, ScheduleOut

SettlementStateName = Literal[
    "proposed", "offered", "accepted", "active", "fulfilled", "breached", "withdrawn", "expired"
]
InstrumentName = Literal["lump_sum", "plan"]
ComponentName = Literal["principal", "interest", "fees", "penalty"]


class SettlementIn(Body):
    """What would be taken instead of all that is owed: ``pays``, or all but ``discount``. One instalment is a lump sum.
    Days that are no business days are shifted."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "accounts": [{"account_id": "A-1001", "currency": "CNY"}],
                    "discount": 50000,
                    "instalments": 1,
                    "first_on": "2026-07-20",
                    "valid_until": "2026-07-13",
                }
            ]
        }
    )

    customer_id: Text
    accounts: list[PlanAccount] = Field(min_length=1, max_length=50)
    pays: Amount | None = None
    discount: Amount | None = None
    instalments: Annotated[int, Field(strict=True, ge=1, le=120)] = 1
    frequency: FrequencyName = "monthly"
    first_on: Day
    day: Annotated[int, Field(strict=True, ge=1, le=31)] | None = Field(
        default=None, description="The day of the month that ``first_on`` stands for, 31 for the last"
    )
    shift: Literal["none", "following", "preceding"] = "following"
    amounts: list[Amount] = Field(
        default=[], max_length=120, description="Where instalments are not alike: all, or all but the last"
    )
    valid_until: Day | None = Field(default=None, description="The last day of the offer; absent: the policy's")
    waive: list[Literal["breached-before"]] = Field(default=[], max_length=1, description="For supervisors only")

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.pays is None) == (self.discount is None):
            raise ValueError("name what is paid or what is given up: one of pays and discount")
        return self


class GivenUpOut(BaseModel):
    account_id: str
    component: ComponentName
    amount: int


class OldestDueOut(BaseModel):
    account_id: str
    due_on: date


class SettlementOut(BaseModel):
    """A settlement as it was last judged, in minor units of its ``currency``: ``owed`` is ``received`` and what was
    ``given_up``, or, after a breach, ``received`` and what is ``back``."""

    settlement_id: UUID
    customer_id: str
    case_id: UUID | None
    currency: str
    instrument: InstrumentName
    state: SettlementStateName
    reason: str
    debts: list[DebtOut]
    schedule: ScheduleOut
    owed: int
    pays: int
    discount: int
    gives_up: list[GivenUpOut] = Field(description="What the discount is taken from, once it is paid")
    received: int
    given_up: int = Field(description="Nothing before it is fulfilled")
    back: int = Field(description="Owed again; nothing unless it was breached")
    oldest_due: list[OldestDueOut] = Field(
        description="Since when each account was overdue; a breach does not change it"
    )
    reckoned_at: datetime = Field(description="Money posted later counts for the settlement")
    valid_until: date
    proposed_by: str
    proposed_on: date
    approvers: list[str] = Field(description="Roles one of which has to approve it; none once it is offered")
    approved_by: str | None
    accepted_on: date | None
    active_from: date | None
    ended_on: date | None
    policy_version: int
    row_version: int


class SettlementWithdrawal(Body):
    reason: ReasonCode
