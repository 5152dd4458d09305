"""Follow-ups as the API shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

FollowUpState = Literal["planned", "deferred", "issued", "done", "failed", "suppressed", "passed_over", "cancelled"]
FollowUpKind = Literal["message", "call", "visit", "letter", "legal"]


class FollowUpOut(BaseModel):
    """One step of the ladder on one ``anchor`` (the oldest due not covered)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "follow_up_id": "0f0c8f1e-51a1-8f3e-a0cd-9d3c4b1c9f10",
                    "case_id": "6f3e0c0e-8f4a-8c3b-9a51-0d4f5b1f9b11",
                    "customer_id": "C-1001",
                    "policy_version": 1,
                    "step": "m1-sms-3",
                    "anchor": "2026-11-01",
                    "kind": "message",
                    "due_at": "2026-11-04T02:00:00+00:00",
                    "state": "planned",
                    "reason": None,
                    "deferred_until": None,
                    "decided_at": "2026-11-02T00:00:00+00:00",
                    "actor": "planner",
                    "row_version": 1,
                }
            ]
        }
    )

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
