"""The clock of limitation as the API takes and shows it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Day, Instant, Reason, Text
from services.api.schemas.contacts import Reference

EntryKind = Literal[
    "demand", "deduction", "agreement", "part_payment", "suit", "payment_order", "police_report", "assignment_notice",
    "obstacle", "approval",
]  # fmt: skip


class LimitationEntryIn(Body):
    """What the books do not know: an interruption with its instant and proof, an ``obstacle`` (force majeure, no
    guardian, no heir) on dates in [first, ends), or compliance's ``approval`` of legal steps on a barred claim."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "account_id": "A-1001",
                    "kind": "suit",
                    "at": "2026-06-20T10:00:00+08:00",
                    "proof": "court/2026/0001234",
                }
            ]
        }
    )

    account_id: Text
    kind: EntryKind
    at: Instant | None = Field(default=None, description="When it happened; for interruptions")
    first: Day | None = Field(default=None, description="First date of an obstacle")
    ends: Day | None = Field(default=None, description="Exclusive; absent: it lasts")
    proof: Reference = Field(description="What is on record of it: a file, a receipt, a recording")
    arrived: bool | None = Field(default=None, description="For demands and notices: is it proved that they arrived?")
    to_point_left: bool | None = Field(
        default=None, description="For demands: did it go to a number or address that the holder left?"
    )


class LimitationEntryOut(BaseModel):
    entry_id: UUID
    account_id: str
    customer_id: str
    kind: EntryKind
    at: datetime | None
    first: date | None
    ends: date | None
    proof: str
    arrived: bool | None
    to_point_left: bool | None
    recorded_at: datetime
    recorded_by: str
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    withdrawn_reason: str | None
    row_version: int


class EntryWithdrawn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the court returned the filing"}]})

    reason: Reason


class LimitationEvent(BaseModel):
    """What may have started the period anew."""

    kind: EntryKind
    at: datetime
    on: date = Field(description="The local date")
    proof: str | None
    counted: bool
    refused: str | None = Field(description="Why it did not count")


class LimitationOut(BaseModel):
    """``clock`` is null when nothing is past due, or when no rule of the jurisdiction says how long claims last."""

    account_id: str
    due_on: date | None = Field(description="The oldest due date that is not covered")
    clock: LimitationClockOut | None
    reason: str | None = Field(description="Why there is no clock")


class LimitationClockOut(BaseModel):
    counted_from: date = Field(description="The first day is not counted")
    ends_on: date | None = Field(
        description="The last date on which the claim can be brought; null while an obstacle lasts"
    )
    moved: bool | None = Field(description="Rest days put it off; null: that year's calendar is not announced")
    long_stop_on: date | None = Field(description="The end that nothing puts off")
    barred: bool
    approved: bool = Field(description="Compliance approved legal steps on a barred claim")
    alerts: list[date] = Field(description="Dates to warn on: ``arrears.account.limitation_near.v1``")
    events: list[LimitationEvent]
