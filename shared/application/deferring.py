"""Put a follow-up off, or call it off: a person's decision is a fact that the planner plans around."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book
from shared.application.editing import EditStore, Expected, open_for_edit
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid
from shared.domain.announcement import Announcement
from shared.domain.follow_up import UNDECIDED, FollowUpState

LONGEST = timedelta(days=90)
"""Beyond it, a hold says better what is meant, and shows up as one."""


@dataclass(frozen=True, slots=True)
class FollowUpOnFile:
    follow_up_id: UUID
    case_id: UUID
    customer_id: str
    step: str
    due_at: datetime
    state: FollowUpState
    row_version: int


class FollowUpStore(EditStore, Protocol):
    async def find_follow_up(self, follow_up_id: UUID, who: Principal) -> FollowUpOnFile | None: ...

    async def decide_follow_up(
        self, follow_up_id: UUID, state: FollowUpState, until: datetime | None, reason: str, actor: str
    ) -> None: ...


async def defer(
    tx: FollowUpStore, follow_up_id: UUID, until: datetime, reason: str, who: Principal, expected: Expected
) -> None:
    book, found = await _undecided(tx, follow_up_id, who, expected)
    if until <= max(tx.now, found.due_at):
        raise Invalid("That is not later.", errors=[FieldError("/until", "is not after now and after the due time")])
    if until > tx.now + LONGEST:
        raise Invalid("That is too late.", errors=[FieldError("/until", f"is more than {LONGEST.days} days away")])
    await tx.decide_follow_up(follow_up_id, FollowUpState.DEFERRED, until, reason, who.subject)
    await _tell(tx, book, found, "deferred", {"until": until.isoformat(), "reason": reason}, who)


async def cancel(tx: FollowUpStore, follow_up_id: UUID, reason: str, who: Principal, expected: Expected) -> None:
    book, found = await _undecided(tx, follow_up_id, who, expected)
    await tx.decide_follow_up(follow_up_id, FollowUpState.CANCELLED, None, reason, who.subject)
    await _tell(tx, book, found, "cancelled", {"reason": reason}, who)


async def _undecided(
    tx: FollowUpStore, follow_up_id: UUID, who: Principal, expected: Expected
) -> tuple[Book, FollowUpOnFile]:
    book, found = await open_for_edit(tx, tx.find_follow_up, follow_up_id, who, expected)
    if found.state not in UNDECIDED:
        raise Conflict(f"The follow-up is {found.state}; only a coming one can be changed.", code="follow-up-decided")
    return book, found


async def _tell(
    tx: FollowUpStore, book: Book, found: FollowUpOnFile, what: str, data: dict[str, Any], who: Principal
) -> None:
    told = {"follow_up_id": str(found.follow_up_id), "step": found.step, **data}
    kind = f"arrears.case.follow_up_{what}.v1"
    announced = {**told, "case_id": str(found.case_id)}
    book.changes.announce([Announcement("arrears.case", kind, found.customer_id, announced)])
    book.changes.record(found.customer_id, found.case_id, f"follow_up.{what}", told, who.subject)
    await tx.save(book.changes)
