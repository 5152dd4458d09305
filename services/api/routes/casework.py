"""What people do with cases: write notes, say whose they are."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Request, Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.idempotency import Idempotent
from services.api.reading import READ, document, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas.cases import CaseOut, Note
from services.api.schemas.casework import Assignment, NoteIn
from services.api.security import require
from shared.adapters.crypto import FieldCipher
from shared.adapters.postgres.views import cases as view
from shared.adapters.postgres.views.clauses import EVERYTHING
from shared.adapters.postgres.views.notes import get_note as read_note
from shared.application.casework import assign, write_note
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

router = noun_router("cases")
Worker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]
NoteReader = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]
NoteWriter = NoteReader


@router.post("/{case_id}/notes", response_model=Note, status_code=201, summary="Write a note on a case")
async def create_note(case_id: UUID, body: NoteIn, caller: NoteWriter, deps: Deps, once: Idempotent) -> Response:
    """Add what was learned; notes are never changed."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        note_id = uuid4()
        await write_note(tx, case_id, note_id, body.text, caller)
        content = await _note(tx.conn, deps.cipher, case_id, note_id, caller)
        return await once.keep(tx.conn, created(content, location=f"/v1/cases/{case_id}/notes/{note_id}"))


@router.get("/{case_id}/notes/{note_id}", response_model=Note, summary="Read one note", responses=READ)
async def get_note(case_id: UUID, note_id: UUID, caller: NoteReader, deps: Deps, request: Request) -> Response:
    """A note and who wrote it."""
    return document(request, await _note(deps.pool, deps.cipher, case_id, note_id, caller))


@router.put("/{case_id}/assignment", response_model=CaseOut, summary="Say whose a case is")
async def assign_case(
    case_id: UUID, body: Assignment, caller: Worker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Supervisors give cases to anybody. Collectors take one, hand one back, or give one to a team of their own."""
    async with deps.work() as tx:
        await assign(tx, case_id, body.owner, body.team, caller, expected)
        # Whoever gives a case away may not see it any more, but is told what became of it.
        found = await view.get_case(tx.conn, case_id, EVERYTHING)
    if found is None:
        raise NotFound("There is no such case, or it is not among yours.")
    return Json(found[0], headers={"etag": etag(found[1])})


async def _note(conn: Any, cipher: FieldCipher, case_id: UUID, note_id: UUID, caller: Principal) -> dict[str, Any]:
    found = await read_note(conn, case_id, note_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such note, or it is not among yours.")
    return {**found, "text": cipher.decrypt("notes", "text", str(note_id), found["text"])}
