"""Repayment plans: quote, propose, bring to life, call off, look up."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Query, Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Day, Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.plan_standing import no_such_plan, standing_on
from services.api.plan_wire import agreed, asked, proposed, quoted, shown
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas import plans as schema
from services.api.security import require
from shared.adapters.postgres.views import plans as view
from shared.application.plans import PlanDesk
from shared.application.principal import Principal, Role
from shared.application.quoting import quote_plan

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("plans")
Planner = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.post("/quotes", response_model=schema.QuoteOut, summary="Quote a repayment plan", responses=_UNKNOWN)
async def quote_repayment_plan(body: schema.QuoteIn, caller: Planner, deps: Deps) -> Json:
    """What the plan would look like, and what it would cost, on the debts of this moment. Nothing of it is kept."""
    await policy_of(deps)  # on hand from here on
    async with deps.work() as tx:
        made = await quote_plan(tx, deps.shelf, asked(body), caller)
    return Json(quoted(made))


@router.post("", response_model=schema.PlanOut, status_code=201, summary="Propose a plan", responses=_UNKNOWN)
async def propose_plan(body: schema.PlanIn, caller: Planner, deps: Deps, once: Idempotent) -> Response:
    """Approved at once within the caller's own limit; else a second person is asked (``/v1/approvals``)."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        wanted = proposed(uuid4(), body)
        await desk.propose(tx, wanted, caller)
        content, version = await _seen(tx.conn, wanted.plan_id, caller)
        answer = created(content, location=f"/v1/plans/{wanted.plan_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{plan_id}", response_model=schema.PlanOut, summary="Read one plan", responses=READ)
async def get_plan(plan_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """With its instalments, and how far it was when it was last judged."""
    content, version = await _seen(deps.pool, plan_id, caller)
    return document(request, content, version=version)


@router.get(
    "/{plan_id}/standing",
    response_model=schema.PlanStandingOut,
    summary="How each instalment of a plan stands",
    responses=READ,
)
async def get_plan_standing(
    plan_id: UUID,
    caller: CaseReader,
    deps: Deps,
    request: Request,
    on: Annotated[Day | None, Query(description="The customer's day, at most 366 days ahead; today")] = None,
) -> Response:
    """What of each instalment is covered, open and late at the end of the day, and what would end the plan on it. By
    all payments known now; on a day to come as if nothing more came in."""
    found = await view.get_plan_with_money(deps.pool, plan_id, scope_of(caller))
    if found is None:
        raise no_such_plan()
    return document(request, await standing_on(deps, found, on))


@router.get("", response_model=Page[schema.PlanOut], summary="List plans")
async def list_plans(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    state: schema.PlanStateName | None = None,
    kind: schema.PlanKindName | None = None,
) -> Json:
    """Plans of the caller's customers, the newest first."""
    wanted = view.PlanFilter(customer_id=customer_id, case_id=case_id, state=state, kind=kind)
    rows = await view.list_plans(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows, shown)


@router.post("/{plan_id}/activate", response_model=schema.PlanOut, summary="Bring a plan to life")
async def activate_plan(
    plan_id: UUID, body: schema.AgreementIn, caller: Planner, deps: Deps, expected: ExpectedVersion
) -> Response:
    """The customer agreed: collection of the plan's accounts stops while it is kept, and a plan it replaces ends."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.activate(tx, plan_id, agreed(body), caller, expected)
        return await _answer(tx.conn, plan_id, caller)


@router.post("/{plan_id}/cancel", response_model=schema.PlanOut, summary="Call a plan off")
async def cancel_plan(
    plan_id: UUID, body: schema.PlanCancellation, caller: Planner, deps: Deps, expected: ExpectedVersion
) -> Response:
    """By the customer's wish, or because it was a mistake; collection goes on."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.cancel(tx, plan_id, body.reason, caller, expected)
        return await _answer(tx.conn, plan_id, caller)


async def _desk(deps: ApiDeps) -> PlanDesk:
    await policy_of(deps)  # on hand from here on
    return PlanDesk(deps.shelf)


async def _answer(conn: Any, plan_id: UUID, caller: Principal) -> Response:
    content, version = await _seen(conn, plan_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, plan_id: UUID, caller: Principal) -> tuple[dict[str, Any], int]:
    found = await view.get_plan(conn, plan_id, scope_of(caller))
    if found is None:
        raise no_such_plan()
    return shown(found[0]), found[1]
