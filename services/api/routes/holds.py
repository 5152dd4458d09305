"""Holds: place, release, look up."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas.holds import HoldIn, HoldKindName, HoldOut, HoldRelease
from services.api.security import require
from shared.adapters.postgres.views import holds as view
from shared.application import holds
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.domain.hold import DisputedPart, HoldKind

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer or account"}}
router = noun_router("holds")
Holder = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("", response_model=HoldOut, status_code=201, summary="Place a hold", responses=_UNKNOWN)
async def place_hold(body: HoldIn, caller: Holder, deps: Deps, once: Idempotent) -> Response:
    """Stops the ladder at once. Which kinds a collector may place is told by a 403; the others are for supervisors
    and compliance."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        new = holds.NewHold(
            hold_id=uuid4(),
            customer_id=body.customer_id,
            account_id=body.account_id,
            kind=HoldKind(body.kind),
            reason=body.reason,
            ends_at=body.ends_at,
            disputed=None if body.disputed is None else DisputedPart(**body.disputed.model_dump()),
        )
        await holds.place_hold(tx, new, caller)
        content, version = await _seen(tx.conn, new.hold_id, caller)
        answer = created(content, location=f"/v1/holds/{new.hold_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{hold_id}", response_model=HoldOut, summary="Read one hold", responses=READ)
async def get_hold(hold_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The hold; it stands until ``released_at`` or ``ends_at``, whichever comes first."""
    content, version = await _seen(deps.pool, hold_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[HoldOut], summary="List holds")
async def list_holds(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    account_id: Text | None = None,
    kind: HoldKindName | None = None,
    in_force: Annotated[bool | None, Query(description="true: those that stand now")] = None,
) -> Json:
    """Holds of the caller's customers, the newest first."""
    wanted = view.HoldFilter(customer_id=customer_id, account_id=account_id, kind=kind, in_force=in_force)
    rows = await view.list_holds(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{hold_id}/release", response_model=HoldOut, summary="Release a hold")
async def release_hold(
    hold_id: UUID, body: HoldRelease, caller: Holder, deps: Deps, expected: ExpectedVersion
) -> Response:
    """The ladder goes on from here. The hold of a complaint or a plan is released by it: 409."""
    async with deps.work() as tx:
        await holds.release_hold(tx, hold_id, body.reason, caller, expected)
        content, version = await _seen(tx.conn, hold_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, hold_id: UUID, caller: Principal) -> tuple[str, int]:
    found = await view.get_hold(conn, hold_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such hold, or it is not among yours.")
    return found
