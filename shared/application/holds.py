"""Place a hold and release it; tell when one ends by itself. Always under the customer's lock, always announced,
because it changes whether the customer may be contacted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book, Changes
from shared.application.clockwork import DueTimer
from shared.application.editing import EditStore, Expected, case_of, check_account, open_customer, open_for_edit
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid
from shared.domain.announcement import Announcement
from shared.domain.hold import DisputedPart, HoldKind

HOLD_END = "hold_end"
BY_PROCESS = frozenset({HoldKind.COMPLAINT, HoldKind.PLAN})  # their process places and releases them
BY_COLLECTORS = frozenset(
    {HoldKind.DISPUTE, HoldKind.OBJECTION, HoldKind.HARDSHIP, HoldKind.FRAUD_VICTIM, HoldKind.ATTORNEY, HoldKind.MANUAL}
)
ACTOR_CLOCK = "clock"


@dataclass(frozen=True, slots=True)
class HoldOnFile:
    """A hold as it stands in the books; ``origin`` is the id of the complaint or plan that placed it."""

    hold_id: UUID
    customer_id: str
    account_id: str | None
    kind: HoldKind
    reason: str
    origin: str | None
    placed_at: datetime
    ends_at: datetime | None
    released_at: datetime | None
    placed_by: str
    row_version: int = 1
    disputed: DisputedPart | None = None

    def over(self, instant: datetime) -> bool:
        return self.released_at is not None or (self.ends_at is not None and self.ends_at <= instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    hold_id: UUID
    customer_id: str
    account_id: str | None
    kind: HoldKind
    reason: str
    ends_at: datetime | None
    disputed: DisputedPart | None = None


class HoldStore(EditStore, Protocol):
    async def add_hold(self, hold: HoldOnFile) -> None: ...

    async def has_currency(self, customer_id: str, account_id: str, currency: str) -> bool: ...

    async def find_hold(self, hold_id: UUID, who: Principal) -> HoldOnFile | None: ...

    async def holds_by_id(self, hold_ids: Sequence[UUID]) -> dict[UUID, HoldOnFile]: ...

    async def end_hold(self, hold_id: UUID, released_by: str) -> None: ...


async def place_hold(tx: HoldStore, new: NewHold, who: Principal) -> None:
    """A person asks for a hold on a customer or on one account."""
    if new.kind in BY_PROCESS:
        reason = f"a {new.kind} places its hold itself"
        raise Invalid("This kind of hold is not placed by hand.", errors=[FieldError("/kind", reason)])
    if new.kind not in BY_COLLECTORS and not who.has(Role.SUPERVISOR, Role.COMPLIANCE):
        raise Forbidden(f"A hold for {new.kind} is placed by a supervisor or by compliance.")
    book, _ = await open_customer(tx, new.customer_id, who)
    await check_account(tx, new.customer_id, new.account_id)
    if new.ends_at is not None and new.ends_at <= tx.now:
        raise Invalid("A hold ends in the future.", errors=[FieldError("/ends_at", "is not in the future")])
    await _check_disputed(tx, new)
    await put_hold(tx, book, new, origin=None, by=who.subject)
    await tx.save(book.changes)


async def _check_disputed(tx: HoldStore, new: NewHold) -> None:
    disputed, wrong = new.disputed, None
    if disputed is None:
        return
    if new.kind is not HoldKind.DISPUTE or new.account_id is None:
        wrong = FieldError("/disputed", "goes with a hold of the kind dispute on one account")
    elif not await tx.has_currency(new.customer_id, new.account_id, disputed.currency):
        wrong = FieldError("/disputed/currency", "is none in which the account was reported")
    if wrong is not None:
        raise Invalid("Nothing like this can be disputed here.", errors=[wrong])


async def put_hold(tx: HoldStore, book: Book, new: NewHold, *, origin: str | None, by: str) -> None:
    """Write a hold, its end's timer and its news; the caller saves the book's changes."""
    await tx.add_hold(
        HoldOnFile(
            new.hold_id,
            new.customer_id,
            new.account_id,
            new.kind,
            new.reason,
            origin,
            tx.now,
            new.ends_at,
            None,
            by,
            disputed=new.disputed,
        )
    )
    if new.ends_at is not None:
        book.changes.set_timer(new.customer_id, HOLD_END, str(new.hold_id), new.ends_at)
    data = {
        "hold_id": str(new.hold_id),
        "kind": new.kind.value,
        "account_id": new.account_id,
        "ends_at": new.ends_at.isoformat() if new.ends_at else None,
    }
    _tell(book, new.customer_id, "hold.placed", data, by)


async def release_hold(tx: HoldStore, hold_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
    """A person lifts a hold. Those of a complaint or a plan go with it, not by hand."""
    book, hold = await open_for_edit(tx, tx.find_hold, hold_id, who, expected)
    if hold.kind in BY_PROCESS:
        raise Conflict(f"It belongs to a {hold.kind} and is released with it.", code="hold-of-a-process")
    if hold.over(tx.now):
        raise Conflict("The hold is over already.", code="hold-over")
    if not who.has(*releasers(hold.kind)):
        raise Forbidden(f"A hold for {hold.kind} is released by a supervisor or by compliance.")
    await lift_hold(tx, book, hold, reason=reason, by=who.subject)
    await tx.save(book.changes)


def releasers(kind: HoldKind) -> tuple[Role, ...]:
    """Who may lift a hold of this kind by hand; nobody what goes with its process."""
    if kind in BY_PROCESS:
        return ()
    by_all = (Role.SUPERVISOR, Role.COMPLIANCE)
    return (Role.COLLECTOR, *by_all) if kind in BY_COLLECTORS else by_all


async def lift_hold(tx: HoldStore, book: Book, hold: HoldOnFile, *, reason: str, by: str) -> None:
    """Write that a hold in force is over; the caller saves the book's changes."""
    await tx.end_hold(hold.hold_id, by)
    if hold.ends_at is not None:
        book.changes.set_timer(hold.customer_id, HOLD_END, str(hold.hold_id), None)
    data = {"hold_id": str(hold.hold_id), "kind": hold.kind.value, "account_id": hold.account_id, "reason": reason}
    _tell(book, hold.customer_id, "hold.released", data, by)


async def hold_ended(tx: HoldStore, book: Book, timers: Sequence[DueTimer]) -> None:
    """Holds whose last instant has come: say so, for the ladder goes on from there."""
    await tx.load_cases(book)
    holds = await tx.holds_by_id([UUID(timer.subject) for timer in timers])
    for hold in holds.values():
        if hold.released_at is not None or hold.ends_at is None:
            continue
        if hold.ends_at > tx.now or hold.customer_id not in book.customers:
            # Put off, or its customer was merged into another, who is not locked here: wait for them.
            book.changes.set_timer(hold.customer_id, HOLD_END, str(hold.hold_id), hold.ends_at)
            continue
        data = {"hold_id": str(hold.hold_id), "kind": hold.kind.value, "account_id": hold.account_id}
        _tell(book, hold.customer_id, "hold.ended", data, ACTOR_CLOCK)
    await tx.save(book.changes)


def _tell(book: Book, customer_id: str, what: str, data: Mapping[str, Any], by: str) -> None:
    changes: Changes = book.changes
    case_id = case_of(book, customer_id)
    told = {**data, "case_id": str(case_id) if case_id else None}
    changes.announce([Announcement("arrears.hold", f"arrears.{what}.v1", customer_id, told)])
    changes.record(customer_id, case_id, what, data, by)
