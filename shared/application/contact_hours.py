"""Hours that people agreed to be contacted in, with the proof of it, and hours that they asked to be contacted in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time
from typing import Protocol
from uuid import UUID

from shared.application.editing import EditStore, Expected, case_of, open_customer, open_for_edit
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid

CONSENT, PREFERRED = "consent", "preferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHours:
    """[``from_time``, ``to_time``) local time, over midnight when ``to_time`` is the earlier. ``proof`` names the
    recording or record in which a consent was given."""

    hours_id: UUID
    customer_id: str
    kind: str
    channel: str
    from_time: time
    to_time: time
    weekdays: tuple[int, ...]
    given_by: str
    proof: str | None
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class HoursOnFile:
    hours_id: UUID
    customer_id: str
    kind: str
    channel: str
    withdrawn_at: datetime | None
    row_version: int


class HoursStore(EditStore, Protocol):
    async def add_hours(self, new: NewHours, starts_at: datetime, by: str) -> None: ...

    async def find_hours(self, hours_id: UUID, who: Principal) -> HoursOnFile | None: ...

    async def withdraw_hours(self, hours_id: UUID, by: str) -> None: ...


async def add_hours(tx: HoursStore, new: NewHours, who: Principal) -> None:
    """Note them; they hold from the next question on. A consent without proof or end is none."""
    book, _ = await open_customer(tx, new.customer_id, who)
    wrong = []
    if new.kind == CONSENT and not new.proof:
        wrong.append(FieldError("/proof", "a consent names where it can be proved"))
    if new.kind == CONSENT and new.ends_at is None:
        wrong.append(FieldError("/ends_at", "a consent ends"))
    if new.kind == CONSENT and new.channel == "*":
        wrong.append(FieldError("/channel", "a consent is for one channel"))
    if new.ends_at is not None and new.ends_at <= max(tx.now, new.starts_at or tx.now):
        wrong.append(FieldError("/ends_at", "is not after its start, or has passed"))
    if wrong:
        raise Invalid("These hours can not be taken so.", errors=wrong)
    await tx.add_hours(new, new.starts_at or tx.now, who.subject)
    data = {"hours_id": str(new.hours_id), "kind": new.kind, "channel": new.channel}
    book.changes.record(new.customer_id, case_of(book, new.customer_id), "contact_hours.noted", data, who.subject)
    await tx.save(book.changes)


async def withdraw_hours(tx: HoursStore, hours_id: UUID, who: Principal, expected: Expected) -> None:
    """They took it back; it holds at once."""
    book, hours = await open_for_edit(tx, tx.find_hours, hours_id, who, expected)
    if hours.withdrawn_at is not None:
        raise Conflict("They were withdrawn before.", code="hours-withdrawn")
    await tx.withdraw_hours(hours_id, who.subject)
    data = {"hours_id": str(hours_id), "kind": hours.kind, "channel": hours.channel}
    case_id = case_of(book, hours.customer_id)
    book.changes.record(hours.customer_id, case_id, "contact_hours.withdrawn", data, who.subject)
    await tx.save(book.changes)
