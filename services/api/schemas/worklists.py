"""Work items as the API shows them, and how they end."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Instant
from services.api.limits import LongText

WorkKind = Literal["call", "visit", "letter", "legal"]
WorkState = Literal["open", "taken", "done", "cancelled"]
WorkOutcome = Literal[
    "answered",
    "promise_to_pay",
    "paid",
    "refused",
    "dispute_raised",
    "hardship_raised",
    "no_response",
    "unreachable",
    "wrong_person",
    "callback_requested",
    "moved_away",
    "sent",
    "returned",
    "pursued",
    "not_pursued",
    "referred",
]


class WorkDone(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"outcome": "no_response"}]})

    outcome: WorkOutcome = Field(description="Which go with a kind of work is told by a 422")
    note: LongText | None = Field(default=None, description="Kept encrypted")
    at: Instant | None = Field(default=None, description="When the contact was made, if not now")


class WorkListed(BaseModel):
    """A call, visit, letter or legal step for a person; ``priority`` 0 is the worst bucket."""

    item_id: UUID
    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    kind: WorkKind
    step: str
    bucket: str
    past_due: dict[str, int] = Field(description="Minor units by currency, when it became due")
    priority: int
    due_on: date
    state: WorkState
    assignee: str | None
    team: str | None
    outcome: str | None
    created_at: datetime
    taken_at: datetime | None
    ended_at: datetime | None
    row_version: int


class WorkOut(WorkListed):
    note: str | None = Field(description="For those who do the work; null for those who only look")
