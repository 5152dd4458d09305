"""Hours that people agreed to or asked for, as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Instant, Text
from services.api.schemas.contacts import Reference, TargetName

HoursKind = Literal["consent", "preferred"]
HoursChannel = Literal["*", "sms", "email", "phone", "voice_bot", "letter", "visit"]
Clock = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Local time of the person")]


class HoursIn(Body):
    """``consent``: agreed to be contacted by one channel in hours that would else be quiet, until it ends, with its
    proof. ``preferred``: asked to be contacted only then."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1001",
                    "kind": "consent",
                    "channel": "phone",
                    "from_time": "22:00",
                    "to_time": "23:30",
                    "proof": "rec/2026-07/000123",
                    "ends_at": "2027-01-31T16:00:00+00:00",
                }
            ]
        }
    )

    customer_id: Text
    kind: HoursKind
    channel: HoursChannel = "*"
    from_time: Clock
    to_time: Clock = Field(description="Over midnight when it is the earlier of the two")
    weekdays: list[Annotated[int, Field(ge=0, le=6)]] = Field(
        default=[0, 1, 2, 3, 4, 5, 6], min_length=1, max_length=7, description="Monday is 0; for ``preferred``"
    )
    given_by: TargetName = "debtor"
    proof: Reference | None = Field(default=None, description="Recording or record in which it was said")
    starts_at: Instant | None = None
    ends_at: Instant | None = None


class HoursOut(BaseModel):
    hours_id: UUID
    customer_id: str
    kind: HoursKind
    channel: HoursChannel
    from_time: str
    to_time: str
    weekdays: list[int]
    given_by: TargetName
    proof: str | None
    starts_at: datetime
    ends_at: datetime | None
    withdrawn_at: datetime | None
    withdrawn_by: str | None
    recorded_at: datetime
    recorded_by: str
    row_version: int
