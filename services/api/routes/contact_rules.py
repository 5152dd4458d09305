"""Contact rules: what is in force, was, and will be; what was proposed, and what it would have changed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import Instant, Text
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas import contact_rules as schema
from services.api.trying_out import dry_run, rules_on
from shared.adapters.postgres.replay import newest_decisions
from shared.adapters.postgres.views import contact_rules as view
from shared.application.refusals import NotFound
from shared.application.rule_changes import to_try

router = noun_router("contact-rules")
AsAt = Annotated[Instant | None, Query(description="As it was at this instant; absent: now")]
A_MONTH = timedelta(days=31)


@router.get("/overlays", response_model=Page[schema.OverlayOut], summary="List the bank's own rules")
async def list_contact_overlays(
    caller: Reader,
    deps: Deps,
    page: Paging,
    jurisdiction: schema.Jurisdiction | None = None,
    state: schema.OverlayState | None = None,
    proposed_by: Text | None = None,
) -> Json:
    """Every proposal and what became of it, the newest first."""
    wanted = view.OverlayFilter(jurisdiction=jurisdiction, state=state, proposed_by=proposed_by)
    return answer_page(page, await view.list_overlays(deps.pool, wanted, after=page.after, limit=page.fetch))


@router.get(
    "/overlays/{overlay_id}", response_model=schema.OverlayOut, summary="Read one proposal or overlay", responses=READ
)
async def get_contact_overlay(overlay_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The changes as they were proposed, who signed or withdrew them and why."""
    content, version = await seen_overlay(deps.pool, overlay_id)
    return document(request, content, version=version)


@router.get(
    "/overlays/{overlay_id}/dry-run",
    response_model=schema.DryRunOut,
    summary="What it would have changed",
    responses={409: {"description": "It is withdrawn, or the rules that it was proposed over are not in force"}},
)
async def try_contact_overlay(
    overlay_id: UUID,
    caller: Reader,
    deps: Deps,
    since: Annotated[Instant | None, Query(description="Absent: a month ago")] = None,
    limit: Annotated[int, Query(ge=1, le=20_000, description="How many of the newest questions")] = 5_000,
) -> Json:
    """Asks the contacts of the last month (messages and permits, granted or not) again, as if the proposal had been in
    force all the time. Writes nothing."""
    async with deps.work() as tx:
        since = since or tx.now - A_MONTH
        overlay, record = await to_try(tx, overlay_id)
        stored = await newest_decisions(tx.conn, limit + 1, since=since, pack=str(record.pack["name"]))
    found = await asyncio.to_thread(dry_run, overlay, record, stored[:limit], since)
    return Json(found | {"more": len(stored) > limit})


@router.get("", response_model=Page[schema.RuleSetHead], summary="List the rule sets in force")
async def list_contact_rules(caller: Reader, deps: Deps, page: Paging, at: AsAt = None) -> Json:
    """One for each jurisdiction; what was in force at an instant of the past, too."""
    return answer_page(page, await view.list_in_force(deps.pool, at, after=page.after, limit=page.fetch))


@router.get("/{jurisdiction}", response_model=schema.RulesOut, summary="The rules of a jurisdiction", responses=READ)
async def get_contact_rules(
    jurisdiction: schema.Jurisdiction, caller: Reader, deps: Deps, request: Request, at: AsAt = None
) -> Response:
    """Each rule with its parameters as they are on the date of ``at``, which may lie in the future: a change that is
    signed shows from its date on."""
    now = await deps.work.now()
    found = await view.get_in_force(deps.pool, jurisdiction, None if at is None or at >= now else at)
    if found is None:
        raise NotFound("There are no contact rules of this jurisdiction, or there were none.")
    asked: datetime = at or now
    return document(request, await asyncio.to_thread(rules_on, found, asked.date()))


async def seen_overlay(conn: Any, overlay_id: UUID) -> tuple[str, int]:
    found: tuple[str, int] | None = await view.get_overlay(conn, overlay_id)
    if found is None:
        raise NotFound("There is no such proposal.")
    return found[0], found[1]
