"""Hours that people agreed to or asked for."""

from __future__ import annotations

from datetime import time
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
from services.api.schemas.contact_hours import HoursIn, HoursKind, HoursOut
from services.api.security import require
from shared.adapters.postgres.views import protection as view
from shared.application.contact_hours import NewHours, add_hours, withdraw_hours
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("contact-hours")
Editor = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("", response_model=HoursOut, status_code=201, summary="Note agreed or wished hours", responses=_UNKNOWN)
async def add_contact_hours(body: HoursIn, caller: Editor, deps: Deps, once: Idempotent) -> Response:
    """They hold from the next contact on, for messages, calls and visits alike. A consent names its proof and ends."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        new = NewHours(
            hours_id=uuid4(),
            **body.model_dump(exclude={"weekdays", "from_time", "to_time"}),
            from_time=time.fromisoformat(body.from_time),
            to_time=time.fromisoformat(body.to_time),
            weekdays=tuple(set(body.weekdays)),
        )
        await add_hours(tx, new, caller)
        content, version = await _seen(tx.conn, new.hours_id, caller)
        answer = created(content, location=f"/v1/contact-hours/{new.hours_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{hours_id}", response_model=HoursOut, summary="Read one agreement on hours", responses=READ)
async def get_contact_hours(hours_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The hours; they stand until they end or are withdrawn."""
    content, version = await _seen(deps.pool, hours_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[HoursOut], summary="List agreed and wished hours")
async def list_contact_hours(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    kind: HoursKind | None = None,
    in_force: bool | None = None,
) -> Json:
    """Hours of the caller's customers, those noted last first."""
    wanted = view.HoursFilter(customer_id=customer_id, kind=kind, in_force=in_force)
    rows = await view.list_hours(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{hours_id}/withdraw", response_model=HoursOut, summary="Withdraw agreed or wished hours")
async def withdraw_contact_hours(hours_id: UUID, caller: Editor, deps: Deps, expected: ExpectedVersion) -> Response:
    """The person took them back; that holds at once."""
    async with deps.work() as tx:
        await withdraw_hours(tx, hours_id, caller, expected)
        content, version = await _seen(tx.conn, hours_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, hours_id: UUID, caller: Principal) -> tuple[str, int]:
    found = await view.get_hours(conn, hours_id, scope_of(caller))
    if found is None:
        raise NotFound("There are no such hours, or they are not among yours.")
    return found
