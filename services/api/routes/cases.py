"""Cases: whose, how bad, what happened, what comes next and why."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import Instant, Text
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.cases import CaseOut, CaseState, ExplanationOut, LineKind, ListedCase, Note, TimelineLine
from shared.adapters.postgres.views import cases as view
from shared.adapters.postgres.views.explanations import load_case
from shared.application.explaining import explain
from shared.application.refusals import NotFound

router = noun_router("cases")


@router.get("/{case_id}", response_model=CaseOut, summary="Read one case", responses=READ)
async def get_case(case_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """The case itself; its ETag is what edits ask for."""
    found = await view.get_case(deps.pool, case_id, scope_of(caller))
    if found is None:
        raise _no_such_case()
    return document(request, found[0], version=found[1])


@router.get("", response_model=Page[ListedCase], summary="List cases")
async def list_cases(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    state: CaseState | None = None,
    bucket: Text | None = None,
    owner: Text | None = None,
    team: Text | None = None,
    unassigned: Annotated[bool | None, Query(description="Neither owner nor team")] = None,
    customer_id: Text | None = None,
    opened_from: Annotated[Instant | None, Query(description="Inclusive")] = None,
    opened_to: Annotated[Instant | None, Query(description="Exclusive")] = None,
) -> Json:
    """Cases, the newest first. A collector sees their own, their teams' and unassigned ones."""
    wanted = view.CaseFilter(
        state=state,
        bucket=bucket,
        owner=owner,
        team=team,
        unassigned=unassigned,
        customer_id=customer_id,
        opened_from=opened_from,
        opened_to=opened_to,
    )
    rows = await view.list_cases(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{case_id}/timeline", response_model=Page[TimelineLine], summary="Everything that happened on a case")
async def list_timeline(
    case_id: UUID, caller: CaseReader, deps: Deps, page: Paging, kind: LineKind | None = None
) -> Json:
    """Events, follow-ups, messages, attempts and payments in one line of time, the newest first."""
    await _seen(deps, case_id, caller)
    rows = await view.list_timeline(deps.pool, case_id, kind, after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{case_id}/notes", response_model=Page[Note], summary="What people wrote about a case")
async def list_notes(case_id: UUID, caller: CaseReader, deps: Deps, page: Paging, author: Text | None = None) -> Json:
    """Notes, the newest first."""
    await _seen(deps, case_id, caller)
    rows = await view.list_notes(deps.pool, case_id, author=author, after=page.after, limit=page.fetch)
    return answer_page(page, rows, lambda doc: view.note(doc, deps.cipher))


@router.get(
    "/{case_id}/next-action/explain", response_model=ExplanationOut, summary="Why the next action is what it is"
)
async def explain_next_action(case_id: UUID, caller: CaseReader, deps: Deps) -> Json:
    """The step to come, the steps passed over and why, the holds in force, and what the contact rules say of it."""
    await _seen(deps, case_id, caller)
    async with deps.work() as tx:
        await deps.shelf.attend(tx)
        loaded = await load_case(tx, case_id, deps.shelf.rules)
    if loaded is None:
        raise _no_such_case()
    await policy_of(deps, loaded.case.policy_version)  # on hand from here on
    return Json(explain(loaded, deps.shelf))


async def _seen(deps: Deps, case_id: UUID, caller: CaseReader) -> None:
    if await view.get_case(deps.pool, case_id, scope_of(caller)) is None:
        raise _no_such_case()


def _no_such_case() -> NotFound:
    return NotFound("There is no such case, or it is not among yours.")
