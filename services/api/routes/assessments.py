"""What a household can pay: assess, look up, see in plain."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Query, Request, Response

from services.api.assessment_wire import asked, listed, shown
from services.api.deps import ApiDeps, Deps
from services.api.fields import Day, Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, Unmasker, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas import assessments as schema
from services.api.security import require
from shared.adapters.postgres import audit
from shared.adapters.postgres.views import assessments as view
from shared.application.assessments import AssessmentDesk
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("assessments")
Assessor = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR)]


@router.post(
    "",
    response_model=schema.AssessmentOut,
    status_code=201,
    summary="Assess what a household can pay",
    responses=_UNKNOWN,
)
async def assess_household(body: schema.AssessmentIn, caller: Assessor, deps: Deps, once: Idempotent) -> Response:
    """What a month leaves, and which plans fit: ordinary ones, else relief with the proof that none of them fits, else
    nothing, and a person looks. Kept as it was found; a plan names it by its id."""
    await policy_of(deps)  # on hand from here on
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        wanted = asked(uuid4(), body)
        await AssessmentDesk(deps.shelf).assess(tx, wanted, caller)
        content = await _seen(tx.conn, deps, wanted.assessment_id, caller, plain=True)
        answer = created(content, location=f"/v1/assessments/{wanted.assessment_id}")
        return await once.keep(tx.conn, answer)


@router.get("/{assessment_id}", response_model=schema.AssessmentOut, summary="Read one assessment", responses=READ)
async def get_assessment(assessment_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """What is available and which plans fit, without what tells of the household."""
    return document(request, await _seen(deps.pool, deps, assessment_id, caller, plain=False))


@router.get("", response_model=Page[schema.AssessmentListed], summary="List assessments")
async def list_assessments(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    route: schema.RouteName | None = None,
    valid_on: Annotated[Day | None, Query(description="Made by that day, and good on it")] = None,
) -> Json:
    """Assessments of the caller's customers, the newest first."""
    wanted = view.AssessmentFilter(customer_id=customer_id, case_id=case_id, route=route, valid_on=valid_on)
    rows = await view.list_assessments(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows, listed)


@router.post("/{assessment_id}/unmask", response_model=schema.AssessmentOut, summary="See the household in plain")
async def unmask_assessment(assessment_id: UUID, body: schema.UnmaskHousehold, caller: Unmasker, deps: Deps) -> Json:
    """With what was stated, what counted, and the sentences for the customer. Who saw it and why is in the audit trail
    before the answer leaves."""
    async with deps.work() as tx:
        content = await _seen(tx.conn, deps, assessment_id, caller, plain=True)
        detail = {"reason": body.reason}
        subject = f"assessment/{assessment_id}"
        await audit.append(tx.conn, caller.subject, "assessment.unmasked", subject, detail, at=tx.now)
    return Json(content)


async def _seen(conn: Any, deps: ApiDeps, assessment_id: UUID, caller: Principal, *, plain: bool) -> dict[str, Any]:
    found = await view.get_assessment(conn, assessment_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such assessment, or it is not among yours.")
    return shown(found[0], found[1], deps.cipher, plain=plain)
