"""Guide figures for what a household can be asked to live on, and the kinds of income and cost that they know."""

from __future__ import annotations

from fastapi import Request, Response

from services.api.assessment_wire import guide_shown
from services.api.deps import Deps
from services.api.limits import Currency
from services.api.reading import READ, CaseReader, document
from services.api.routing import noun_router
from services.api.schemas.assessments import GuideOut
from shared.application.refusals import NotFound

router = noun_router("affordability-guides")


@router.get("/{currency}", response_model=GuideOut, summary="The guide in force for a currency", responses=READ)
async def get_affordability_guide(currency: Currency, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """What a form for a statement of income and expenses needs: kinds, figures, what has to be explained."""
    guide = deps.shelf.guide(currency)
    if guide is None:
        raise NotFound("There is no guide to living in this currency.")
    return document(request, guide_shown(guide))
