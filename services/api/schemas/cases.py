"""Cases as the API shows them, and why the next action is what it is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

CaseState = Literal["open", "cured", "closed"]
LineKind = Literal["event", "follow_up", "message", "attempt", "payment"]


class CaseOut(BaseModel):
    """A customer's case: all of their overdue accounts together. ``owner`` and ``team`` say whose it is."""

    case_id: UUID
    customer_id: str
    ordinal: int = Field(description="1 for the customer's first case")
    state: CaseState
    bucket: str = Field(description="Of its worst account")
    policy_version: int
    opened_at: datetime
    reopened_at: datetime | None
    reopenings: int
    ended_at: datetime | None
    end_reason: str | None
    owner: str | None
    team: str | None
    row_version: int
    updated_at: datetime


class ListedCase(CaseOut):
    anchor: date | None = Field(description="Oldest due not covered; null when nothing is followed")
    past_due: dict[str, int] = Field(description="Minor units by currency")
    segment: str | None


class TimelineLine(BaseModel):
    """Something that happened. ``what`` says it in a word, ``data`` holds ids, amounts and codes."""

    at: datetime
    kind: LineKind
    id: str
    what: str
    actor: str
    data: dict[str, object]


class Note(BaseModel):
    note_id: UUID
    case_id: UUID
    author: str
    written_at: datetime
    text: str


class StandingOut(BaseModel):
    since: datetime
    anchor: date | None
    past_due: dict[str, int]
    segment: str


class NextStep(BaseModel):
    """``at`` is when it is done; later than ``due_at`` when it was put off or a hold stood in the way."""

    step: str
    kind: str
    bucket: str
    channels: list[str]
    purpose: str
    template: str | None
    anchor: date
    due_at: datetime
    at: datetime
    due_now: bool


class Candidate(BaseModel):
    """A step of the ladder and what became, or will become, of it."""

    step: str
    kind: str
    anchor: date
    due_at: datetime
    outcome: str = Field(
        description="due_now, next, later, held, not_applicable, already_taken, or the state that is on record"
    )
    reason: str | None
    gate: list[GateView] = Field(
        default=[], description="Of a message that is not sent now: each channel, asked at the instant it would be due"
    )


class HoldLine(BaseModel):
    kind: str
    account_id: str | None
    since: datetime
    until: datetime | None
    stops_ladder: bool


class FiredRule(BaseModel):
    rule_id: str
    outcome: Literal["defer", "forbid"]
    until: datetime | None
    release: str | None
    citation: str
    strength: str


class FactChange(BaseModel):
    path: str
    to: Any = Field(json_schema_extra={"type": ["string", "number", "boolean", "array", "object", "null"], "items": {}})


class SmallestChange(BaseModel):
    """What would have to be otherwise for the contact to be allowed, and from when it is then."""

    releases: list[str]
    changes: list[FactChange]
    until: datetime | None
    complete: bool = Field(description="false: some of it has to be found out first, or can not be changed")


class GateView(BaseModel):
    """What the contact rules say of one channel at the instant of a step. ``reason`` when they are not asked."""

    channel: str
    earliest: datetime | None = Field(description="First instant at which it is permitted, as things stand")
    lift: SmallestChange | None = Field(description="Where refused: the smallest change of facts that would do")
    outcome: Literal["allow", "defer", "forbid"]
    until: datetime | None
    release: str | None
    reason: str | None
    rule_set: str | None
    fired: list[FiredRule]


class ExplanationOut(BaseModel):
    """Computed from the facts as they are; nothing is changed, and asking again gives the same answer."""

    case_id: UUID
    state: CaseState
    as_of: datetime
    policy_version: int
    time_zone: str
    standing: StandingOut | None
    next: NextStep | None
    why_none: str | None
    candidates: list[Candidate]
    unannounced: list[str] = Field(description="Steps whose business day falls in a year without a calendar yet")
    holds: list[HoldLine]
    moot: str | None = Field(description="Why a message would have no point now")
    gate: list[GateView]
