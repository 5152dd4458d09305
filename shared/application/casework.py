"""What people write on a case: notes, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from shared.application.editing import EditStore, Expected, open_for_edit
from shared.application.principal import Principal, Role
from shared.application.refusals import Forbidden
from shared.domain.announcement import Announcement


@dataclass(frozen=True, slots=True)
class CaseOnFile:
    case_id: UUID
    customer_id: str
    owner: str | None
    team: str | None
    row_version: int


class CaseworkStore(EditStore, Protocol):
    async def find_case(self, case_id: UUID, who: Principal) -> CaseOnFile | None: ...

    async def add_note(self, note_id: UUID, case: CaseOnFile, text: str, author: str) -> None: ...

    async def assign_case(self, case_id: UUID, owner: str | None, team: str | None) -> None:
        """Give the case, and the open work on it, to others."""


class _AnyVersion:
    def check(self, version: int) -> None:
        """A note adds to a case and changes nothing that anybody could have read."""


async def write_note(tx: CaseworkStore, case_id: UUID, note_id: UUID, text: str, who: Principal) -> None:
    book, case = await open_for_edit(tx, tx.find_case, case_id, who, _AnyVersion())
    await tx.add_note(note_id, case, text, who.subject)
    book.changes.record(case.customer_id, case_id, "note.written", {"note_id": str(note_id)}, who.subject)
    await tx.save(book.changes)


async def assign(
    tx: CaseworkStore, case_id: UUID, owner: str | None, team: str | None, who: Principal, expected: Expected
) -> None:
    """Say whose the case is. A collector takes a case, hands it back or gives it to a team of theirs, and no more."""
    book, case = await open_for_edit(tx, tx.find_case, case_id, who, expected)
    if not who.has(Role.SUPERVISOR):
        if owner not in (None, who.subject, case.owner):
            raise Forbidden("A case is given to somebody else by a supervisor.")
        if team is not None and team != case.team and team not in who.teams:
            raise Forbidden("A case is given to another team by a supervisor.")
    if (owner, team) == (case.owner, case.team):
        return
    await tx.assign_case(case_id, owner, team)
    data = {"owner": owner, "team": team}
    told = {**data, "case_id": str(case_id)}
    book.changes.announce([Announcement("arrears.case", "arrears.case.assigned.v1", case.customer_id, told)])
    book.changes.record(case.customer_id, case_id, "case.assigned", data, who.subject)
    await tx.save(book.changes)
