"""Assessments of what a household can pay, as the API takes and shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from services.api.fields import Body, Reason, Text
from services.api.schemas.plans import CostOut, DebtOut, FrequencyName, PlanAccount, PlanKindName, ScheduleOut

RouteName = Literal["ordinary", "hardship", "review"]
SpanName = Literal["week", "fortnight", "month", "quarter", "year"]
WayName = Literal["lowest_instalment", "shortest_term", "least_cost"]
ShiftName = Literal["none", "following", "preceding"]
Stated = Annotated[
    int, Field(strict=True, ge=0, le=10**11, description="Minor units of the debts' currency, as it was stated")
]
KindCode = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="A kind that the guide knows")]
_HOUSEHOLD: JsonDict = {
    "adults": 1,
    "children": 1,
    "incomes": [{"kind": "wages", "amount": 800000, "per": "month"}],
    "fixed": [{"kind": "housing", "amount": 180000, "per": "month"}],
    "flexible": [{"kind": "food", "amount": 130000, "per": "month"}],
    "explained": [],
    "pay_day": 15,
}


class StatedItem(Body):
    kind: KindCode
    amount: Stated
    per: SpanName = "month"


class Household(Body):
    """What the household says it gets and spends. Kinds are those of the guide (``/v1/affordability-guides``)."""

    adults: Annotated[int, Field(strict=True, ge=1, le=20)]
    children: Annotated[int, Field(strict=True, ge=0, le=20)] = 0
    incomes: list[StatedItem] = Field(max_length=50)
    fixed: list[StatedItem] = Field(max_length=50, description="What is paid under contract or order")
    flexible: list[StatedItem] = Field(max_length=50, description="What is held against the guide's figures")
    explained: list[KindCode] = Field(
        default=[], max_length=50, description="Flexible costs for whose amount there is a reason on record"
    )
    pay_day: Annotated[int, Field(strict=True, ge=1, le=31, description="Day of the month; 31 for the last")]


class AssessmentIn(Body):
    """Debts of one currency, and who has to pay them."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "accounts": [{"account_id": "A-1001", "currency": "CNY"}],
                    "household": _HOUSEHOLD,
                }
            ]
        }
    )

    customer_id: Text
    accounts: list[PlanAccount] = Field(min_length=1, max_length=50)
    household: Household


class BudgetOut(BaseModel):
    """A month: available = income - fixed - flexible - reserve, as they count."""

    income: int
    fixed: int
    flexible: int
    reserve: int
    available: int


class FindingOut(BaseModel):
    """Where what counts is not what was stated, a month."""

    code: Literal["above_guide", "below_floor", "counted_in_part"]
    kind: str
    stated: int
    counted: int


class ProofOut(BaseModel):
    """That none of the ``tried`` plans of a route is affordable: the one with the lowest instalment asks for
    ``lowest``, which is ``short_by`` more than is available. Null: no plan can be made of this debt."""

    tried: int
    longest: int
    lowest: int | None
    available: int
    short_by: int | None


class OptionTerms(BaseModel):
    """What ``POST /v1/plans`` takes to propose this option, beside customer, accounts and ``assessment_id``."""

    kind: PlanKindName
    instalments: int
    frequency: FrequencyName
    first_on: date
    day: int | None
    after: int
    shift: ShiftName
    annual_bps: int
    fee_bps: int


class OptionOut(BaseModel):
    """An affordable plan, worked out on the debts of the day it was assessed."""

    fingerprint: str = Field(description="``quote`` of a proposal that is to be this option and no other")
    best_for: list[WayName]
    terms: OptionTerms
    schedules: list[ScheduleOut]
    costs: list[CostOut]
    months: int
    reckoned_at: datetime
    valid_until: date = Field(description="The debts of that day are the plan's only if nothing was paid or charged")
    warnings: list[Literal["dear", "provisional"]]


class SaidOut(BaseModel):
    language: str
    sentences: list[str]


class UnderWayOut(BaseModel):
    """A plan or settlement of the customer that was under way: what it asks for is not deducted by itself; it belongs
    under the fixed costs (``loans``)."""

    subject: Literal["plan", "settlement"]
    subject_id: UUID
    accounts: list[PlanAccount]


class AssessmentListed(BaseModel):
    """An assessment without its options and what tells of the household. It never changes; a new one is made."""

    assessment_id: UUID
    customer_id: str
    case_id: UUID | None
    currency: str
    route: RouteName = Field(description="``review``: nothing is affordable, and nothing is offered")
    owed: int
    debts: list[DebtOut]
    under_way: list[UnderWayOut]
    guide: str
    guide_version: int
    guide_hash: str
    policy_version: int
    assessed_by: str
    assessed_at: datetime
    assessed_on: date
    valid_until: date


class AssessmentOut(AssessmentListed):
    """What tells of the household is null, but to who makes the assessment, and who says why they ask (``unmask``)."""

    options: list[OptionOut]
    available: int = Field(description="What a month leaves for these debts; less than nothing is possible")
    proofs: list[ProofOut] = Field(description="That the routes before this one lead nowhere")
    household: Household | None
    budget: BudgetOut | None
    findings: list[FindingOut] | None
    words: list[SaidOut] | None = Field(description="All of it for the customer, in each language")


class UnmaskHousehold(Body):
    """Why. It is written to the audit trail under the caller's name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "customer asks how it was worked out"}]})

    reason: Reason


class GuideIncome(BaseModel):
    kind: str
    counted_bps: int = Field(description="The share of it that counts")


class GuideFigure(BaseModel):
    """Minor units a month for each of them."""

    kind: str
    adult: int
    child: int


class GuideOut(BaseModel):
    """What a household can be asked to live on. ``above_bps`` over a figure may be spent unexplained, ``floor_bps`` of
    it must be; ``reserve_bps`` of the income stays in hand, at least ``reserve_least``."""

    name: str
    version: int
    hash: str
    currency: str
    source: str
    verified: bool = Field(description="false: a figure of it was not read in its source")
    incomes: list[GuideIncome]
    fixed: list[str]
    flexible: list[GuideFigure]
    above_bps: int
    floor_bps: int
    reserve_bps: int
    reserve_least: int
