"""What contact rules ask of a person besides the profile: where they live, what place a number is at, what they agreed
to, and where they refused to be contacted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Protocol
from uuid import UUID

from shared.application.editing import EditStore, Expected, case_of, open_customer, open_for_edit
from shared.application.permit_facts import PointOnFile
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid

PLACE, POINT_PLACE, PERMISSION, REFUSED_PLACE = "place", "point_place", "permission", "refused_place"
_KIND_OF_PLACE = (re.compile(r"personal|work|other"), "is not one of personal, work, other")
_VALUES: Mapping[str, tuple[re.Pattern[str], str]] = MappingProxyType(
    {
        PLACE: (re.compile(r"[A-Z]{2}-[A-Z0-9]{1,8}"), "is no part of a country, as US-MA or US-NYC"),
        POINT_PLACE: _KIND_OF_PLACE,
        REFUSED_PLACE: _KIND_OF_PLACE,
        PERMISSION: (re.compile(r"[a-z][a-z0-9_]{0,63}"), "is no permission, as automated_contact or entry"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCircumstance:
    """``value`` is a part of a country (``place``), ``personal``, ``work`` or ``other`` (``point_place`` of the point
    ``point_id``, ``refused_place``), or what was agreed to (``permission``), of which ``proof`` names the recording or
    record."""

    circumstance_id: UUID
    customer_id: str
    kind: str
    value: str
    point_id: UUID | None
    given_by: str
    proof: str | None
    starts_at: datetime | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class CircumstanceOnFile:
    circumstance_id: UUID
    customer_id: str
    kind: str
    withdrawn_at: datetime | None
    row_version: int


class CircumstanceStore(EditStore, Protocol):
    async def contact_point(self, customer_id: str, point_id: UUID) -> PointOnFile | None: ...

    async def add_circumstance(self, new: NewCircumstance, starts_at: datetime, by: str) -> None: ...

    async def find_circumstance(self, circumstance_id: UUID, who: Principal) -> CircumstanceOnFile | None: ...

    async def withdraw_circumstance(self, circumstance_id: UUID, by: str) -> None: ...


async def note_circumstance(tx: CircumstanceStore, new: NewCircumstance, who: Principal) -> None:
    """Note it; it holds from the next question on. A permission without proof is none."""
    book, _ = await open_customer(tx, new.customer_id, who)
    wrong = _wrong(new, tx.now)
    if new.point_id is not None and await tx.contact_point(new.customer_id, new.point_id) is None:
        wrong.append(FieldError("/contact_point_id", "is no contact point of this customer"))
    if wrong:
        raise Invalid("This can not be noted so.", errors=wrong)
    await tx.add_circumstance(new, new.starts_at or tx.now, who.subject)
    data = {"circumstance_id": str(new.circumstance_id), "kind": new.kind}  # a place is personal
    case_id = case_of(book, new.customer_id)
    book.changes.record(new.customer_id, case_id, "contact_circumstance.noted", data, who.subject)
    await tx.save(book.changes)


def _wrong(new: NewCircumstance, now: datetime) -> list[FieldError]:
    pattern, reason = _VALUES[new.kind]
    found = []
    if pattern.fullmatch(new.value) is None:
        found.append(FieldError("/value", reason))
    if new.kind == PERMISSION and not new.proof:
        found.append(FieldError("/proof", "a permission names where it can be proved"))
    if (new.kind == POINT_PLACE) != (new.point_id is not None):
        found.append(FieldError("/contact_point_id", "goes with point_place, and with nothing else"))
    if new.ends_at is not None and new.ends_at <= max(now, new.starts_at or now):
        found.append(FieldError("/ends_at", "is not after its start, or has passed"))
    return found


async def withdraw_circumstance(
    tx: CircumstanceStore, circumstance_id: UUID, who: Principal, expected: Expected
) -> None:
    """It is so no more, or was taken back; that holds at once."""
    book, known = await open_for_edit(tx, tx.find_circumstance, circumstance_id, who, expected)
    if known.withdrawn_at is not None:
        raise Conflict("It was withdrawn before.", code="circumstance-withdrawn")
    await tx.withdraw_circumstance(circumstance_id, who.subject)
    data = {"circumstance_id": str(circumstance_id), "kind": known.kind}
    case_id = case_of(book, known.customer_id)
    book.changes.record(known.customer_id, case_id, "contact_circumstance.withdrawn", data, who.subject)
    await tx.save(book.changes)
