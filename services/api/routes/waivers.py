"""Waivers: propose, withdraw, look up."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
from fastapi import Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas import settlements
from services.api.schemas import waivers as schema
from services.api.security import require
from shared.adapters.postgres.views import waivers as view
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.application.waivers import WaiverAsked, WaiverDesk

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("waivers")
Waiving = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.post("", response_model=schema.WaiverOut, status_code=201, summary="Propose a waiver", responses=_UNKNOWN)
async def propose_waiver(body: schema.WaiverIn, caller: Waiving, deps: Deps, once: Idempotent) -> Response:
    """Granted at once within the caller's own limit, in which what was waived before counts; else a second person is
    asked (``/v1/approvals``)."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        asked = WaiverAsked(
            waiver_id=uuid4(),
            customer_id=body.customer_id,
            account=(body.account_id, body.currency),
            component=body.component,
            amount=body.amount,
            cause=body.cause,
        )
        await desk.propose(tx, asked, caller)
        content, version = await _seen(tx.conn, asked.waiver_id, caller)
        answer = created(content, location=f"/v1/waivers/{asked.waiver_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{waiver_id}", response_model=schema.WaiverOut, summary="Read one waiver", responses=READ)
async def get_waiver(waiver_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """What was let off, by whom, and what was owed of it then."""
    content, version = await _seen(deps.pool, waiver_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[schema.WaiverOut], summary="List waivers")
async def list_waivers(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    account_id: Text | None = None,
    case_id: UUID | None = None,
    state: schema.WaiverStateName | None = None,
    component: settlements.ComponentName | None = None,
) -> Json:
    """Waivers of the caller's customers, the newest first."""
    wanted = view.WaiverFilter(
        customer_id=customer_id, account_id=account_id, case_id=case_id, state=state, component=component
    )
    rows = await view.list_waivers(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{waiver_id}/withdraw", response_model=schema.WaiverOut, summary="Take a waiver back")
async def withdraw_waiver(
    waiver_id: UUID, body: schema.WaiverWithdrawal, caller: Waiving, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Before it is granted; nobody has to decide about it any more."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.withdraw(tx, waiver_id, body.reason, caller, expected)
        content, version = await _seen(tx.conn, waiver_id, caller)
        return Json(content, headers={"etag": etag(version)})


async def _desk(deps: ApiDeps) -> WaiverDesk:
    await policy_of(deps)  # on hand from here on
    return WaiverDesk(deps.shelf)


async def _seen(conn: Any, waiver_id: UUID, caller: Principal) -> tuple[dict[str, Any], int]:
    found = await view.get_waiver(conn, waiver_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such waiver, or it is not among yours.")
    return orjson.loads(found[0]), found[1]
