"""What contact rules ask of a person besides the profile."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Request, Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas.circumstances import CircumstanceIn, CircumstanceKind, CircumstanceOut
from services.api.security import require
from shared.adapters.postgres.views import circumstances as view
from shared.application.circumstances import NewCircumstance, note_circumstance, withdraw_circumstance
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("contact-circumstances")
Editor = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post(
    "", response_model=CircumstanceOut, status_code=201, summary="Note a place or a permission", responses=_UNKNOWN
)
async def note_contact_circumstance(body: CircumstanceIn, caller: Editor, deps: Deps, once: Idempotent) -> Response:
    """It holds from the next contact on, for messages, calls and visits alike. A permission names its proof."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        about = body.model_dump(exclude={"contact_point_id"})
        new = NewCircumstance(circumstance_id=uuid4(), point_id=body.contact_point_id, **about)
        await note_circumstance(tx, new, caller)
        content, version = await _seen(tx.conn, new.circumstance_id, caller)
        answer = created(content, location=f"/v1/contact-circumstances/{new.circumstance_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get(
    "/{circumstance_id}", response_model=CircumstanceOut, summary="Read one place or permission", responses=READ
)
async def get_contact_circumstance(circumstance_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """What was noted; it stands until it ends or is withdrawn."""
    content, version = await _seen(deps.pool, circumstance_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[CircumstanceOut], summary="List places and permissions")
async def list_contact_circumstances(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    kind: CircumstanceKind | None = None,
    in_force: bool | None = None,
) -> Json:
    """Of the caller's customers, what was noted last first."""
    wanted = view.CircumstanceFilter(customer_id=customer_id, kind=kind, in_force=in_force)
    rows = await view.list_circumstances(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{circumstance_id}/withdraw", response_model=CircumstanceOut, summary="Withdraw a place or a permission")
async def withdraw_contact_circumstance(
    circumstance_id: UUID, caller: Editor, deps: Deps, expected: ExpectedVersion
) -> Response:
    """It is so no more, or was taken back; that holds at once."""
    async with deps.work() as tx:
        await withdraw_circumstance(tx, circumstance_id, caller, expected)
        content, version = await _seen(tx.conn, circumstance_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, circumstance_id: UUID, caller: Principal) -> tuple[str, int]:
    found = await view.get_circumstance(conn, circumstance_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such place or permission, or it is not among yours.")
    return found
