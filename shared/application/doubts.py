"""Resolve doubts by asking or waiting, never by sending again.

A marked attempt whose lease ran out is in doubt: its holder may have died before, during or after the write. A provider
that can be asked by our reference is asked; "not found" sets the message free again only when that answer is sure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog

from shared.application.book import Book
from shared.application.gateway import Gateway, Receipt, ReceiptStatus
from shared.application.refusals import Conflict, NotFound
from shared.application.settling import Settlement, settle
from shared.domain.message import AttemptState

log = structlog.get_logger(__name__)

_RECEIVED = {
    ReceiptStatus.ACCEPTED: AttemptState.ACCEPTED,
    ReceiptStatus.REJECTED: AttemptState.REJECTED,
    ReceiptStatus.UNDELIVERED: AttemptState.UNDELIVERED,
    ReceiptStatus.DELIVERED: AttemptState.DELIVERED,
}


@dataclass(frozen=True, slots=True)
class Doubt:
    """An attempt in doubt. ``holder_dead``: the process that held it is known to have died, or has said that it let go;
    ``asked_late_enough``: its lease and the provider's query delay have passed."""

    attempt_id: UUID
    customer_id: str
    gateway: str
    holder_dead: bool
    asked_late_enough: bool


async def expire_leases(work: Any, limit: int = 1000) -> int:
    """Attempts whose lease ran out, or whose holder is known dead, are in doubt from now on."""
    async with work() as tx:
        overdue: dict[UUID, str] = await tx.overdue_leases(limit)
        if not overdue:
            return 0
        book = Book(tx.now)
        await tx.lock_customers(book, set(overdue.values()))
        doubts = [Settlement(attempt, AttemptState.IN_DOUBT, code="lease ran out") for attempt in overdue]
        moved = await settle(tx, book, doubts)
        await tx.save(book.changes)
    log.warning("doubts.lease_expired", attempts=len(moved))
    return len(moved)


async def ask_providers(work: Any, gateways: Mapping[str, Gateway], limit: int = 200) -> int:
    """Ask each provider that can be asked about its attempts in doubt; the number that was resolved."""
    resolved = 0
    for gateway in gateways.values():
        if gateway.facts.query_for is None:
            continue
        async with work() as tx:
            doubts: list[Doubt] = await tx.doubts_to_ask(gateway.facts.name, gateway.facts.query_delay, limit)
        if not doubts:
            continue
        answers = await gateway.query([str(doubt.attempt_id) for doubt in doubts])
        resolved += await _apply_answers(work, gateway, doubts, answers)
    return resolved


async def _apply_answers(
    work: Any, gateway: Gateway, doubts: Sequence[Doubt], answers: Mapping[str, Receipt | None]
) -> int:
    settlements, customers = [], set()
    for doubt in doubts:
        key = str(doubt.attempt_id)
        if key not in answers:
            continue
        settlement = _from_answer(doubt, answers[key], sure=_not_found_is_sure(gateway, doubt))
        if settlement is not None:
            settlements.append(settlement)
            customers.add(doubt.customer_id)
    async with work() as tx:
        await tx.note_asked([doubt.attempt_id for doubt in doubts])
        book = Book(tx.now)
        await tx.lock_customers(book, customers)
        moved = await release_or_settle(tx, book, settlements)
        await tx.save(book.changes)
    return moved


def _not_found_is_sure(gateway: Gateway, doubt: Doubt) -> bool:
    return doubt.asked_late_enough and (gateway.facts.idempotent or doubt.holder_dead)


def _from_answer(doubt: Doubt, answer: Receipt | None, *, sure: bool) -> Settlement | None:
    if answer is not None:
        return from_receipt(answer)
    if not sure:
        return None
    return Settlement(doubt.attempt_id, AttemptState.RELEASED, code="the provider never had it")


def from_receipt(receipt: Receipt) -> Settlement:
    return Settlement(
        UUID(receipt.reference), _RECEIVED[receipt.status], receipt.provider_id, receipt.code, receipt.error
    )


async def release_or_settle(tx: Any, book: Book, settlements: Sequence[Settlement]) -> int:
    """Doubts that are lifted go back to the queue; all others move by rank."""
    lifted = [one for one in settlements if one.state is AttemptState.RELEASED]
    released: int = await tx.release_doubts(lifted)
    moved = await settle(tx, book, [one for one in settlements if one.state is not AttemptState.RELEASED])
    return released + len(moved)


async def take_receipts(work: Any, receipts: Sequence[Receipt]) -> int:
    """Delivery reports of a provider: repeated, out of order, for attempts we may not know; the number that moved."""
    settlements = [from_receipt(receipt) for receipt in receipts if _is_ours(receipt.reference)]
    async with work() as tx:
        owners: dict[UUID, str] = await tx.attempt_owners([one.attempt_id for one in settlements])
        book = Book(tx.now)
        await tx.lock_customers(book, set(owners.values()))
        moved = await settle(tx, book, [one for one in settlements if one.attempt_id in owners])
        await tx.save(book.changes)
    return len(moved)


def _is_ours(reference: str) -> bool:
    try:
        UUID(reference)
    except ValueError:
        return False
    return True


async def decide_doubt(tx: Any, message_id: UUID, *, sent: bool, reason: str, actor: str) -> None:
    """A person found out what became of a message in doubt. Locks its customer; the caller saves and commits.

    Raises NotFound for an unknown message, Conflict when it is not in doubt."""
    found = await tx.message_in_doubt(message_id)
    if found is None:
        raise NotFound("there is no such message")
    customer_id, attempt_id = found
    book = Book(tx.now)
    await tx.lock_customers(book, [customer_id])
    if attempt_id is None:
        raise Conflict("the message is not in doubt")
    state = AttemptState.ACCEPTED if sent else AttemptState.RELEASED
    moved = await release_or_settle(tx, book, [Settlement(attempt_id, state, code=f"decided: {reason}"[:200])])
    if not moved:
        raise Conflict("the message is not in doubt any more")
    book.changes.record(
        customer_id,
        None,
        "message.doubt_decided",
        {"message_id": str(message_id), "sent": sent, "reason": reason},
        actor,
    )
    await tx.save(book.changes)
