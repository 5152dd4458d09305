"""Follow-ups as the API shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

FollowUpState = Literal["planned", "deferred", "issued", "done", "failed", "suppressed", "passed_over", "cancelled"]
FollowUpKind = Literal["message", "call", "visit", "letter", "legal"]


class FollowUpOut(BaseModel):
    """One step of the ladder on one ``anchor`` (the oldest due not covered)."""

    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    policy_version: int
    step: str
    anchor: date
    kind: FollowUpKind
    due_at: datetime
    state: FollowUpState
    reason: str | None
    deferred_until: datetime | None
    decided_at: datetime
    actor: str
    row_version: int
