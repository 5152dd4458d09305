"""Settlements: propose, accept, sign, withdraw, look up."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas import settlements as schema
from services.api.security import require
from services.api.settlement_wire import asked, shown
from shared.adapters.postgres.views import settlements as view
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.application.settlements import SettlementDesk

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("settlements")
Settler = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.post(
    "", response_model=schema.SettlementOut, status_code=201, summary="Propose a settlement", responses=_UNKNOWN
)
async def propose_settlement(body: schema.SettlementIn, caller: Settler, deps: Deps, once: Idempotent) -> Response:
    """Offered at once within the caller's own limit; else a second person is asked (``/v1/approvals``), and the
    customer hears nothing of it before their yes."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        settlement_id = uuid4()
        await desk.propose(tx, asked(settlement_id, body), caller)
        content, version = await _seen(tx.conn, settlement_id, caller)
        answer = created(content, location=f"/v1/settlements/{settlement_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{settlement_id}", response_model=schema.SettlementOut, summary="Read one settlement", responses=READ)
async def get_settlement(settlement_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """What is paid instead of what, what was received when it was last judged, and what is given up or back."""
    content, version = await _seen(deps.pool, settlement_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[schema.SettlementOut], summary="List settlements")
async def list_settlements(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    state: schema.SettlementStateName | None = None,
    instrument: schema.InstrumentName | None = None,
) -> Json:
    """Settlements of the caller's customers, the newest first."""
    wanted = view.SettlementFilter(customer_id=customer_id, case_id=case_id, state=state, instrument=instrument)
    rows = await view.list_settlements(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows, shown)


@router.post("/{settlement_id}/accept", response_model=schema.SettlementOut, summary="Take the customer's yes")
async def accept_settlement(settlement_id: UUID, caller: Settler, deps: Deps, expected: ExpectedVersion) -> Response:
    """While the offer stands; collection of its accounts stops. It ends by itself if it is not signed by the day of its
    first payment."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.accept(tx, settlement_id, caller, expected)
        return await _answer(tx.conn, settlement_id, caller)


@router.post("/{settlement_id}/activate", response_model=schema.SettlementOut, summary="Bring a settlement into force")
async def activate_settlement(settlement_id: UUID, caller: Settler, deps: Deps, expected: ExpectedVersion) -> Response:
    """It is signed: from now on it is fulfilled or breached by what comes in."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.activate(tx, settlement_id, caller, expected)
        return await _answer(tx.conn, settlement_id, caller)


@router.post("/{settlement_id}/withdraw", response_model=schema.SettlementOut, summary="Withdraw a settlement")
async def withdraw_settlement(
    settlement_id: UUID, body: schema.SettlementWithdrawal, caller: Settler, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Before it is in force: by the bank, or because the customer does not want it."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.withdraw(tx, settlement_id, body.reason, caller, expected)
        return await _answer(tx.conn, settlement_id, caller)


async def _desk(deps: ApiDeps) -> SettlementDesk:
    await policy_of(deps)  # on hand from here on
    return SettlementDesk(deps.shelf)


async def _answer(conn: Any, settlement_id: UUID, caller: Principal) -> Response:
    content, version = await _seen(conn, settlement_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, settlement_id: UUID, caller: Principal) -> tuple[dict[str, Any], int]:
    found = await view.get_settlement(conn, settlement_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such settlement, or it is not among yours.")
    return shown(found[0]), found[1]
