"""What a permit asks the contact gate: the proposal, and the facts that it is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from shared.application.limitation import ClaimOnFile, Limitations, LimitationStore, claims_about
from shared.application.sending import RuleShelf
from shared.application.sending_desk import Desk, facts_of
from shared.application.third_parties import ThirdPartyOnFile
from shared.domain.calendar import local_date
from shared.domain.contact import ContactFacts, Proposal, RuleSet
from shared.domain.contact_facts import Addressee, Channel, Content, DebtorState, Mandate, Manner, Target
from shared.domain.hold import Hold, HoldKind, hold_facts
from shared.domain.lost_contact import lost_contact

POINT_KINDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Channel.SMS.value: frozenset({"mobile"}),
        Channel.EMAIL.value: frozenset({"email"}),
        Channel.PHONE.value: frozenset({"mobile", "phone"}),
        Channel.VOICE_BOT.value: frozenset({"mobile", "phone"}),
        Channel.LETTER.value: frozenset({"address"}),
        Channel.VISIT.value: frozenset({"address"}),
        Channel.LEGAL.value: frozenset({"mobile", "phone", "email", "address"}),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Who is contacted, how, about what and in whose name. ``account_ids`` empty: about any of the debts."""

    customer_id: str
    point_id: UUID | None
    channel: str
    purpose: str
    target: str
    person_id: UUID | None
    account_ids: tuple[str, ...]
    announcement: bool
    party: str
    party_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitAsked:
    """``content``, ``manner`` and ``mandate`` are facts that only the asker knows; they are kept with the decision."""

    permit_id: UUID
    contact: Contact
    content: Content
    manner: Manner
    mandate: Mandate


@dataclass(frozen=True, slots=True)
class PointOnFile:
    point_id: UUID
    kind: str
    source: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnFile:
    """What is on file of one contact beside the customer's desk. ``held`` are holds on the accounts it is about,
    ``claims`` those that a legal step is about, ``own_out_of_use`` is asked for third parties only."""

    point: PointOnFile | None = None
    person: ThirdPartyOnFile | None = None
    held: Sequence[Hold] = ()
    claims: Sequence[ClaimOnFile] = ()
    own_out_of_use: datetime | None = None


class FactStore(LimitationStore, Protocol):
    async def contact_point(self, customer_id: str, point_id: UUID) -> PointOnFile | None: ...

    async def third_party(self, customer_id: str, person_id: UUID) -> ThirdPartyOnFile | None: ...

    async def own_numbers_out_of_use(self, customer_id: str) -> datetime | None: ...

    async def account_holds(self, account_ids: Sequence[str]) -> list[Hold]: ...


def proposal_of(asked: PermitAsked, now: datetime) -> Proposal:
    contact = asked.contact
    return Proposal(
        channel=contact.channel,
        purpose=contact.purpose,
        at=now,
        customer_id=contact.customer_id,
        contact_point_id=_point_of(contact),
        target=contact.target,
        person_id=None if contact.person_id is None else str(contact.person_id),
        debts=frozenset(contact.account_ids),
        content=asked.content,
        manner=asked.manner,
    )


def _point_of(contact: Contact) -> str | None:
    """A third party has one number or address on file, and it goes by their own id."""
    point_id = contact.point_id if contact.target == Target.DEBTOR else contact.person_id
    return None if point_id is None else str(point_id)


async def gate_facts(tx: FactStore, desk: Desk, asked: PermitAsked, rules: RuleSet, shelf: RuleShelf) -> ContactFacts:
    """What is known now, read and put together."""
    contact = asked.contact
    on_file = OnFile(
        point=None if contact.point_id is None else await tx.contact_point(contact.customer_id, contact.point_id),
        person=None if contact.person_id is None else await tx.third_party(contact.customer_id, contact.person_id),
        held=await tx.account_holds(contact.account_ids) if contact.account_ids else (),
        claims=await claims_about(tx, contact.customer_id, contact.account_ids)
        if contact.channel == Channel.LEGAL
        else (),
        own_out_of_use=await tx.own_numbers_out_of_use(contact.customer_id)
        if contact.target != Target.DEBTOR
        else None,
    )
    return facts_at(desk, asked, on_file, rules, shelf, tx.now)


def facts_at(
    desk: Desk, asked: PermitAsked, on_file: OnFile, rules: RuleSet, shelf: RuleShelf, at: datetime
) -> ContactFacts:
    """The sender's facts of the customer as of ``at``, with what is particular to this contact. Permits and
    explanations are both judged by these, so that they do not disagree."""
    contact, point, person = asked.contact, on_file.point, on_file.person
    facts = replace(
        facts_of(desk, contact.channel, point if contact.target == Target.DEBTOR else person, at),
        point_usable=point is None or point.state == "active",
        collector=contact.party,
        mandate=asked.mandate,
    )
    if on_file.held:
        facts = replace(facts, holds=tuple(dict.fromkeys((*facts.holds, *hold_facts(on_file.held, at)))))
    if contact.channel == Channel.LEGAL:
        facts = Limitations(shelf).known_to_gate(on_file.claims, facts, at)
    if contact.target == Target.DEBTOR:
        return facts
    # What the debtor agreed to, nobody else did.
    agreed = None if facts.permissions is None else frozenset[str]()
    facts = replace(facts, number_invalid_at=on_file.own_out_of_use, permissions=agreed)
    today = local_date(at, facts.zone or "UTC")
    addressee = Addressee() if person is None else person.addressee(today)
    return replace(facts, addressee=addressee, debtor_state=debtor_state(facts, rules, at))


def debtor_state(facts: ContactFacts, rules: RuleSet, now: datetime) -> str | None:
    """Dead or incapable by a hold; lost where the record of attempts shows it by the pack's own triggers, which the
    gate asks again. None where the pack has no word on it, or the zone is not known."""
    kinds = {hold.kind for hold in facts.holds}
    for state, kind in ((DebtorState.DECEASED, HoldKind.DECEASED), (DebtorState.INCAPABLE, HoldKind.INCAPABLE)):
        if kind in kinds:
            return state.value
    triggers = rules.lost_triggers(local_date(now, facts.zone)) if facts.zone else None
    if triggers is None or facts.zone is None:
        return None
    lost = lost_contact(facts.history, facts.number_invalid_at, facts.zone, triggers, now)
    return DebtorState.REACHABLE.value if lost is None else DebtorState.LOST.value
