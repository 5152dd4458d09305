"""Cases as the API shows them, and why the next action is what it is."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

CaseState = Literal["open", "cured", "closed"]
ObstacleCode = Literal[
    "too_little_past_due",
    "stopped",
    "not_yet_due",
    "deferred",
    "overtaken",
    "standing_over",
    "taken_before",
    "on_record",
]
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


class Shortfall(BaseModel):
    """Minor units. It is enough if one currency reaches its minimum."""

    currency: str
    past_due: int
    minimum: int
    missing: int


class Obstacle(BaseModel):
    """A reason that lies in the plan, not in the contact rules. Fields that a code does not name are empty.

    - `too_little_past_due`: `missing` more in one of `past_due` would do.
    - `stopped`: by a hold (`cause` its kind, `hold_id`) or a `promise`. It ends at `until`; where that is absent, when
      one of `released_by` lifts it, or with its complaint, plan or settlement where that is empty.
    - `not_yet_due`: comes at `until`, which later holds and deferrals may move.
    - `deferred`: a person put it off to `until`.
    - `overtaken`: `step` goes in its place. It would have been done before `until`; absent: both fell on one instant.
    - `standing_over`: it was due on what was past due before `until`, and that is no longer so.
    - `taken_before`: it had its turn on the due date `anchor` of this episode; it comes again in the next one.
    - `on_record`: it is `state` already; no fact changes that, it comes again in the next episode.
    """

    code: ObstacleCode
    until: datetime | None
    step: str | None
    anchor: date | None
    state: str | None
    hold_id: UUID | None
    cause: str | None
    released_by: list[str] = Field(description="Roles that may lift the hold by hand")
    past_due: list[Shortfall]


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
    obstacles: list[Obstacle] = Field(
        description="The smallest change of the plan's facts: without all of them something else becomes of the step"
    )
    gate: list[GateView] = Field(description="Each channel, asked at the first instant at which the step could happen")


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
    """What the contact rules say of one channel at ``at``, as they would to a permit asked for by the bank then, should
    no fact change. What only the asker knows (what a letter holds, how many go on a visit) counts as not known."""

    channel: str
    at: datetime
    contact_point_id: UUID | None = Field(description="The number or address it is asked of; one in use, if there is")
    legal_step: str | None = Field(description="As which legal step it is asked")
    earliest: datetime | None = Field(description="First instant at which it is permitted, as things stand")
    lift: SmallestChange | None = Field(description="Where refused: the smallest change of facts that would do")
    outcome: Literal["allow", "defer", "forbid"]
    until: datetime | None
    release: str | None
    reason: str | None = Field(
        description="Why, where it is not the rules: there are none, or nothing to reach them by"
    )
    rule_set: str | None
    fired: list[FiredRule]


class PlanAmount(BaseModel):
    currency: str
    amount: int


class PlanReminder(BaseModel):
    """What the customer is reminded of next, and what the contact rules say of each channel at that instant."""

    due_on: date
    at: datetime
    amounts: list[PlanAmount] = Field(description="Minor units that have to be there by then and are not")
    template: str
    gate: list[GateView]


class PlanLine(BaseModel):
    """A repayment plan in force, for which the ladder waits."""

    plan_id: UUID
    state: str
    reminder: PlanReminder | None
    why_none: str | None


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
    plans: list[PlanLine] = Field(description="Repayment plans in force, and what is said of them next")
