"""Contact preferences as the API takes and shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body

ContactChannel = Literal["sms", "email", "phone", "voice_bot", "letter", "visit"]
ToldBy = Literal["customer", "representative", "regulator", "complaint", "sms_reply", "unsubscribe_link"]


class PreferenceIn(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"opted_out": True, "source": "customer"}]})

    opted_out: bool = Field(description="true: do not use this channel")
    source: ToldBy = Field(description="Who told us")


class Preference(BaseModel):
    """``row_version`` 0: the customer has said nothing about this channel."""

    channel: ContactChannel
    opted_out: bool
    source: str | None
    changed_at: datetime | None
    row_version: int


class Preferences(BaseModel):
    customer_id: str
    channels: list[Preference]
