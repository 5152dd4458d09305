"""Complaints: received, acknowledged, answered, resolved, escalated, given more time."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

import orjson
from fastapi import Query, Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Instant, Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas import complaints as schema
from services.api.security import require
from shared.adapters.postgres.views import complaints as view
from shared.application.complaints import ComplaintDesk, ExtensionAsked, NewComplaint
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.domain.complaint import Complexity

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer or account"}}
router = noun_router("complaints")
_HANDLERS = (Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)
Handler = Annotated[Principal, require(*_HANDLERS)]
Approver = Annotated[Principal, require(Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("", response_model=schema.ComplaintOut, status_code=201, summary="Receive a complaint", responses=_UNKNOWN)
async def receive_complaint(body: schema.ComplaintIn, caller: Handler, deps: Deps, once: Idempotent) -> Response:
    """Starts its clocks and holds what it is about, in one step. The answer is due in 15, 30 or 60 days."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        new = NewComplaint(
            complaint_id=uuid4(),
            customer_id=body.customer_id,
            account_id=body.account_id,
            category=body.category,
            channel=body.channel,
            complexity=Complexity(body.complexity),
            text=body.text,
            owner=body.owner,
            received_at=body.received_at,
        )
        await desk.receive(tx, new, caller)
        content, version = await _seen(tx.conn, deps, new.complaint_id, caller)
        answer = created(content, location=f"/v1/complaints/{new.complaint_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{complaint_id}", response_model=schema.ComplaintOut, summary="Read one complaint", responses=READ)
async def get_complaint(complaint_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """With its texts for collectors, supervisors and compliance; others get null in their place."""
    content, version = await _seen(deps.pool, deps, complaint_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[schema.ComplaintListed], summary="List complaints")
async def list_complaints(
    caller: Reader,
    deps: Deps,
    page: Paging,
    state: schema.ComplaintStateName | None = None,
    open: Annotated[bool | None, Query(description="true: those not resolved")] = None,
    customer_id: Text | None = None,
    account_id: Text | None = None,
    case_id: UUID | None = None,
    category: schema.Category | None = None,
    owner: Text | None = None,
    answer_before: Annotated[Instant | None, Query(description="Not answered, and due before then")] = None,
) -> Json:
    """Complaints of the caller's customers without their texts, the first to be answered first."""
    wanted = view.ComplaintFilter(
        state=state,
        open=open,
        customer_id=customer_id,
        account_id=account_id,
        case_id=case_id,
        category=category,
        owner=owner,
        answer_before=answer_before,
    )
    rows = await view.list_complaints(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{complaint_id}/acknowledge", response_model=schema.ComplaintOut, summary="Acknowledge a complaint")
async def acknowledge_complaint(complaint_id: UUID, caller: Handler, deps: Deps, expected: ExpectedVersion) -> Response:
    """The customer is told that we have it; the first clock stops."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.acknowledge(tx, complaint_id, caller, expected)
        return await _answer(tx.conn, deps, complaint_id, caller)


@router.post("/{complaint_id}/respond", response_model=schema.ComplaintOut, summary="Answer a complaint")
async def respond_to_complaint(
    complaint_id: UUID, body: schema.ComplaintAnswer, caller: Handler, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Put the answer on record; both clocks stop. What it holds stays held until it is resolved."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.respond(tx, complaint_id, body.response, caller, expected)
        return await _answer(tx.conn, deps, complaint_id, caller)


@router.post("/{complaint_id}/resolve", response_model=schema.ComplaintOut, summary="Resolve a complaint")
async def resolve_complaint(
    complaint_id: UUID, body: schema.ComplaintResolution, caller: Handler, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Close an answered complaint and release its hold."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.resolve(tx, complaint_id, body.outcome, caller, expected)
        return await _answer(tx.conn, deps, complaint_id, caller)


@router.post("/{complaint_id}/escalate", response_model=schema.ComplaintOut, summary="Escalate a complaint")
async def escalate_complaint(
    complaint_id: UUID, body: schema.ComplaintEscalation, caller: Handler, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Hand it up. Its hold stays; one that had been resolved is held anew."""
    desk = await _desk(deps)
    async with deps.work() as tx:
        await desk.escalate(tx, complaint_id, body.reason, body.owner, caller, expected)
        return await _answer(tx.conn, deps, complaint_id, caller)


@router.post("/{complaint_id}/extend", response_model=schema.ComplaintOut, summary="Give a complaint more time")
async def extend_complaint(
    complaint_id: UUID, body: schema.ComplaintExtension, caller: Approver, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Approve more time that somebody else asked for, before the time that there was has run out."""
    desk = await _desk(deps)
    asked = ExtensionAsked(
        to=Complexity(body.complexity),
        requested_by=body.requested_by,
        reason=body.reason,
        complainant_told_at=body.complainant_told_at,
    )
    async with deps.work() as tx:
        await desk.extend(tx, complaint_id, asked, caller, expected)
        return await _answer(tx.conn, deps, complaint_id, caller)


async def _desk(deps: ApiDeps) -> ComplaintDesk:
    await policy_of(deps)  # on hand from here on
    return ComplaintDesk(deps.shelf)


async def _answer(conn: Any, deps: ApiDeps, complaint_id: UUID, caller: Principal) -> Response:
    content, version = await _seen(conn, deps, complaint_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, deps: ApiDeps, complaint_id: UUID, caller: Principal) -> tuple[dict[str, Any], int]:
    found = await view.get_complaint(conn, complaint_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such complaint, or it is not among yours.")
    content, version, text, response = found
    may_read = caller.has(*_HANDLERS)
    key = str(complaint_id)
    shown: dict[str, Any] = orjson.loads(content)
    shown["text"] = deps.cipher.decrypt("complaints", "text", key, text) if may_read else None
    shown["response"] = deps.cipher.decrypt("complaints", "response", key, response) if may_read and response else None
    return shown, version
