"""Promises to pay: take, call off, look up."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Query, Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Day, Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas.promises import PromiseCancellation, PromiseIn, PromiseOut, PromiseStateName
from services.api.security import require
from shared.adapters.postgres.views import promises as view
from shared.application.principal import Principal, Role
from shared.application.promises import PromiseAsked, PromiseDesk
from shared.application.refusals import NotFound
from shared.domain.promise import Promiser

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("promises")
Taker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.post("", response_model=PromiseOut, status_code=201, summary="Take a promise to pay", responses=_UNKNOWN)
async def take_promise(body: PromiseIn, caller: Taker, deps: Deps, once: Idempotent) -> Response:
    """Follow-ups wait until its last day once every overdue account of the customer has one. What the policy objects to
    is told by a 422 with the objection's code."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        asked = PromiseAsked(
            promise_id=uuid4(),
            customer_id=body.customer_id,
            account_id=body.account_id,
            currency=body.currency,
            amount=body.amount,
            due_on=body.due_on,
            channel=body.channel,
            promised_by=Promiser(body.promised_by),
            waive=tuple(body.waive),
        )
        await desk.take(tx, asked, caller)
        content, version = await _seen(tx.conn, asked.promise_id, caller)
        answer = created(content, location=f"/v1/promises/{asked.promise_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{promise_id}", response_model=PromiseOut, summary="Read one promise", responses=READ)
async def get_promise(promise_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """As it was last judged, and why."""
    content, version = await _seen(deps.pool, promise_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[PromiseOut], summary="List promises")
async def list_promises(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    account_id: Text | None = None,
    state: PromiseStateName | None = None,
    due_before: Annotated[Day | None, Query(description="Due earlier than this day")] = None,
) -> Json:
    """Promises of the caller's customers, the first to be due first."""
    wanted = view.PromiseFilter(
        customer_id=customer_id, case_id=case_id, account_id=account_id, state=state, due_before=due_before
    )
    rows = await view.list_promises(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{promise_id}/cancel", response_model=PromiseOut, summary="Call a promise off")
async def cancel_promise(
    promise_id: UUID, body: PromiseCancellation, caller: Taker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """A mistake, a new agreement, an objection: an open promise is called off, and follow-ups go on."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.cancel(tx, promise_id, body.reason, caller, expected)
        content, version = await _seen(tx.conn, promise_id, caller)
        return Json(content, headers={"etag": etag(version)})


async def _desk(deps: ApiDeps) -> PromiseDesk:
    await policy_of(deps)  # on hand from here on
    return PromiseDesk(deps.shelf)


async def _seen(conn: Any, promise_id: UUID, caller: Principal) -> tuple[Any, int]:
    found = await view.get_promise(conn, promise_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such promise, or it is not among yours.")
    return found[0], found[1]
