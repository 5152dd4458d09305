"""What contact rules ask of a person besides the profile, as the API takes and shows it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Instant, Text
from services.api.schemas.contacts import Reference, TargetName

CircumstanceKind = Literal["place", "point_place", "permission", "refused_place"]


class CircumstanceIn(Body):
    """``place``: the person lives or is reached in a part of a country that has rules of its own. ``point_place``: what
    kind of place a contact point is at. ``permission``: agreed to something that a rule asks consent for, with its
    proof. ``refused_place``: is not to be contacted at such a place."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "kind": "permission",
                    "value": "automated_contact",
                    "proof": "rec/2026-07/000124",
                }
            ]
        }
    )

    customer_id: Text
    kind: CircumstanceKind
    value: Annotated[str, Field(max_length=64)] = Field(
        description="``US-MA``, ``US-NYC``; ``personal``, ``work`` or ``other``; ``automated_contact``, "
        "``electronic``, ``entry``, ``visits``, ``unanswered_attempts``, or what a bank's own rule asks for"
    )
    contact_point_id: UUID | None = Field(default=None, description="Which one, of ``point_place``")
    given_by: TargetName = "debtor"
    proof: Reference | None = Field(default=None, description="Recording or record in which it was said")
    starts_at: Instant | None = None
    ends_at: Instant | None = None


class CircumstanceOut(BaseModel):
    circumstance_id: UUID
    customer_id: str
    kind: CircumstanceKind
    value: str
    contact_point_id: UUID | None
    given_by: TargetName
    proof: str | None
    starts_at: datetime
    ends_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    recorded_at: datetime
    recorded_by: str
    row_version: int
