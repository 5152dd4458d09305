"""Contact rules and the bank's own over them, as the API takes and shows them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Day, Reason, Text

OverlayState = Literal["proposed", "signed", "withdrawn"]
Jurisdiction = Annotated[str, Field(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$", examples=["CN"])]
Free = dict[str, Any]


class RuleSetHead(BaseModel):
    """``label`` is what decisions name their rule set by; ``overlay_id`` is of the newest change in it."""

    jurisdiction: str
    name: str
    version: int
    label: str
    hash: str
    rules: int = Field(description="Versions of rules, those that wait for their date included")
    overlay_id: UUID | None
    released_at: datetime
    released_by: str


class RuleOut(BaseModel):
    """A rule in the version of the date that was asked about. ``channels``, ``purposes`` and ``targets`` are null where
    it is about all of them."""

    id: str
    kind: str
    text: str
    citation: str
    strength: str = Field(description="L statute, N notice, G standard, g guideline, C contract, E our own")
    verified: bool
    note: str | None
    channels: list[str] | None
    purposes: list[str] | None
    targets: list[str] | None
    when: Free
    parameters: Free
    valid_from: date
    valid_to: date | None


class RulesOut(BaseModel):
    """The rule set that was in force, and its rules on ``on``."""

    jurisdiction: str
    name: str
    version: int
    label: str
    hash: str
    overlay_id: UUID | None
    released_at: datetime
    released_by: str
    on: date = Field(description="The date of the instant that was asked about, by the clock that it was written in")
    rules: list[RuleOut]


class RuleChange(Body):
    """What of one rule becomes otherwise. ``parameters`` are laid over those that it has; null takes one away."""

    rule: Text
    parameters: Free | None = None
    channels: list[Text] | None = Field(default=None, description="A rule may reach more of them")
    purposes: list[Text] | None = None
    targets: list[Text] | None = None
    retire: bool = Field(default=False, description="The rule ends")
    why: Reason | None = Field(default=None, description="Where it is another reason than the proposal's")


class OverlayIn(Body):
    """The bank's own rules over a jurisdiction's pack. ``add`` and ``add_texts`` are whole rules as packs have them,
    but for their dates."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "jurisdiction": "CN",
                    "from": "2026-08-01",
                    "changes": [{"rule": "cn-sms-cap", "parameters": {"max": 1}}],
                    "reason": "complaints about texts rose in June",
                }
            ]
        },
    )

    jurisdiction: Jurisdiction
    starts: Day = Field(alias="from", description="The first local date on which it holds")
    changes: list[RuleChange] = Field(default_factory=list, max_length=100)
    add: list[Free] = Field(default_factory=list, max_length=50)
    add_texts: list[Free] = Field(default_factory=list, max_length=50)
    reason: Reason


class Loosened(BaseModel):
    rule: str
    what: list[str] = Field(description="Parameters, scopes, or `all` where the rule ends")


class OverlayOut(BaseModel):
    """``base`` is the hash of the rule set it was proposed over, ``rule_set`` of the one that came of it."""

    overlay_id: UUID
    jurisdiction: str
    version: int
    starts: date = Field(alias="from")
    state: OverlayState
    reason: str
    changes: list[Free]
    add: list[Free]
    add_texts: list[Free]
    loosens: list[Loosened] = Field(description="What it permits that is not permitted now: needs to be signed for")
    base: str
    rule_set: str | None
    proposed_by: str
    proposed_at: datetime
    signed_by: str | None
    signed_at: datetime | None
    signed_reason: str | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None
    withdrawn_reason: str | None
    row_version: int


class OverlaySignature(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "seen with what it would have blocked"}]})

    reason: Reason
    accepts_loosening: bool = Field(default=False, description="I have seen what ``loosens`` lists, and answer for it")


class OverlayWithdrawal(Body):
    model_config = ConfigDict(json_schema_extra={"examples": [{"reason": "the guideline says otherwise"}]})

    reason: Reason


Word = Literal["blocked", "deferred", "allowed", "eased", "moved"]


class DryRunExample(BaseModel):
    """One past question, by the id of its message or permit."""

    about: Literal["message", "permit"]
    id: UUID
    at: datetime
    channel: str
    purpose: str
    consequence: Word
    before: str
    after: str
    until: datetime | None
    rules: list[str]


class RuleEffect(BaseModel):
    rule: str
    blocked: int
    deferred: int
    allowed: int
    eased: int
    moved: int


class DryRunOut(BaseModel):
    """Past questions, each asked of the facts as they were, by the rules in force and by those with the proposal in
    them; what would have followed from another answer is not played on."""

    overlay_id: UUID
    base: str = Field(description="The rule set in force that it was compared with")
    since: datetime
    asked: int
    more: bool = Field(description="There are older ones in the period that were not asked: raise the limit")
    unreadable: int
    blocked: int = Field(description="Would have been refused")
    deferred: int = Field(description="Were allowed, and would have had to wait")
    allowed: int = Field(description="Would have been allowed")
    eased: int = Field(description="Were refused, and would only have had to wait")
    moved: int = Field(description="Had to wait until another instant")
    rules: list[RuleEffect]
    examples: list[DryRunExample] = Field(description="At most five of each consequence, the newest")
