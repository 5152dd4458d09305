"""Policies: read-only here; a release takes two people and comes with its own issue."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path, Request, Response

from services.api.deps import Deps
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.policies import PolicyHead, PolicyOut
from shared.adapters.postgres.views import policies as view
from shared.application.refusals import NotFound

router = noun_router("policies")


@router.get("", response_model=Page[PolicyHead], summary="List versions of the policy")
async def list_policies(
    caller: Reader, deps: Deps, page: Paging, state: Literal["draft", "active", "retired"] | None = None
) -> Json:
    """Every version, the newest first, without the documents."""
    return answer_page(page, await view.list_policies(deps.pool, state, after=page.after, limit=page.fetch))


@router.get(
    "/active",
    response_model=PolicyOut,
    summary="The policy in force",
    responses=READ | {404: {"description": "No policy is in force yet"}},
)
async def get_active_policy(caller: Reader, deps: Deps, request: Request) -> Response:
    """The version that new cases are opened under."""
    return _policy(request, await view.get_policy(deps.pool, None))


@router.get("/{version}", response_model=PolicyOut, summary="One version of the policy", responses=READ)
async def get_policy(
    version: Annotated[int, Path(ge=1, lt=2**31)], caller: Reader, deps: Deps, request: Request
) -> Response:
    """A version with its document; a case keeps the version it was opened under."""
    return _policy(request, await view.get_policy(deps.pool, version))


def _policy(request: Request, found: str | None) -> Response:
    if found is None:
        raise NotFound("There is no such policy.")
    return document(request, found)
