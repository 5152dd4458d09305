"""Contact preferences of a customer: opt-outs by channel."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Request, Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import CoreId
from services.api.reading import READ, Reader, document, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.preferences import ContactChannel, Preference, PreferenceIn, Preferences
from services.api.security import require
from shared.adapters.postgres.views.preferences import CHANNELS, list_preferences
from shared.application.preferences import set_preference
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

router = noun_router("customers")
Editor = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.get(
    "/{customer_id}/preferences", response_model=Preferences, summary="Read contact preferences", responses=READ
)
async def get_preferences(customer_id: CoreId, caller: Reader, deps: Deps, request: Request) -> Response:
    """Every channel; nothing said about one is no opt-out. To change one, read it alone: its ETag is asked for."""
    rows = await list_preferences(deps.pool, customer_id, scope_of(caller), CHANNELS)
    if not rows:
        raise NotFound("There is no such customer, or not among yours.")
    return document(request, {"customer_id": customer_id, "channels": [dict(row) for row in rows]})


@router.get(
    "/{customer_id}/preferences/{channel}",
    response_model=Preference,
    summary="Read one contact preference",
    responses=READ,
)
async def get_preference(
    customer_id: CoreId, channel: ContactChannel, caller: Reader, deps: Deps, request: Request
) -> Response:
    """One channel, with the ETag that a change asks for."""
    found = await _one(deps.pool, customer_id, channel, caller)
    return document(request, found, version=found["row_version"])


@router.put("/{customer_id}/preferences/{channel}", response_model=Preference, summary="Set a contact preference")
async def put_preference(
    customer_id: CoreId,
    channel: ContactChannel,
    body: PreferenceIn,
    caller: Editor,
    deps: Deps,
    expected: ExpectedVersion,
) -> Response:
    """Note an opt-out; it holds from the next contact on. Only supervisors and compliance take one back."""
    async with deps.work() as tx:
        await set_preference(
            tx,
            customer_id,
            channel,
            opted_out=body.opted_out,
            source=body.source,
            who=caller,
            expected=expected,
        )
        found = await _one(tx.conn, customer_id, channel, caller)
    return Json(found, headers={"etag": etag(found["row_version"])})


async def _one(conn: Any, customer_id: str, channel: str, caller: Principal) -> dict[str, Any]:
    rows = await list_preferences(conn, customer_id, scope_of(caller), (channel,))
    if not rows:
        raise NotFound("There is no such customer, or not among yours.")
    return dict(rows[0])
