"""Files of events: announce one, stream its content, watch it, read what was refused."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Header, Query, Request, Response

from services.api.deps import Deps
from services.api.errors import BadRequest
from services.api.idempotency import Idempotent
from services.api.limits import QueryInt
from services.api.paging import Page, Paging
from services.api.reading import answer_page
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas.imports import ImportIn, ImportOut, ImportState, RejectionOut
from services.api.security import require
from shared.adapters.postgres.views import imports as view
from shared.application.imports import ImportOrder, Place, receive_content
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

router = noun_router("imports")
Sender = Annotated[Principal, require(Role.CORE_BANKING)]
Watcher = Annotated[Principal, require(Role.CORE_BANKING, Role.OPERATIONS, Role.AUDITOR)]

_RANGE = re.compile(r"bytes ([0-9]{1,18})-(?:[0-9]{1,18}|\*)/(?:[0-9]{1,18}|\*)")
_MEDIA_TYPES = ("application/x-ndjson", "application/ndjson", "text/csv", "application/octet-stream")
_CONTENT = {
    "requestBody": {
        "required": True,
        "content": {name: {"schema": {"type": "string", "format": "binary"}} for name in _MEDIA_TYPES},
    }
}


@router.post("", response_model=ImportOut, status_code=201, summary="Announce a file of events")
async def create_import(body: ImportIn, caller: Sender, deps: Deps, once: Idempotent) -> Response:
    """Announce a file; send its content to ``/v1/imports/{id}/content`` next."""
    import_id = uuid4()
    order = ImportOrder(body.name, body.format, body.event_type, body.source or "", body.sha256, body.lines)
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        await tx.add_import(import_id, order, caller.subject)
        answer = created(await view.get_import(tx.conn, import_id), location=f"/v1/imports/{import_id}")
        return await once.keep(tx.conn, answer)


@router.get("", response_model=Page[ImportOut], summary="List imports")
async def list_imports(
    caller: Watcher,
    deps: Deps,
    page: Paging,
    state: ImportState | None = None,
) -> Json:
    """Imports, newest first."""
    async with deps.pool.acquire() as conn:
        rows = await view.list_imports(conn, state, after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{import_id}", response_model=ImportOut, summary="Read how far an import has come")
async def get_import(import_id: UUID, caller: Watcher, deps: Deps) -> Json:
    """How far an import has come."""
    async with deps.pool.acquire() as conn:
        return Json(_found(await view.get_import(conn, import_id)))


@router.put(
    "/{import_id}/content",
    response_model=ImportOut,
    summary="Send the content of an import",
    openapi_extra=_CONTENT,
    responses={409: {"description": "It is done, or running, or goes on at another byte"}},
)
async def put_import_content(
    import_id: UUID,
    request: Request,
    caller: Sender,
    deps: Deps,
    content_range: Annotated[str | None, Header(description="bytes N-*/*: goes on at bytes_done")] = None,
    from_byte: Annotated[QueryInt, Query(ge=0, description="The same as a query")] = 0,
) -> Json:
    """Stream the content; answered when all of it was taken.

    A connection that drops leaves the import ``interrupted`` with every whole line taken. Send the content again from
    its start (lines that are done are passed over unread) or, NDJSON without ``sha256`` only, from ``bytes_done`` on.
    """
    media_type = request.headers.get("content-type", _MEDIA_TYPES[0]).partition(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        raise BadRequest("unsupported-media-type", f"Send one of: {', '.join(_MEDIA_TYPES)}.", status=415)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise BadRequest("unsupported-media-type", "Send the content as it is, not compressed.", status=415)
    start = from_byte if content_range is None else _start_of(content_range)
    await receive_content(Place(deps.work, deps.shelf, deps.intake.lookahead), import_id, request.stream(), start)
    async with deps.pool.acquire() as conn:
        return Json(_found(await view.get_import(conn, import_id)))


@router.get("/{import_id}/rejections", response_model=Page[RejectionOut], summary="List refused lines")
async def list_import_rejections(
    import_id: UUID,
    caller: Watcher,
    deps: Deps,
    page: Paging,
) -> Json:
    """The lines that were refused, in their order."""
    async with deps.pool.acquire() as conn:
        _found(await view.get_import(conn, import_id))
        rows = await view.list_rejections(conn, import_id, after=page.after, limit=page.fetch)
    return answer_page(page, rows)


def _start_of(content_range: str) -> int:
    found = _RANGE.fullmatch(content_range.strip())
    if found is None:
        raise BadRequest("malformed-range", "Content-Range is 'bytes N-*/*', N being the import's bytes_done.")
    return int(found[1])


def _found(doc: str | None) -> str:
    if doc is None:
        raise NotFound("There is no such import.")
    return doc
