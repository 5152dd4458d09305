"""What the contact gate is asked and what it must know: values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from types import MappingProxyType

ANY = "*"
_NONE: Mapping[str, int] = MappingProxyType({})
_NO_DAYS: Mapping[date, Mapping[str, int]] = MappingProxyType({})


class Channel(StrEnum):
    SMS = "sms"
    EMAIL = "email"
    PHONE = "phone"
    VOICE_BOT = "voice_bot"
    LETTER = "letter"
    VISIT = "visit"
    LEGAL = "legal"


class Purpose(StrEnum):
    """Why the customer is contacted. Exceptions are purposes of their own, never branches in code."""

    DUNNING = "dunning"
    DUE_REMINDER = "due_reminder"
    STATUTORY_NOTICE = "statutory_notice"
    ANSWER = "answer"  # to the customer's own contact: a complaint, a question
    SERVICE = "service"  # thanks for a payment, a receipt: no demand
    LOCATE = "locate"  # asking how the customer can be reached


@dataclass(frozen=True, slots=True)
class Proposal:
    """One contact that somebody or something would like to make, at ``at`` (timezone-aware)."""

    channel: str
    purpose: str
    at: datetime
    customer_id: str
    contact_point_id: str | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("a proposed instant carries its offset; this one has none")


@dataclass(frozen=True, slots=True)
class HoldFact:
    """A hold in force at the proposed instant. ``until`` is when it surely ends, None when somebody must lift it."""

    kind: str
    allowed_purposes: frozenset[str] = frozenset()
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The customer agreed to contact by one channel inside [``from_time``, ``to_time``) local time, over midnight
    when ``to_time`` is the earlier; valid in [``starts_at``, ``ends_at``). It lifts an hour rule, never a cap."""

    channel: str
    from_time: time
    to_time: time
    starts_at: datetime
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What is known of one customer and contact point; loaded under the customer's lock.

    ``zone`` is the customer's IANA zone, ``point_source`` one of the pack's lawful sources. ``reserved_today`` counts
    contacts per channel on the local date of the proposed instant: reserved, made, or of unknown outcome.
    ``reserved_on`` does so for other local dates (a date that is absent counts zero). ``counters`` are the day's other
    counters by the name a rule gives (``effective_talk``, ``announcement``, ``unanswered``). ``last_contact_at`` is the
    latest contact in the proposed channel. ``opted_out`` holds (channel, purpose) pairs, ``"*"`` for any.
    ``facts_pending`` says that events of this customer wait to be applied.
    """

    zone: str | None
    jurisdiction: str | None
    point_source: str | None
    point_usable: bool = True
    reserved_today: Mapping[str, int] = field(default_factory=lambda: _NONE)
    last_contact_at: datetime | None = None
    opted_out: frozenset[tuple[str, str]] = frozenset()
    holds: tuple[HoldFact, ...] = ()
    consents: tuple[Consent, ...] = ()
    facts_pending: bool = False
    reserved_on: Mapping[date, Mapping[str, int]] = field(default_factory=lambda: _NO_DAYS)
    counters: Mapping[str, int] = field(default_factory=lambda: _NONE)
