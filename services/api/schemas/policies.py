"""Policies and templates as the API shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Reason
from services.api.limits import Identifier, ShortText
from services.api.schemas.contact_rules import Jurisdiction

Language = Annotated[str, Field(min_length=2, max_length=35, pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$")]
Channel = Literal["sms", "email"]
TemplateState = Literal["draft", "review", "approved", "retired"]


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
    jurisdictions: list[str] = Field(description="Whose rules it was written for")
    state: TemplateState
    created_at: datetime
    created_by: str
    submitted_at: datetime | None
    submitted_by: str | None
    approved_at: datetime | None
    approved_by: str | None = Field(description="Nobody, where it ships with this version")
    approved_reason: str | None
    retired_at: datetime | None
    retired_by: str | None
    retired_reason: str | None
    row_version: int


class Objection(BaseModel):
    """What is wrong and where: line and column count from 1. ``rule`` is ``form`` where no contact rule is broken but
    the text can not be sent so: variables, length, signature, subject."""

    jurisdiction: str | None
    rule: str
    where: Literal["subject", "body"] | None
    line: int | None
    column: int | None
    message: str
    citation: str | None


class TextOut(BaseModel):
    """A text with what the rules object to today; while there is anything, it is not approved."""

    text: TemplateOut
    findings: list[Objection]


class TextIn(Body):
    """A new version of a text. Variables are written ``{{ name }}``."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "key": "overdue-first",
                    "language": "en",
                    "channel": "sms",
                    "purpose": "dunning",
                    "body": "【{{ bank }}】Card {{ card_last4 }}: {{ past_due }} is past due. Call {{ hotline }}."
                    " {{ opt_out }}",
                    "jurisdictions": ["CN"],
                }
            ]
        },
    )

    key: Identifier
    language: Literal["zh-CN", "en"]
    channel: Channel
    purpose: Literal["dunning", "due_reminder", "statutory_notice", "answer", "service", "locate"]
    subject: Annotated[str, Field(min_length=1, max_length=200)] | None = Field(default=None, description="For e-mail")
    body: Annotated[str, Field(min_length=1, max_length=10_000)]
    jurisdictions: Annotated[list[Jurisdiction], Field(min_length=1, max_length=20)]


class TextReason(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "read beside the wording of the notice"}]})

    reason: Reason


class FlaggedText(BaseModel):
    key: str
    language: str
    channel: Channel
    version: int
    findings: list[Objection]


class FlaggedTexts(BaseModel):
    """Approved texts that break a rule on a date, and are not sent from it on."""

    on: date
    read: int = Field(description="How many texts are approved")
    texts: list[FlaggedText]


class PreviewIn(Body):
    """Sample values stand in for the variables that are not given."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"language": "zh-CN", "channel": "sms", "variables": {"past_due": "¥800.00"}}]},
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
