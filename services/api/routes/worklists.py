"""Worklists: what people have to do, and doing it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import orjson
from fastapi import Query, Request, Response

from services.api.deps import ApiDeps, Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Day, Text
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, policy_of, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.worklists import WorkDone, WorkKind, WorkListed, WorkOut, WorkState
from services.api.security import require
from shared.adapters.postgres.views import worklists as view
from shared.application.limitation import Limitations
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.application.worklists import Done, complete, release, take

router = noun_router("worklists")
Worker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.get("", response_model=Page[WorkListed], summary="List work items")
async def list_work(
    caller: Reader,
    deps: Deps,
    page: Paging,
    state: Annotated[WorkState | None, Query(description="Absent: what is still to be done, taken or not")] = None,
    kind: WorkKind | None = None,
    assignee: Text | None = None,
    team: Text | None = None,
    bucket: Text | None = None,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    due_before: Day | None = None,
) -> Json:
    """Work on the caller's cases: the worst bucket first, then what has been due longest."""
    wanted = view.WorkFilter(
        state=state,
        kind=kind,
        assignee=assignee,
        team=team,
        bucket=bucket,
        customer_id=customer_id,
        case_id=case_id,
        due_before=due_before,
    )
    rows = await view.list_work(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{item_id}", response_model=WorkOut, summary="Read one work item", responses=READ)
async def get_work(item_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """With its note for collectors, supervisors and compliance."""
    content, version = await _seen(deps.pool, deps, item_id, caller)
    return document(request, content, version=version)


@router.post("/{item_id}/take", response_model=WorkOut, summary="Take a work item")
async def take_work(item_id: UUID, caller: Worker, deps: Deps, expected: ExpectedVersion) -> Response:
    """The caller will do it. 409 when somebody has it, when a hold protects the customer, or when the claim of
    a legal step is barred."""
    await policy_of(deps)  # on hand from here on
    async with deps.work() as tx:
        await take(tx, item_id, caller, expected, Limitations(deps.shelf))
        return await _answer(tx.conn, deps, item_id, caller)


@router.post("/{item_id}/release", response_model=WorkOut, summary="Give a work item back")
async def release_work(item_id: UUID, caller: Worker, deps: Deps, expected: ExpectedVersion) -> Response:
    """Back to the list; a supervisor may do so for whoever took it."""
    async with deps.work() as tx:
        await release(tx, item_id, caller, expected)
        return await _answer(tx.conn, deps, item_id, caller)


@router.post("/{item_id}/complete", response_model=WorkOut, summary="Complete a work item")
async def complete_work(
    item_id: UUID, body: WorkDone, caller: Worker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Done, with this outcome; so is the follow-up that it came from. A call, visit or letter is a contact: unless it
    was told of as a contact attempt since the item was taken, it is entered as one, by the open permit of whoever took
    the item, else as one that nobody had asked for. It counts."""
    async with deps.work() as tx:
        await complete(tx, item_id, Done(body.outcome, body.note, body.at), caller, expected)
        return await _answer(tx.conn, deps, item_id, caller)


async def _answer(conn: Any, deps: ApiDeps, item_id: UUID, caller: Principal) -> Response:
    content, version = await _seen(conn, deps, item_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, deps: ApiDeps, item_id: UUID, caller: Principal) -> tuple[dict[str, Any], int]:
    found = await view.get_work(conn, item_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such work item, or it is not among yours.")
    content, version, note = found
    shown: dict[str, Any] = orjson.loads(content)
    may_read = note is not None and caller.has(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)
    shown["note"] = deps.cipher.decrypt("work_items", "note", str(item_id), note) if may_read else None
    return shown, version
