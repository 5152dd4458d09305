"""People beside the debtor: who they are, how they are reached, and that they do not want to be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from shared.application.editing import EditStore, Expected, case_of, open_customer, open_for_edit
from shared.application.principal import Principal
from shared.application.refusals import Conflict
from shared.domain.contact_facts import Addressee


@dataclass(frozen=True, slots=True, kw_only=True)
class NewThirdParty:
    """``value`` is a number or an address of theirs; ``evidence`` names the record that shows why they answer for the
    debt, ``guarantee_until`` the last day of a guarantee."""

    person_id: UUID
    customer_id: str
    relation: str
    name: str | None
    kind: str
    source: str
    value: str
    evidence: str | None
    guarantee_until: date | None
    within_estate: bool | None


@dataclass(frozen=True, slots=True)
class ThirdPartyOnFile:
    person_id: UUID
    customer_id: str
    relation: str
    kind: str
    source: str
    evidence: str | None
    guarantee_until: date | None
    within_estate: bool | None
    refused_at: datetime | None
    row_version: int

    def addressee(self, today: date) -> Addressee:
        """What the contact gate has to know of them."""
        return Addressee(
            refused=self.refused_at is not None,
            evidence=self.evidence is not None,
            guarantee_in_force=None if self.guarantee_until is None else today <= self.guarantee_until,
            within_estate=self.within_estate,
        )


class ThirdPartyStore(EditStore, Protocol):
    async def add_third_party(self, new: NewThirdParty, by: str) -> None: ...

    async def find_third_party(self, person_id: UUID, who: Principal) -> ThirdPartyOnFile | None: ...

    async def refuse_third_party(self, person_id: UUID, source: str) -> None: ...


async def add_third_party(tx: ThirdPartyStore, new: NewThirdParty, who: Principal) -> None:
    book, _ = await open_customer(tx, new.customer_id, who)
    await tx.add_third_party(new, who.subject)
    data = {"person_id": str(new.person_id), "relation": new.relation}
    book.changes.record(new.customer_id, case_of(book, new.customer_id), "third_party.noted", data, who.subject)
    await tx.save(book.changes)


async def refuse_third_party(
    tx: ThirdPartyStore, person_id: UUID, source: str, who: Principal, expected: Expected
) -> None:
    """They said: not me. For good, and for whoever has the same number or address on file with this customer."""
    book, person = await open_for_edit(tx, tx.find_third_party, person_id, who, expected)
    if person.refused_at is not None:
        raise Conflict("They refused before.", code="third-party-refused")
    await tx.refuse_third_party(person_id, source)
    data = {"person_id": str(person_id), "source": source}
    case_id = case_of(book, person.customer_id)
    book.changes.record(person.customer_id, case_id, "third_party.refused", data, who.subject)
    await tx.save(book.changes)
