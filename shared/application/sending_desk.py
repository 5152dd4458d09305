"""What the sender has on its desk for one customer, and what it decides about each message. Pure but for its inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Protocol
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
    decide,
)
from shared.domain.contact_facts import Consent, PastContact, PreferredHours
from shared.domain.contact_record import facts_to_document
from shared.domain.hold import Hold, hold_facts

RETRY_FACTS = timedelta(minutes=1)
POINT_KINDS: Mapping[str, tuple[str, ...]] = {"sms": ("mobile",), "email": ("email",)}


@dataclass(frozen=True, slots=True)
class DueMessage:
    message_id: UUID
    case_id: UUID | None
    follow_up_id: UUID | None
    about: str
    step: str
    purpose: str
    template: str
    channels: tuple[str, ...]
    tries: int


@dataclass(frozen=True, slots=True)
class Reach:
    """A contact point that may be used; ``value`` is E.164 or a mail address."""

    point_id: UUID
    kind: str
    source: str
    value: str


@dataclass(frozen=True, slots=True)
class Debt:
    """What a text may say of the debt: the worst overdue account, and all that is past due in its currency."""

    card_last4: str
    currency: str
    past_due: int
    oldest_due: date


@dataclass(slots=True)
class Desk:
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
    consents: tuple[Consent, ...] = ()
    preferred: tuple[PreferredHours, ...] = ()
    facts_pending: bool = False
    merged_away: bool = False
    debt: Debt | None = None
    card_last4: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """What is said, and the version of the template that said it."""

    subject: str | None
    body: str
    version: int


class Wording(Protocol):
    """Templates and their filling; raises ``WordingError`` when a text can not be made."""

    def compose(self, template: str, channel: str, desk: Desk, today: date) -> Text: ...


class WordingError(Exception):
    """No approved template, or a value that it needs is not there. Names the template, never a value."""


@dataclass(frozen=True, slots=True)
class Go:
    """Send by ``channel`` to ``reach``."""

    channel: str
    reach: Reach
    proposal: Proposal
    decision: Decision
    facts: ContactFacts


@dataclass(frozen=True, slots=True)
class Wait:
    until: datetime
    reason: str
    proposal: Proposal
    decision: Decision
    facts: ContactFacts


@dataclass(frozen=True, slots=True)
class Drop:
    """Not to be sent any more; ``reason`` is a code that operations and reports group by."""

    reason: str
    proposal: Proposal | None = None
    decision: Decision | None = None
    facts: ContactFacts | None = None


def moot(message: DueMessage, desk: Desk) -> str | None:
    """Why the message has lost its point since it was planned, or None."""
    if desk.merged_away:  # what protects the person moved to the customer that stays, and is not asked here
        return "moot: customer merged"
    state = desk.cases.get(message.case_id) if message.case_id is not None else None
    if message.purpose == Purpose.DUNNING:
        if state is not CaseState.OPEN:
            return f"moot: case {state.value if state else 'gone'}"
        if desk.debt is None:
            return "moot: nothing past due"
    if message.purpose == Purpose.SERVICE and state is CaseState.OPEN:
        return "moot: case open again"
    return None


def choose(message: DueMessage, desk: Desk, rules: RuleSet | None, now: datetime) -> Go | Wait | Drop:
    """Which channel the message goes by now, or until when it waits, or why it is dropped.

    Channels are asked in the step's order. One that is forbidden for good (opted out, no usable point) gives way to the
    next; one that must only wait does not, because a quiet hour is no reason to change the channel."""
    pointless = moot(message, desk)
    if pointless is not None:
        return Drop(pointless)
    if rules is None:
        return Drop("forbidden: no contact rules for the customer's jurisdiction")
    refused: Drop | None = None
    for channel in message.channels:
        reach = next((point for point in desk.reach if point.kind in POINT_KINDS[channel]), None)
        if reach is None:
            refused = refused or Drop("no usable contact point")
            continue
        facts = facts_of(desk, channel, reach, now)
        proposal = Proposal(channel, message.purpose, now, desk.customer_id, str(reach.point_id))
        decision = decide(proposal, facts, rules)
        if decision.outcome is Outcome.ALLOW:
            return Go(channel, reach, proposal, decision, facts)
        reason = decision.fired[0].rule_id if decision.fired else "contact rules"
        if decision.outcome is Outcome.DEFER and decision.until is not None:
            return Wait(decision.until, reason, proposal, decision, facts)
        if decision.retry:
            return Wait(now + RETRY_FACTS, "facts pending", proposal, decision, facts)
        refused = Drop(f"forbidden: {reason}", proposal, decision, facts)
    return refused or Drop("no channel left")


class Sourced(Protocol):
    """A contact point, as far as the gate has to know it."""

    @property
    def source(self) -> str: ...


def facts_of(desk: Desk, channel: str, reach: Sourced | None, now: datetime) -> ContactFacts:
    today = local_date(now, desk.zone) if desk.zone else None
    return ContactFacts(
        zone=desk.zone,
        jurisdiction=desk.jurisdiction,
        point_source=None if reach is None else reach.source,
        point_usable=True,
        reserved_today=desk.contacts.get(today, {}) if today else {},
        last_contact_at=desk.last_contacts.get(channel),
        opted_out=frozenset((channel, ANY) for channel in desk.opted_out),
        holds=hold_facts(desk.holds, now),
        facts_pending=desk.facts_pending,
        reserved_on=desk.contacts,
        history=desk.history,
        consents=desk.consents,
        preferred=desk.preferred,
    )


def reserve(desk: Desk, channel: str, now: datetime, today: date) -> None:
    """Count the contact at once, so that the next message on this desk sees it."""
    counts = desk.contacts.setdefault(today, {})
    counts[channel] = counts.get(channel, 0) + 1
    desk.last_contacts[channel] = now


def explained(proposal: Proposal, decision: Decision, facts: ContactFacts, channel: str | None) -> dict[str, Any]:
    """The decision with what it saw, enough to take it again: stored with the message (L10). ``channel`` is the one it
    goes by; none while it waits or when it is dropped."""
    asked = {"channel": proposal.channel, "purpose": proposal.purpose, "at": proposal.at.isoformat()}
    if facts.history:  # only then does it matter which number or address it was
        asked["contact_point_id"] = str(proposal.contact_point_id)
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
