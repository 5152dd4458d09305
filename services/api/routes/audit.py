"""The audit trail: who saw or decided what, and why."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from services.api.deps import Deps
from services.api.fields import Instant, Text
from services.api.paging import Page, Paging
from services.api.reading import answer_page
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.operations import AuditHead, AuditOut
from services.api.security import require
from shared.adapters.postgres import audit
from shared.adapters.postgres.views import audit as view
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

router = noun_router("audit")

AuditReader = Annotated[Principal, require(Role.COMPLIANCE, Role.AUDITOR)]


@router.get("", response_model=Page[AuditOut], summary="Read the audit trail")
async def list_audit(
    caller: AuditReader,
    deps: Deps,
    page: Paging,
    actor: Text | None = None,
    action: Text | None = None,
    subject: Annotated[Text | None, Query(description="As in customer/C-1001")] = None,
    since: Annotated[Instant | None, Query(description="Inclusive")] = None,
    until: Annotated[Instant | None, Query(description="Exclusive")] = None,
) -> Json:
    """Entries, the newest first, with the hashes that chain them."""
    wanted = view.AuditFilter(actor=actor, action=action, subject=subject, since=since, until=until)
    return answer_page(page, await view.list_audit(deps.pool, wanted, after=page.after, limit=page.fetch))


@router.get(
    "/head",
    response_model=AuditHead,
    summary="The newest entry and its hash",
    responses={404: {"description": "Nothing was audited yet"}},
)
async def get_audit_head(caller: AuditReader, deps: Deps) -> Json:
    """What to note elsewhere, so that a chain whose end was cut off is noticed."""
    head = await audit.head(deps.pool)
    if head is None:
        raise NotFound("Nothing was audited yet.")
    return Json({"entry": head.entry, "hash": head.hash.hex()})
