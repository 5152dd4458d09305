"""Put a follow-up off, or call it off."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.reading import scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.casework import Cancellation, DecidedFollowUp, Deferral
from services.api.security import require
from shared.adapters.postgres.views import follow_ups as view
from shared.application.deferring import cancel, defer
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

router = noun_router("follow-ups")
Worker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.post("/{follow_up_id}/defer", response_model=DecidedFollowUp, summary="Put a follow-up off")
async def defer_follow_up(
    follow_up_id: UUID, body: Deferral, caller: Worker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """It is not due before then. Only one that is planned or deferred can be put off: else 409."""
    async with deps.work() as tx:
        await defer(tx, follow_up_id, body.until, body.reason, caller, expected)
        return await _answer(tx.conn, follow_up_id, caller)


@router.post("/{follow_up_id}/cancel", response_model=DecidedFollowUp, summary="Call a follow-up off")
async def cancel_follow_up(
    follow_up_id: UUID, body: Cancellation, caller: Worker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """This step will not be taken for this due date; the ladder goes on with the next."""
    async with deps.work() as tx:
        await cancel(tx, follow_up_id, body.reason, caller, expected)
        return await _answer(tx.conn, follow_up_id, caller)


async def _answer(conn: Any, follow_up_id: UUID, caller: Principal) -> Response:
    found = await view.get_follow_up(conn, follow_up_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such follow-up, or it is not among yours.")
    return Json(found[0], headers={"etag": etag(found[1])})
