"""What the contact gate is asked and what it must know: values only.

A fact that is None is not known, and where a rule needs it the contact is refused. What only ever restricts (holds,
opt-outs, findings, refusals) is a collection instead: empty means that nothing of the kind is on record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from types import MappingProxyType

ANY = "*"
EVERY_WEEKDAY = frozenset(range(7))
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
    LOCATE = "locate"  # asking how the customer can be reached, or to pass a word on


class Target(StrEnum):
    """Who is contacted. Everybody but the debtor is a third party with rules of their own."""

    DEBTOR = "debtor"
    GUARANTOR = "guarantor"
    CONTACT_PERSON = "contact_person"  # named by the debtor, owes nothing
    RELATED_PERSON = "related_person"  # answers for the debt in some way: a spouse whose household spent it
    ESTATE = "estate"  # administrator or heirs
    REPRESENTATIVE = "representative"  # attorney, guardian, debt adviser
    OTHER = "other"  # relatives, colleagues, neighbours


class Collector(StrEnum):
    """In whose name the contact is made: some laws bind only who collects for others, or what they bought."""

    BANK = "bank"
    AGENCY = "agency"
    DEBT_BUYER = "debt_buyer"


class DebtorState(StrEnum):
    REACHABLE = "reachable"
    LOST = "lost"
    DECEASED = "deceased"
    INCAPABLE = "incapable"


class AnsweredBy(StrEnum):
    RIGHT_PARTY = "right_party"  # the person who was to be reached, identity confirmed
    OTHER_PERSON = "other_person"
    VOICEMAIL = "voicemail"
    MACHINE = "machine"
    NOBODY = "nobody"  # rang out, busy, switched off, rejected


@dataclass(frozen=True, slots=True)
class Content:
    """What the text or script holds. ``parts`` are the required parts that are in it (``opt_out``, ``sender``, ...),
    ``says_debt`` whether it tells anything of the debt, ``findings`` what a review or the linter found wrong with it
    (``threat``, ``false_claim``, ``impersonation``, ...)."""

    parts: frozenset[str] | None = None
    says_debt: bool | None = None
    findings: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Manner:
    """How it is to be done. ``automated``: dialled or spoken by a machine; ``account_registered``: the sending number
    or account is one the bank has on its register; ``staff``: how many go on a visit; ``entry``: it enters a home or
    another private place; ``public_posting``: paper is left where others read it; ``announced``: the visit was."""

    automated: bool | None = None
    account_registered: bool | None = None
    staff: int | None = None
    recorded: bool | None = None
    entry: bool | None = None
    public_posting: bool | None = None
    announced: bool | None = None
    legal_step: str | None = None


@dataclass(frozen=True, slots=True)
class Override:
    """A guideline ("preferably not") set aside for one contact: by whom, approved by another person, and why."""

    rule_id: str
    reason: str
    requested_by: str
    approved_by: str

    @property
    def valid(self) -> bool:
        words = (self.reason.strip(), self.requested_by.strip(), self.approved_by.strip())
        return all(words) and self.requested_by != self.approved_by


@dataclass(frozen=True, slots=True)
class Proposal:
    """One contact that somebody or something would like to make, at ``at`` (timezone-aware).

    ``debts`` are the accounts it is about; empty means not known, and then what was said about any debt counts.
    ``person_id`` tells third parties of one kind apart.
    """

    channel: str
    purpose: str
    at: datetime
    customer_id: str
    contact_point_id: str | None = None
    target: str = Target.DEBTOR.value
    person_id: str | None = None
    debts: frozenset[str] = frozenset()
    content: Content = Content()
    manner: Manner = Manner()
    overrides: tuple[Override, ...] = ()

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
    """``given_by`` agreed to contact by one channel inside [``from_time``, ``to_time``) local time, over midnight
    when ``to_time`` is the earlier; valid in [``starts_at``, the earlier of ``ends_at`` and ``withdrawn_at``). It
    lifts an hour rule, never a cap, and for no other channel or person. ``proof`` names the recording or record."""

    channel: str
    from_time: time
    to_time: time
    starts_at: datetime
    ends_at: datetime | None = None
    withdrawn_at: datetime | None = None
    given_by: str = Target.DEBTOR.value
    proof: str | None = None

    def valid_at(self, at: datetime) -> bool:
        ended = self.ends_at is not None and at >= self.ends_at
        withdrawn = self.withdrawn_at is not None and at >= self.withdrawn_at
        return self.starts_at <= at and not ended and not withdrawn


@dataclass(frozen=True, slots=True)
class PreferredHours:
    """The person asked to be contacted by ``channel`` (``"*"``: any) only in [``from_time``, ``to_time``) local time
    on ``weekdays`` (Monday is 0). Several for one channel add up."""

    channel: str
    from_time: time
    to_time: time
    weekdays: frozenset[int] = EVERY_WEEKDAY


@dataclass(frozen=True, slots=True)
class PlaceRefusal:
    """Not to be contacted at this kind of place (``work``), by request or because it is known to be forbidden there;
    ``until`` when the request binds for a time only."""

    place: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastContact:
    """A row of the event table: a contact or attempt that was made, is reserved, or of which the outcome is not known.

    What is None counts against every cap it might belong to. ``debts`` empty: it may have been about any. ``connected``
    means that the dialled number was reached, whoever answered; ``consented`` that the person had asked for this call;
    ``announcement`` that it played a notice instead of talking; ``place`` what kind of place the point is.
    """

    at: datetime
    channel: str
    purpose: str | None = None
    outbound: bool = True
    target: str = Target.DEBTOR.value
    person_id: str | None = None
    contact_point_id: str | None = None
    debts: frozenset[str] = frozenset()
    initiator: str | None = None
    answered_by: str | None = None
    connected: bool | None = None
    effective_talk: bool | None = None
    talk_seconds: int | None = None
    announcement: bool = False
    consented: bool = False
    place: str | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("the instant of a contact carries its offset; this one has none")


@dataclass(frozen=True, slots=True)
class Addressee:
    """What is on record of the person to be contacted, where it is not the debtor."""

    refused: bool | None = None  # said once: do not contact me
    evidence: bool | None = None  # of why this person answers for the debt
    guarantee_in_force: bool | None = None
    within_estate: bool | None = None  # the claim is limited to what was inherited


@dataclass(frozen=True, slots=True)
class Mandate:
    """Of who collects: on the bank's list of agencies, told to the customer, licensed, the assignment notified."""

    listed: bool | None = None
    announced: bool | None = None
    licensed: bool | None = None
    assignment_notified: bool | None = None


@dataclass(frozen=True, slots=True)
class LegalStanding:
    """Of the debt, for legal steps. ``limitation_ends_on``: the last local date on which the claim can be brought.
    ``notice_days``: full days since the notice that the step needs. ``principal``: minor units by currency.
    ``effective_collections``: dates of demands whose receipt is proved."""

    limitation_ends_on: date | None = None
    legal_approval: bool | None = None
    ombudsman_open: bool | None = None
    military_checked: bool | None = None
    notice_days: int | None = None
    principal: Mapping[str, int] | None = None
    effective_collections: tuple[date, ...] | None = None


@dataclass(frozen=True, slots=True)
class ContactFacts:
    """What is known of one customer and contact point; loaded under the customer's lock.

    ``zone`` is the customer's IANA zone, ``point_source`` one of the pack's lawful sources. ``reserved_today`` counts
    contacts per channel on the local date of the proposed instant: reserved, made, or of unknown outcome.
    ``reserved_on`` does so for other local dates (a date that is absent counts zero). ``counters`` are the day's other
    counters by the name a rule gives (``effective_talk``, ``announcement``, ``unanswered``). All three count what
    ``history`` does not list. ``last_contact_at`` is the latest contact in the proposed channel. ``opted_out`` holds
    (channel, purpose) pairs, ``"*"`` for any. ``facts_pending`` says that events of this customer wait to be applied.

    ``zones`` are other zones the person may be in: hours and dates have to be fine in each. ``places`` are the parts
    of a jurisdiction with rules of their own (``US-MA``), empty when none. ``permissions`` are what the person agreed
    to on record besides hours (``automated_contact``, ``entry``). ``quiet_dates`` are days to be left in peace.
    ``number_invalid_at`` is when the debtor's own number proved to be out of use.
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
    zones: tuple[str, ...] = ()
    places: frozenset[str] | None = None
    collector: str | None = Collector.BANK.value
    debtor_state: str | None = None
    number_invalid_at: datetime | None = None
    point_place: str | None = None
    refused_places: tuple[PlaceRefusal, ...] = ()
    preferred: tuple[PreferredHours, ...] = ()
    quiet_dates: frozenset[date] = frozenset()
    permissions: frozenset[str] | None = None
    history: tuple[PastContact, ...] = ()
    addressee: Addressee = Addressee()
    mandate: Mandate = Mandate()
    standing: LegalStanding = LegalStanding()
