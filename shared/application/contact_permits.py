"""May I contact this person now? People and diallers ask before they do, and the contact is reserved with the answer.

Asked, decided and reserved in one transaction under the customer's lock, by the same gate and from the same facts as
the sender's messages, so that bank, agencies and machines share one allowance. A permit that runs out unused is
*lapsed*: nobody knows whether the call was made, so it counts until somebody says that it was not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book
from shared.application.clockwork import DueTimer
from shared.application.decisions import decision_document
from shared.application.editing import Expected, case_of, open_customer, open_for_edit
from shared.application.permit_facts import POINT_KINDS, Contact, FactStore, PermitAsked, gate_facts, proposal_of
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid
from shared.application.sending import RuleShelf
from shared.application.sending_desk import Desk, RulesInForce
from shared.domain.calendar import local_date
from shared.domain.contact import ContactFacts, Decision, Outcome, Proposal, RuleSet, allowed_until, decide
from shared.domain.contact_facts import Channel, Target
from shared.domain.message import LedgerState

PERMIT_END = "permit_end"
ACTOR_CLOCK = "clock"
LIVES: Mapping[str, timedelta] = MappingProxyType(
    {
        Channel.VISIT.value: timedelta(hours=12),  # on the road; the hours allowed end it sooner
        Channel.LETTER.value: timedelta(hours=12),
        Channel.LEGAL.value: timedelta(hours=12),
    }
)
SHORT_LIFE = timedelta(minutes=10)  # from the question to the dialling


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitOnFile:
    permit_id: UUID
    contact: Contact
    state: str
    asked_by: str
    expires_at: datetime | None
    row_version: int

    @property
    def customer_id(self) -> str:
        return self.contact.customer_id


class PermitStore(FactStore, Protocol):
    async def load_desks(self, book: Book, rules: RulesInForce) -> list[Desk]: ...

    async def has_accounts(self, customer_id: str, account_ids: Sequence[str]) -> bool: ...

    async def add_permit(
        self,
        permit_id: UUID,
        contact: Contact,
        state: str,
        decision: Mapping[str, Any],
        *,
        case_id: UUID | None,
        asked_by: str,
        expires_at: datetime | None,
    ) -> None: ...

    async def reserve_contact(
        self, contact_id: UUID, contact: Contact, on: Any, at: datetime, *, state: LedgerState, made_by: str
    ) -> None: ...

    async def find_permit(self, permit_id: UUID, who: Principal) -> PermitOnFile | None: ...

    async def permits_by_id(self, permit_ids: Sequence[UUID]) -> dict[UUID, PermitOnFile]: ...

    async def close_permit(
        self, permit_id: UUID, state: str, *, by: str, reason: str | None, ledger: LedgerState | None
    ) -> None: ...


class PermitDesk:
    """``shelf`` holds the contact rules in force."""

    def __init__(self, shelf: RuleShelf) -> None:
        self._shelf = shelf

    async def ask(self, tx: PermitStore, asked: PermitAsked, who: Principal) -> None:
        """Decide and, where allowed, reserve. A refusal is an answer: it is stored with its reasons."""
        contact = asked.contact
        book, _ = await open_customer(tx, contact.customer_id, who)
        await check_contact(tx, contact)
        await self._shelf.attend(tx)
        (desk,) = await tx.load_desks(book, self._shelf.rules)
        rules = None if desk.jurisdiction is None else self._shelf.rules(desk.jurisdiction)
        if rules is None:
            raise Conflict("There are no contact rules where this customer lives.", code="no-contact-rules")
        proposal = proposal_of(asked, tx.now)
        facts = await gate_facts(tx, desk, asked, rules, self._shelf)
        decision = decide(proposal, facts, rules)
        await self._answer(tx, book, asked, (proposal, facts, rules, decision), who)

    async def _answer(
        self,
        tx: PermitStore,
        book: Book,
        asked: PermitAsked,
        judged: tuple[Proposal, ContactFacts, RuleSet, Decision],
        who: Principal,
    ) -> None:
        proposal, facts, rules, decision = judged
        contact, case_id = asked.contact, case_of(book, asked.contact.customer_id)
        granted = decision.outcome is Outcome.ALLOW
        expires_at = None
        if granted:
            life = LIVES.get(contact.channel, SHORT_LIFE)
            expires_at = min(tx.now + life, allowed_until(proposal, facts, rules))
        await tx.add_permit(
            asked.permit_id,
            contact,
            "granted" if granted else "refused",
            decision_document(proposal, facts, decision),
            case_id=case_id,
            asked_by=who.subject,
            expires_at=expires_at,
        )
        data: dict[str, Any] = {"permit_id": str(asked.permit_id), "channel": contact.channel, "party": contact.party}
        if granted:
            today = local_date(tx.now, facts.zone or "UTC")
            await tx.reserve_contact(
                asked.permit_id, contact, today, tx.now, state=LedgerState.RESERVED, made_by="permit"
            )
            book.changes.set_timer(contact.customer_id, PERMIT_END, str(asked.permit_id), expires_at)
            book.changes.record(contact.customer_id, case_id, "contact.permitted", data, who.subject)
        else:
            data["rules"] = [one.rule_id for one in decision.fired]
            book.changes.record(contact.customer_id, case_id, "contact.refused", data, who.subject)
        await tx.save(book.changes)


async def check_contact(tx: PermitStore, contact: Contact) -> None:
    """Person, point and accounts are the customer's, and can be reached by the channel."""
    kind = await _third_party_kind(tx, contact) if contact.target != Target.DEBTOR else None
    if contact.account_ids and not await tx.has_accounts(contact.customer_id, contact.account_ids):
        reason = "are not all accounts of this customer"
        raise Invalid("An account is not one of this customer's.", errors=[FieldError("/account_ids", reason)])
    where = "/person_id"
    if contact.point_id is not None and contact.target == Target.DEBTOR:
        point, where = await tx.contact_point(contact.customer_id, contact.point_id), "/contact_point_id"
        if point is None:
            reason = "is not a contact point of this customer"
            raise Invalid("The contact point is not this customer's.", errors=[FieldError(where, reason)])
        kind = point.kind
    if kind is not None and kind not in POINT_KINDS[contact.channel]:
        raise Invalid("It can not be reached by this channel.", errors=[FieldError(where, f"is of kind {kind}")])


async def _third_party_kind(tx: PermitStore, contact: Contact) -> str:
    person = None if contact.person_id is None else await tx.third_party(contact.customer_id, contact.person_id)
    if person is None or person.relation != contact.target:
        reason = f"names no {contact.target} of this customer"
        raise Invalid("Who is to be contacted?", errors=[FieldError("/person_id", reason)])
    return person.kind


async def release_permit(tx: PermitStore, permit_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
    """Somebody says that the contact was not made: it is given back. Whoever asked, or a supervisor, may say so."""
    book, permit = await open_for_edit(tx, tx.find_permit, permit_id, who, expected)
    if permit.state not in ("granted", "lapsed"):
        raise Conflict(f"The permit is {permit.state}.", code="permit-closed")
    if permit.asked_by != who.subject and not who.has(Role.SUPERVISOR, Role.COMPLIANCE):
        raise Forbidden("Whoever asked for it, a supervisor or compliance says that it was not used.")
    await tx.close_permit(permit_id, "released", by=who.subject, reason=reason, ledger=LedgerState.RELEASED)
    book.changes.set_timer(permit.customer_id, PERMIT_END, str(permit_id), None)
    data = {"permit_id": str(permit_id), "reason": reason}
    case_id = case_of(book, permit.customer_id)
    book.changes.record(permit.customer_id, case_id, "contact.permit_released", data, who.subject)
    await tx.save(book.changes)


async def permits_ended(tx: PermitStore, book: Book, timers: Sequence[DueTimer]) -> None:
    """Permits that ran out and of which nobody told anything: from now on not known, and counted."""
    await tx.load_cases(book)
    permits = await tx.permits_by_id([UUID(timer.subject) for timer in timers])
    for permit in permits.values():
        if permit.state != "granted" or permit.expires_at is None:
            continue
        if permit.expires_at > tx.now or permit.customer_id not in book.customers:
            book.changes.set_timer(permit.customer_id, PERMIT_END, str(permit.permit_id), permit.expires_at)
            continue
        await tx.close_permit(permit.permit_id, "lapsed", by=ACTOR_CLOCK, reason=None, ledger=LedgerState.UNKNOWN)
        data = {"permit_id": str(permit.permit_id), "channel": permit.contact.channel}
        case_id = case_of(book, permit.customer_id)
        book.changes.record(permit.customer_id, case_id, "contact.permit_lapsed", data, ACTOR_CLOCK)
    await tx.save(book.changes)
