"""Follow-ups: what is planned, and what became of what was."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import Instant, Text
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.follow_ups import FollowUpKind, FollowUpOut, FollowUpState
from shared.adapters.postgres.views import follow_ups as view
from shared.application.refusals import NotFound

router = noun_router("follow-ups")


@router.get("", response_model=Page[FollowUpOut], summary="List follow-ups")
async def list_follow_ups(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    case_id: UUID | None = None,
    customer_id: Text | None = None,
    state: FollowUpState | None = None,
    kind: FollowUpKind | None = None,
    step: Text | None = None,
    due_from: Annotated[Instant | None, Query(description="Inclusive")] = None,
    due_to: Annotated[Instant | None, Query(description="Exclusive")] = None,
) -> Json:
    """Follow-ups by the instant they are due, the earliest first."""
    wanted = view.FollowUpFilter(
        case_id=case_id,
        customer_id=customer_id,
        state=state,
        kind=kind,
        step=step,
        due_from=due_from,
        due_to=due_to,
    )
    rows = await view.list_follow_ups(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{follow_up_id}", response_model=FollowUpOut, summary="Read one follow-up", responses=READ)
async def get_follow_up(follow_up_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """The follow-up; its ETag is what edits ask for."""
    found = await view.get_follow_up(deps.pool, follow_up_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such follow-up, or it is not among yours.")
    return document(request, found[0], version=found[1])
