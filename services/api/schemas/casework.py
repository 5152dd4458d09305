"""What people write on cases and follow-ups."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Instant
from services.api.limits import LongText
from services.api.schemas.codes import ReasonCode, Subject


class NoteIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "Asks to be called after six."}]})

    text: LongText = Field(description="Kept encrypted")


class Assignment(Body):
    """Whose a case is; both null: nobody's, and every collector sees it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"owner": "li.na", "team": "south"}]})

    owner: Subject | None
    team: Subject | None


class Deferral(Body):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"until": "2026-12-01T01:00:00+00:00", "reason": "salary_day"}]}
    )

    until: Instant = Field(description="Not due before then; after now and its due time, at most 90 days away")
    reason: ReasonCode


class Cancellation(Body):
    reason: ReasonCode


class DecidedFollowUp(BaseModel):
    """A follow-up after a person decided on it."""

    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    policy_version: int
    step: str
    anchor: date
    kind: str
    due_at: datetime
    state: str
    reason: str | None
    deferred_until: datetime | None
    decided_at: datetime
    actor: str
    row_version: int
