"""Repayment plans and approvals as the API takes and shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.api.fields import Body, Day, Reason, Text
from services.api.limits import Currency
from services.api.schemas.codes import ReasonCode

PlanKindName = Literal["equal", "custom", "step_up", "pay_day", "hardship", "personalised"]
PlanStateName = Literal["proposed", "approved", "active", "completed", "broken", "restructured", "cancelled"]
ApprovalStateName = Literal["pending", "approved", "refused", "expired", "withdrawn"]
FrequencyName = Literal["monthly", "fortnightly", "weekly"]
ContentName = Literal["debt", "repayment", "charges", "no_new_card", "duties", "other"]
Waivable = Literal["second-personalised", "restructured-too-often", "no-assessment", "not-affordable"]
Amount = Annotated[int, Field(strict=True, gt=0, le=10**15, description="Amount in minor units of its currency")]

Fingerprint = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 in hex")]

_TERMS: JsonDict = {
    "customer_id": "C-1001",
    "accounts": [{"account_id": "A-1001", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 6,
    "frequency": "monthly",
    "first_on": "2026-07-20",
    "day": 20,
    "after": 0,
    "shift": "following",
    "annual_bps": 0,
    "fee_bps": 0,
}


class PlanAccount(Body):
    account_id: Text
    currency: Currency


class PlanAmounts(Body):
    """What people agreed on for a custom plan: every instalment, or all but the last, which is worked out."""

    currency: Currency
    amounts: list[Amount] = Field(min_length=1, max_length=600)


class PlanSteps(Body):
    """Every ``every`` instalments the next ones are ``step`` minor units higher."""

    currency: Currency
    step: Amount
    every: Annotated[int, Field(strict=True, ge=1, le=600)]


class QuoteIn(Body):
    """What a plan should look like. Days that are no business days are shifted; ``after`` counts days after pay day."""

    model_config = ConfigDict(json_schema_extra={"examples": [_TERMS]})

    customer_id: Text
    accounts: list[PlanAccount] = Field(min_length=1, max_length=50)
    kind: PlanKindName
    instalments: Annotated[int, Field(strict=True, ge=1, le=600)]
    frequency: FrequencyName = "monthly"
    first_on: Day = Field(description="The first day, or the first pay day")
    day: Annotated[int, Field(strict=True, ge=1, le=31)] | None = Field(
        default=None, description="The day of the month that ``first_on`` stands for, 31 for the last"
    )
    after: Annotated[int, Field(strict=True, ge=0, le=31)] = 0
    shift: Literal["none", "following", "preceding"] = "following"
    annual_bps: Annotated[int, Field(strict=True, ge=0, le=100_000)] = 0
    fee_bps: Annotated[int, Field(strict=True, ge=0, le=10_000)] = 0
    amounts: list[PlanAmounts] = Field(default=[], max_length=20, description="For a custom plan")
    steps: list[PlanSteps] = Field(default=[], max_length=20, description="For a plan that steps up")


class PlanIn(QuoteIn):
    """A quote that somebody wants to offer. It is worked out again, on the debts of this moment."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_TERMS, "quote": None, "assessment_id": None, "replaces": None}]}
    )

    quote: Fingerprint | None = Field(
        default=None, description="The quote it was made from: refused (``quote-changed``) when that does not hold now"
    )
    assessment_id: UUID | None = Field(default=None, description="What was found that the customer can afford")
    replaces: UUID | None = Field(default=None, description="The plan that this one restructures")
    waive: list[Waivable] = Field(default=[], max_length=4, description="For supervisors only")


class InstalmentOut(BaseModel):
    number: int
    nominal_on: date
    due_on: date
    amount: int
    principal: int
    interest: int
    fee: int
    announced: bool = Field(description="false: in a year whose holidays are not announced yet")


class CostOut(BaseModel):
    currency: str
    financed: int
    total: int
    interest: int
    fees: int
    nominal_bps: int = Field(description="Internal rate of return, simple, a year")
    effective_bps: int = Field(description="Compounded, from the due days, Actual/365")


class ScheduleOut(BaseModel):
    currency: str
    financed: int
    start_on: date
    instalments: list[InstalmentOut]


class DebtOut(BaseModel):
    account_id: str
    currency: str
    principal: int
    interest: int
    fees: int
    penalty: int


class QuoteOut(BaseModel):
    """What it would look like today. Nothing of it is kept."""

    fingerprint: str = Field(description="Of its debts and instalments; ``quote`` of a proposal that is to be this one")
    customer_id: str
    kind: PlanKindName
    debts: list[DebtOut]
    schedules: list[ScheduleOut]
    costs: list[CostOut]
    months: int
    reckoned_at: datetime
    valid_until: date
    warnings: list[Literal["dear", "provisional"]]


class ProgressOut(BaseModel):
    """``covered`` instalments; those up to number ``missed_through`` are missed; the rest in minor units."""

    currency: str
    received: int
    covered: int
    missed_through: int
    overdue: int
    left: int


class AgreementIn(Body):
    """How the customer agreed. An oral agreement names its recording; a personalised plan all its contents."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"agreed_on": "2026-07-06", "form": "oral", "recording_id": "REC-2026-0001", "contents": ["debt"]}
            ]
        }
    )

    agreed_on: Day
    form: Literal["written", "oral"]
    recording_id: Text | None = None
    contents: list[ContentName] = Field(default=[], max_length=6)


class AgreementOut(BaseModel):
    agreed_on: date
    form: Literal["written", "oral"]
    recording_id: str | None
    contents: list[ContentName]


class PlanOut(BaseModel):
    """A plan as it was last judged."""

    plan_id: UUID
    customer_id: str
    case_id: UUID | None
    kind: PlanKindName
    state: PlanStateName
    reason: str
    debts: list[DebtOut]
    schedules: list[ScheduleOut]
    progress: list[ProgressOut]
    reckoned_at: datetime = Field(description="Money posted later counts for the plan")
    proposed_by: str
    proposed_on: date
    approvers: list[str] = Field(description="Roles one of which has to approve it; none once it is approved")
    approved_by: str | None
    assessment_id: UUID | None
    agreement: AgreementOut | None
    active_from: date | None
    ended_on: date | None
    replaces: UUID | None
    replaced_by: UUID | None
    generation: int
    waived: list[Waivable] = Field(description="What stood against it and was put aside by who proposed it")
    policy_version: int
    row_version: int


class InstalmentStandingOut(BaseModel):
    """``paid`` of ``amount``, ``open`` what is left of it; ``late`` is the same once its days of grace are over."""

    number: int
    due_on: date
    amount: int
    paid: int
    open: int
    late: int
    covered_on: date | None
    state: Literal["early", "on_time", "late", "upcoming", "due", "missed"]


class CurrencyStandingOut(BaseModel):
    currency: str
    received: int
    instalments: list[InstalmentStandingOut]
    covered: int = Field(description="So many instalments, from the first")
    missed: int
    overdue: int
    left: int
    payoff: int | None = Field(description="Ends the plan on this day; null for a plan that is not in force")
    waived: int = Field(description="Interest and fees that an early end leaves unasked")
    over: int


class PlanStandingOut(BaseModel):
    """How a plan stands at the end of a day."""

    plan_id: UUID
    state: PlanStateName = Field(description="As the plan stands today")
    on: date
    currencies: list[CurrencyStandingOut]


class PlanCancellation(Body):
    reason: ReasonCode


class Decision(Body):
    """The second person's yes or no."""

    granted: bool
    reason: Reason


class Withdrawal(Body):
    reason: ReasonCode


class ApprovalOut(BaseModel):
    approval_id: UUID
    subject: Literal["plan", "settlement", "waiver"]
    subject_id: str
    customer_id: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    approvers: list[str]
    state: ApprovalStateName
    decided_by: str | None
    decided_at: datetime | None
    reason: str
    row_version: int
