"""Approvals: what waits for a second person, and their decision."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Text
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.plans import ApprovalOut, ApprovalStateName, Decision, Withdrawal
from services.api.security import require
from shared.adapters.postgres.views import plans as view
from shared.application.approvals import ApprovalDesk
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

router = noun_router("approvals")
Decider = Annotated[Principal, require(Role.SUPERVISOR, Role.COMPLIANCE)]
Asker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.get("/{approval_id}", response_model=ApprovalOut, summary="Read one approval", responses=READ)
async def get_approval(approval_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """What it is about (``subject``, ``subject_id``), who may decide, and what was decided."""
    content, version = await _seen(deps.pool, approval_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[ApprovalOut], summary="List approvals")
async def list_approvals(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    state: ApprovalStateName | None = None,
    subject: Text | None = None,
    subject_id: Text | None = None,
) -> Json:
    """Approvals about the caller's customers, the first to expire first."""
    wanted = view.ApprovalFilter(customer_id=customer_id, state=state, subject=subject, subject_id=subject_id)
    rows = await view.list_approvals(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{approval_id}/decide", response_model=ApprovalOut, summary="Decide about what waits")
async def decide_approval(
    approval_id: UUID, body: Decision, caller: Decider, deps: Deps, expected: ExpectedVersion
) -> Response:
    """A second person's yes or no; what it is about follows it at once. Nobody decides about what they asked for."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.decide(tx, approval_id, body.granted, body.reason, caller, expected)
        content, version = await _seen(tx.conn, approval_id, caller)
        return Json(content, headers={"etag": etag(version)})


@router.post("/{approval_id}/withdraw", response_model=ApprovalOut, summary="Take a request back")
async def withdraw_approval(
    approval_id: UUID, body: Withdrawal, caller: Asker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """By who made it; what it is about is called off with it."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.withdraw(tx, approval_id, body.reason, caller, expected)
        content, version = await _seen(tx.conn, approval_id, caller)
        return Json(content, headers={"etag": etag(version)})


async def _desk(deps: ApiDeps) -> ApprovalDesk:
    await policy_of(deps)  # on hand from here on
    return ApprovalDesk(deps.shelf)


async def _seen(conn: Any, approval_id: UUID, caller: Principal) -> tuple[str, int]:
    found = await view.get_approval(conn, approval_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such approval, or it is not among yours.")
    return found[0], found[1]
