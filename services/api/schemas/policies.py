"""Policies and templates as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.limits import ShortText

Language = Annotated[str, Field(min_length=2, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
Channel = Literal["sms", "email"]


class PolicyHead(BaseModel):
    """A version of the policy; ``sha256`` is of its document."""

    version: int
    name: str
    state: Literal["draft", "active", "retired"]
    sha256: str
    created_at: datetime
    created_by: str


class PolicyOut(PolicyHead):
    document: dict[str, object] = Field(description="Grace, buckets, order of allocation, and a ladder by segment")


class TemplateOut(BaseModel):
    """One text in one language for one channel; ``variables`` are those it uses."""

    key: str
    language: str
    channel: Channel
    version: int
    purpose: str
    subject: str | None
    body: str
    variables: list[str]
    state: Literal["draft", "approved", "retired"]
    created_at: datetime
    created_by: str


class PreviewIn(BaseModel):
    """Sample values stand in for the variables that are not given."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"language": "zh-CN", "channel": "sms", "variables": {"past_due": "¥800.00"}}]},
        extra="forbid",
    )

    language: Language
    channel: Channel
    version: Annotated[int, Field(ge=1, lt=2**31)] | None = Field(
        default=None, description="The newest approved one unless given"
    )
    variables: dict[ShortText, ShortText] = Field(default_factory=dict, max_length=50)


class PreviewOut(BaseModel):
    key: str
    version: int
    language: str
    channel: Channel
    subject: str | None
    body: str
    sms_units: int | None = Field(description="Length of a text message as carriers count it")
