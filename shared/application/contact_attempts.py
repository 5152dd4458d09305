"""Contacts that people and diallers made or tried: each is entered, whether it had been permitted or not, because it
happened; and each that went out counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book, CustomerPage
from shared.application.contact_permits import PERMIT_END, PermitOnFile, PermitStore, check_contact
from shared.application.editing import case_of, open_customer
from shared.application.permit_facts import Contact
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid, NotFound
from shared.domain.calendar import local_date
from shared.domain.contact_outcome import MEANS, OUTCOMES, TALKED, ContactOutcome
from shared.domain.message import LedgerState


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptTold:
    """``contact`` is given where nobody had asked; else it is the permit's. ``at``: when it was made, if not now."""

    attempt_id: UUID
    permit_id: UUID | None
    contact: Contact | None
    outbound: bool
    outcome: ContactOutcome
    effective_talk: bool | None
    talk_seconds: int | None
    recording: str | None
    at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptMade:
    """What is written of it. ``contact_id`` is its place in the ledger; inbound contacts have none."""

    attempt_id: UUID
    contact_id: UUID | None
    permit_id: UUID | None
    case_id: UUID | None
    contact: Contact
    outbound: bool
    outcome: ContactOutcome
    effective_talk: bool | None
    talk_seconds: int | None
    recording: str | None
    permitted: bool
    at: datetime
    recorded_by: str


class AttemptStore(PermitStore, Protocol):
    async def add_attempt(self, attempt: AttemptMade) -> None: ...

    async def count_contact(self, contact_id: UUID, state: LedgerState) -> bool:
        """Move a contact in the ledger; False when it is not there."""

    async def mark_point_bad(self, point_id: UUID, reason: str) -> None: ...


async def record_attempt(tx: AttemptStore, told: AttemptTold, who: Principal) -> None:
    """Enter one contact and close its permit. One that comes twice for a permit is refused (409 ``permit-used``)."""
    permit = await _permit(tx, told, who)
    contact = told.contact if permit is None else permit.contact
    if contact is None:
        raise Invalid("Of what contact?", errors=[FieldError("/customer_id", "is missing where there is no permit")])
    _check(told, contact, tx.now)
    book, page = await open_customer(tx, contact.customer_id, who)
    if permit is None:
        await check_contact(tx, contact)
    else:
        permit = (await tx.permits_by_id([permit.permit_id]))[permit.permit_id]
        if permit.state == "used":
            raise Conflict("An attempt was told for this permit already.", code="permit-used")
    made = _made(told, contact, permit, book, who)
    await tx.add_attempt(made)
    await _count(tx, made, permit, page)
    means = MEANS[told.outcome]
    if means.point_dead and contact.point_id is not None and made.outbound:
        await tx.mark_point_bad(contact.point_id, told.outcome.value)
    _tell(book, made, who)
    await tx.save(book.changes)


async def _permit(tx: AttemptStore, told: AttemptTold, who: Principal) -> PermitOnFile | None:
    if told.permit_id is None:
        return None
    permit = await tx.find_permit(told.permit_id, who)
    if permit is None:
        raise NotFound("There is no such permit, or it is not among yours.")
    return permit


def _check(told: AttemptTold, contact: Contact, now: datetime) -> None:
    if told.at is not None and told.at > now:
        raise Invalid("Not made yet.", errors=[FieldError("/at", "is in the future")])
    possible = OUTCOMES[contact.channel]
    if told.outcome not in possible:
        names = ", ".join(sorted(possible))
        raise Invalid(
            f"A {contact.channel} does not end so.", errors=[FieldError("/outcome", f"is not one of {names}")]
        )
    if told.outcome not in TALKED and (told.effective_talk or told.talk_seconds):
        reason = f"there is no talk with the outcome {told.outcome.value}"
        raise Invalid("Nobody talked.", errors=[FieldError("/effective_talk", reason)])


def _made(told: AttemptTold, contact: Contact, permit: PermitOnFile | None, book: Book, who: Principal) -> AttemptMade:
    at = told.at or book.now
    inside = permit is not None and permit.expires_at is not None and at < permit.expires_at
    permitted = inside and permit is not None and permit.state in ("granted", "lapsed")
    reserved = None if permit is None or permit.state == "refused" else permit.permit_id
    return AttemptMade(
        attempt_id=told.attempt_id,
        contact_id=(reserved or told.attempt_id) if told.outbound else None,
        permit_id=told.permit_id,
        case_id=case_of(book, contact.customer_id),
        contact=contact,
        outbound=told.outbound,
        outcome=told.outcome,
        effective_talk=told.effective_talk,
        talk_seconds=told.talk_seconds,
        recording=told.recording,
        permitted=permitted,
        at=at,
        recorded_by=who.subject,
    )


async def _count(tx: AttemptStore, made: AttemptMade, permit: PermitOnFile | None, page: CustomerPage) -> None:
    """Count it: what was reserved is made or not known; what nobody reserved is entered now, on its own day."""
    if made.contact_id is None:
        return
    state = LedgerState.UNKNOWN if made.outcome is ContactOutcome.UNKNOWN else LedgerState.COMMITTED
    if not await tx.count_contact(made.contact_id, state):
        day: date = local_date(made.at, page.time_zone or "UTC")
        await tx.reserve_contact(made.contact_id, made.contact, day, made.at, state=state, made_by="attempt")
    if permit is not None and permit.state != "refused":
        await tx.close_permit(permit.permit_id, "used", by=made.recorded_by, reason=None, ledger=None)


def _tell(book: Book, made: AttemptMade, who: Principal) -> None:
    contact = made.contact
    if made.permit_id is not None:
        book.changes.set_timer(contact.customer_id, PERMIT_END, str(made.permit_id), None)
    data: dict[str, Any] = {
        "attempt_id": str(made.attempt_id),
        "channel": contact.channel,
        "party": contact.party,
        "outcome": made.outcome.value,
        "outbound": made.outbound,
    }
    if made.outbound:
        data["permitted"] = made.permitted
    book.changes.record(contact.customer_id, made.case_id, "contact.made", data, who.subject)
