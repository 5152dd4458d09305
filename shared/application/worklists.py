"""Work for people: take an item, give it back, complete it with its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book
from shared.application.editing import Expected, open_for_edit
from shared.application.limitation import Limitations, LimitationStore
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict, FieldError, Forbidden, Invalid
from shared.domain.announcement import Announcement

_REACHED = frozenset({"answered", "promise_to_pay", "paid", "refused", "dispute_raised", "hardship_raised"})
_NOT_REACHED = frozenset({"no_response", "unreachable", "wrong_person"})
OUTCOMES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "call": _REACHED | _NOT_REACHED | {"callback_requested"},
        "visit": _REACHED | _NOT_REACHED | {"moved_away"},
        "letter": frozenset({"sent", "returned"}),
        "legal": frozenset({"pursued", "not_pursued", "referred"}),
    }
)
"""How work of each kind may end."""


@dataclass(frozen=True, slots=True)
class WorkOnFile:
    item_id: UUID
    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    kind: str
    state: str
    assignee: str | None
    row_version: int


class WorkStore(LimitationStore, Protocol):
    async def find_work(self, item_id: UUID, who: Principal) -> WorkOnFile | None: ...

    async def held(self, customer_id: str) -> bool:
        """Does a hold on the person, or on every account they are followed for, stop their ladder now?"""

    async def move_work(self, item_id: UUID, state: str, assignee: str | None) -> None: ...

    async def end_work(self, item: WorkOnFile, outcome: str, note: str | None) -> None:
        """The item is done, and so is the follow-up that it came from."""


async def take(tx: WorkStore, item_id: UUID, who: Principal, expected: Expected, limitations: Limitations) -> None:
    """The caller will do it. No customer who is to be left in peace is called on, no barred claim goes to law."""
    book, item = await open_for_edit(tx, tx.find_work, item_id, who, expected)
    if item.state != "open":
        raise Conflict(f"The item is {item.state}.", code="work-not-open")
    if await tx.held(item.customer_id):
        raise Conflict("A hold keeps this customer from being followed up.", code="customer-held")
    if item.kind == "legal":
        await limitations.refuse_barred(tx, item.customer_id)
    await tx.move_work(item_id, "taken", who.subject)
    await _tell(tx, book, item, "taken", {}, who)


async def release(tx: WorkStore, item_id: UUID, who: Principal, expected: Expected) -> None:
    book, item = await _mine(tx, item_id, who, expected)
    await tx.move_work(item_id, "open", None)
    await _tell(tx, book, item, "released", {}, who)


async def complete(
    tx: WorkStore, item_id: UUID, outcome: str, note: str | None, who: Principal, expected: Expected
) -> None:
    book, item = await _mine(tx, item_id, who, expected)
    if outcome not in OUTCOMES[item.kind]:
        possible = ", ".join(sorted(OUTCOMES[item.kind]))
        raise Invalid(f"A {item.kind} does not end so.", errors=[FieldError("/outcome", f"is not one of {possible}")])
    await tx.end_work(item, outcome, note)
    await _tell(tx, book, item, "completed", {"outcome": outcome}, who)


async def _mine(tx: WorkStore, item_id: UUID, who: Principal, expected: Expected) -> tuple[Book, WorkOnFile]:
    """A taken item of the caller's; a supervisor may act for whoever took it."""
    book, item = await open_for_edit(tx, tx.find_work, item_id, who, expected)
    if item.state != "taken":
        raise Conflict(f"The item is {item.state}; take it first.", code="work-not-taken")
    if item.assignee != who.subject and not who.has(Role.SUPERVISOR):
        raise Forbidden("Somebody else has taken it.")
    return book, item


async def _tell(tx: WorkStore, book: Book, item: WorkOnFile, what: str, data: dict[str, Any], who: Principal) -> None:
    told = {"item_id": str(item.item_id), "kind": item.kind, **data}
    announced = {**told, "follow_up_id": str(item.follow_up_id), "case_id": str(item.case_id)}
    kind = f"arrears.case.work_{what}.v1"
    book.changes.announce([Announcement("arrears.case", kind, item.customer_id, announced)])
    book.changes.record(item.customer_id, item.case_id, f"work.{what}", told, who.subject)
    await tx.save(book.changes)
