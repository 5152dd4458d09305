"""What the sender has on its desk for one customer, and what it decides about each message. Pure but for its inputs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, datetime, timedelta
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared.domain.calendar import local_date
from shared.domain.case import CaseState
from shared.domain.contact import (
    ANY,
    ContactFacts,
    Decision,
    Outcome,
    Proposal,
    Purpose,
    RuleSet,
    allowed_until,
    decide,
)
from shared.domain.contact_facts import Consent, Manner, PastContact, PlaceRefusal, PreferredHours
from shared.domain.contact_record import facts_to_document
from shared.domain.hold import Hold, hold_facts

RETRY_FACTS = timedelta(minutes=1)
_NO_CONTACTS: Mapping[date, Mapping[str, int]] = MappingProxyType({})
_NONE: Mapping[str, int] = MappingProxyType({})
_NOWHERE: frozenset[tuple[str, str]] = frozenset()
RulesInForce = Callable[[str], RuleSet | None]
"""The contact rules of a jurisdiction; None where there are none."""
_BY_MACHINE, _PLAIN = Manner(automated=True), Manner()
POINT_KINDS: Mapping[str, tuple[str, ...]] = {"sms": ("mobile",), "email": ("email",)}


class DueMessage(NamedTuple):
    """``overtaken``: a later step of its case, with a message of its own, was issued meanwhile. ``outlived``: its case
    was cured since it was issued, and is about other dues now if ``anchor`` is none of them; thanks are, when the case
    was cured again."""

    message_id: UUID
    case_id: UUID | None
    follow_up_id: UUID | None
    about: str
    step: str
    purpose: str
    template: str
    channels: tuple[str, ...]
    tries: int
    overtaken: bool = False
    outlived: bool = False
    anchor: date | None = None


class Reach(NamedTuple):
    """A contact point that may be used. ``opened()`` is its E.164 number or mail address: it is kept sealed, and of a
    customer's points only the one that is written to is opened."""

    point_id: UUID
    kind: str
    source: str
    opened: Callable[[], str]


class Debt(NamedTuple):
    """What a text may say of the debt: the worst overdue account, and all that is past due in its currency."""

    card_last4: str
    currency: str
    past_due: int
    oldest_due: date


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a message that is not about the debt as a whole may say: ``amounts`` in minor units by currency, of ``day``.
    ``moot``: why it has lost its point. ``account_ids``: those it is about, the one whose card is named first."""

    moot: str | None = None
    amounts: tuple[tuple[str, int], ...] = ()
    day: date | None = None
    account_ids: tuple[str, ...] = ()


@dataclass(slots=True)
class Desk:
    """``contacts`` and ``last_contacts`` tell what the sender sent by day and channel, ``history`` what others did.
    Where the customer's rules ask for every text (``lists_texts``), all of it is in ``history`` instead. Of channels in
    ``asks_permission`` they ask what the person agreed to. ``point_places`` is by contact point."""

    customer_id: str
    name: str
    language: str
    zone: str | None
    jurisdiction: str | None
    messages: list[DueMessage] = field(default_factory=list)
    cases: dict[UUID, CaseState] = field(default_factory=dict)
    reach: list[Reach] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    opted_out: set[str] = field(default_factory=set)
    contacts: dict[date, dict[str, int]] = field(default_factory=dict)
    last_contacts: dict[str, datetime] = field(default_factory=dict)
    history: tuple[PastContact, ...] = ()
    lists_texts: bool = False
    consents: tuple[Consent, ...] = ()
    preferred: tuple[PreferredHours, ...] = ()
    asks_permission: frozenset[str] = frozenset()
    permissions: frozenset[str] = frozenset()
    places: frozenset[str] | None = None
    point_places: dict[str, str] = field(default_factory=dict)
    refused_places: tuple[PlaceRefusal, ...] = ()
    facts_pending: bool = False
    merged_away: bool = False
    debt: Debt | None = None
    card_last4: str = ""
    spoken: dict[UUID, Spoken] = field(default_factory=dict)  # by message
    cards: dict[str, str] = field(default_factory=dict)  # the last four digits, by account
    account_holds: list[Hold] = field(default_factory=list)


class Text(NamedTuple):
    """What is said, and the version of the template that said it."""

    subject: str | None
    body: str
    version: int


class Wording(Protocol):
    """Templates and their filling; raises ``WordingError`` when a text can not be made."""

    def compose(self, template: str, channel: str, desk: Desk, today: date, spoken: Spoken | None = None) -> Text: ...


class WordingError(Exception):
    """No approved template, or a value that it needs is not there. Names the template, never a value."""


@dataclass(eq=False, slots=True)
class Ruling:
    """What the gate answered to one proposal, with what it saw."""

    proposal: Proposal
    facts: ContactFacts
    rules: RuleSet
    decision: Decision
    _closes_at: datetime | None = None
    _notes: dict[str | None, dict[str, Any]] = field(default_factory=dict)

    def closes_at(self) -> datetime:
        """Until when the hours last in which an allowed contact may be made."""
        if self._closes_at is None:
            self._closes_at = allowed_until(self.proposal, self.facts, self.rules)
        return self._closes_at

    def note(self, channel: str | None) -> dict[str, Any]:
        """What is stored with a message that this was decided on (L10)."""
        known = self._notes.get(channel)
        if known is None:
            known = self._notes[channel] = explained(self.proposal, self.decision, self.facts, channel)
        return known


class Rulings:
    """The gate's answers at one instant. Most customers of a batch are alike to the gate, and what it knows of two to
    be the same is decided once: its answer follows from channel, purpose, instant and facts alone, whoever it is."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._known: dict[tuple[Any, ...], Ruling] = {}

    def ask(self, purpose: str, channel: str, desk: Desk, reach: Reach, rules: RuleSet) -> Ruling:
        if _ON_FILE(desk) == _NOTHING:  # as of most: then this is all that the facts would be made of
            asked = (rules.label, channel, purpose, desk.zone, desk.jurisdiction, reach.source, desk.facts_pending)
            plain = (*asked, channel in desk.asks_permission)
            known = self._known.get(plain)
            if known is None:
                facts = facts_of(desk, channel, reach, self.now)
                known = self._known[plain] = self._decided(purpose, channel, desk, reach, rules, facts)
            return known
        facts = facts_of(desk, channel, reach, self.now)
        if facts.history:  # then it matters whose number it is, and nobody else's past is the same
            return self._decided(purpose, channel, desk, reach, rules, facts)
        key = (rules.label, channel, purpose, *alike_by(facts))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._decided(purpose, channel, desk, reach, rules, facts)
        return known

    def _decided(
        self, purpose: str, channel: str, desk: Desk, reach: Reach, rules: RuleSet, facts: ContactFacts
    ) -> Ruling:
        manner = manner_of(desk, channel)
        proposal = Proposal(channel, purpose, self.now, desk.customer_id, str(reach.point_id), manner=manner)
        return Ruling(proposal, facts, rules, decide(proposal, facts, rules))


def manner_of(desk: Desk, channel: str) -> Manner:
    """How a message is sent: by a machine. Told only where rules ask, since it is stored with every decision."""
    return _BY_MACHINE if channel in desk.asks_permission and channel in POINT_KINDS else _PLAIN


def alike_by(facts: ContactFacts) -> list[Any]:
    """All that the gate is told, as a key: customers of whom it is the same are alike to the gate."""
    return [_frozen(fact) if type(fact) in _MAPS else fact for fact in _ALL_FACTS(facts)]


# What is no fact about the person, or is a part of the key by itself. Whatever a desk gets new is taken for a fact.
_APART = {
    *("customer_id", "name", "language", "zone", "jurisdiction", "messages", "cases", "reach", "debt", "card_last4"),
    *("lists_texts", "asks_permission", "facts_pending", "merged_away", "spoken", "cards", "account_holds"),
}
_ON_FILE = attrgetter(*(each.name for each in fields(Desk) if each.name not in _APART))
_NOTHING = _ON_FILE(Desk("", "", "", None, None))


_ALL_FACTS = attrgetter(*(each.name for each in fields(ContactFacts)))


_MAPS = (dict, MappingProxyType)


def _frozen(mapping: Mapping[Any, Any]) -> tuple[Any, ...]:
    return (
        tuple(sorted([(key, _frozen(v) if type(v) in _MAPS else v) for key, v in mapping.items()])) if mapping else ()
    )


class Go(NamedTuple):
    """Send by ``channel`` to ``reach``."""

    channel: str
    reach: Reach
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Wait:
    until: datetime
    reason: str
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class Drop:
    """Not to be sent any more; ``reason`` is a code that operations and reports group by."""

    reason: str
    ruling: Ruling | None = None


def moot(message: DueMessage, desk: Desk) -> str | None:
    """Why the message has lost its point since it was planned, or None."""
    if desk.merged_away:  # what protects the person moved to the customer that stays, and is not asked here
        return "moot: customer merged"
    spoken = desk.spoken.get(message.message_id)
    if spoken is not None:
        return None if spoken.moot is None else f"moot: {spoken.moot}"
    state = desk.cases.get(message.case_id) if message.case_id is not None else None
    if message.purpose == Purpose.DUNNING:
        return _moot_reminder(message, desk, state)
    if message.purpose == Purpose.SERVICE:
        if state is CaseState.OPEN:
            return "moot: case open again"
        if message.outlived:
            return "moot: cured again since"
    return None


def _moot_reminder(message: DueMessage, desk: Desk, state: CaseState | None) -> str | None:
    if state is not CaseState.OPEN:
        return f"moot: case {state.value if state else 'gone'}"
    if desk.debt is None:
        return "moot: nothing past due"
    if message.overtaken:  # it waited too long: nobody is reminded twice because we were late
        return "moot: a later step is due"
    if message.outlived and message.anchor is not None and message.anchor < desk.debt.oldest_due:
        return "moot: the debt it was about was paid"
    return None


def choose(message: DueMessage, desk: Desk, rules: RuleSet | None, rulings: Rulings) -> Go | Wait | Drop:
    """Which channel the message goes by now, or until when it waits, or why it is dropped.

    Channels are asked in the step's order. One that is forbidden for good (opted out, no usable point) gives way to the
    next; one that must only wait does not, because a quiet hour is no reason to change the channel."""
    pointless = moot(message, desk)
    if pointless is not None:
        return Drop(pointless)
    if rules is None:
        return Drop("forbidden: no contact rules for the customer's jurisdiction")
    refused: Drop | None = None
    spoken = desk.spoken.get(message.message_id)
    seen = desk if spoken is None else bound_by(desk, spoken.account_ids)
    for channel in message.channels:
        reach = next((point for point in desk.reach if point.kind in POINT_KINDS[channel]), None)
        if reach is None:
            refused = refused or Drop("no usable contact point")
            continue
        ruling = rulings.ask(message.purpose, channel, seen, reach, rules)
        decision = ruling.decision
        if decision.outcome is Outcome.ALLOW:
            return Go(channel, reach, ruling)
        reason = decision.fired[0].rule_id if decision.fired else "contact rules"
        if decision.outcome is Outcome.DEFER and decision.until is not None:
            return Wait(decision.until, reason, ruling)
        if decision.retry:
            return Wait(rulings.now + RETRY_FACTS, "facts pending", ruling)
        refused = Drop(f"forbidden: {reason}", ruling)
    return refused or Drop("no channel left")


def bound_by(desk: Desk, account_ids: Collection[str]) -> Desk:
    """The desk as the gate has to see it for what is said of some accounts: with the holds on the person and on those,
    whatever else the customer is followed for."""
    held = [hold for hold in desk.holds if hold.account_id is None]
    return replace(desk, holds=held + [hold for hold in desk.account_holds if hold.account_id in account_ids])


class Sourced(Protocol):
    """A contact point, as far as the gate has to know it."""

    @property
    def source(self) -> str: ...


def facts_of(desk: Desk, channel: str, reach: Sourced | None, now: datetime) -> ContactFacts:
    """What the gate has to know, as it stands: reserving another contact on the desk does not change it."""
    today = local_date(now, desk.zone) if desk.zone else None
    contacts = {day: dict(counts) for day, counts in desk.contacts.items()} if desk.contacts else _NO_CONTACTS
    return ContactFacts(
        zone=desk.zone,
        jurisdiction=desk.jurisdiction,
        point_source=None if reach is None else reach.source,
        point_usable=True,
        reserved_today=contacts.get(today, _NONE) if today else _NONE,
        last_contact_at=desk.last_contacts.get(channel),
        opted_out=frozenset((channel, ANY) for channel in desk.opted_out) if desk.opted_out else _NOWHERE,
        holds=hold_facts(desk.holds, now) if desk.holds else (),
        facts_pending=desk.facts_pending,
        reserved_on=contacts,
        history=desk.history,
        consents=desk.consents,
        preferred=desk.preferred,
        permissions=desk.permissions if channel in desk.asks_permission else None,
        places=desk.places,
        # A third party is reached at no point of the debtor's, and has no ``point_id``.
        point_place=desk.point_places.get(str(getattr(reach, "point_id", None))) if desk.point_places else None,
        refused_places=desk.refused_places,
    )


def reserve(desk: Desk, message: DueMessage, channel: str, reach: Reach, now: datetime) -> None:
    """Count the contact at once, so that the next message on this desk sees it."""
    if desk.lists_texts:
        point = str(reach.point_id)
        place = desk.point_places.get(point)
        text = PastContact(now, channel, message.purpose, contact_point_id=point, place=place)
        desk.history = (*desk.history, text)
        return
    counts = desk.contacts.setdefault(local_date(now, desk.zone or "UTC"), {})
    counts[channel] = counts.get(channel, 0) + 1
    desk.last_contacts[channel] = now


def explained(proposal: Proposal, decision: Decision, facts: ContactFacts, channel: str | None) -> dict[str, Any]:
    """The decision with what it saw, enough to take it again: stored with the message (L10). ``channel`` is the one it
    goes by; none while it waits or when it is dropped."""
    asked: dict[str, Any] = {"channel": proposal.channel, "purpose": proposal.purpose, "at": proposal.at.isoformat()}
    if facts.history:  # only then does it matter which number or address it was
        asked["contact_point_id"] = str(proposal.contact_point_id)
    if proposal.manner.automated is not None:
        asked["manner"] = {"automated": proposal.manner.automated}
    return {
        "at": proposal.at.isoformat(),
        "channel": channel,
        "outcome": decision.outcome,
        "until": decision.until.isoformat() if decision.until else None,
        "release": decision.release,
        "rule_set": decision.rule_set,
        "fired": [[one.rule_id, one.outcome, one.until.isoformat() if one.until else None] for one in decision.fired],
        "proposal": asked,
        "facts": facts_to_document(facts),
    }
