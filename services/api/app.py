"""The HTTP application: routers from a literal table, one middleware, problems, and the OpenAPI document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from services.api import errors, openapi, routing
from services.api.deps import ApiDeps
from services.api.middleware import Frame, Observe
from services.api.routes import (
    accounts,
    affordability_guides,
    approvals,
    assessments,
    audit,
    callbacks,
    cases,
    casework,
    circumstances,
    complaints,
    contact_attempts,
    contact_hours,
    contact_overlays,
    contact_permits,
    contact_rules,
    customers,
    deferrals,
    entrance,
    events,
    follow_ups,
    health,
    holds,
    imports,
    limitation,
    messages,
    ops,
    payments,
    plans,
    policies,
    preferences,
    promises,
    settlements,
    template_findings,
    template_life,
    templates,
    third_parties,
    waivers,
    worklists,
)

VERSION = "0.1.0"
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

# Nouns find their routes at once whatever their place; within a noun the first that matches wins.
ROUTERS: tuple[APIRouter, ...] = (
    accounts.router,
    cases.router,
    customers.router,
    payments.router,
    follow_ups.router,
    messages.router,
    templates.router,
    template_life.router,
    template_findings.router,
    template_findings.flagged,
    policies.router,
    ops.router,
    audit.router,
    events.router,
    imports.router,
    callbacks.router,
    casework.router,
    complaints.router,
    contact_attempts.router,
    circumstances.router,
    contact_hours.router,
    contact_permits.router,
    contact_rules.router,
    contact_overlays.router,
    deferrals.router,
    holds.router,
    limitation.accounts,
    limitation.router,
    preferences.router,
    promises.router,
    third_parties.router,
    plans.router,
    settlements.router,
    waivers.router,
    assessments.router,
    affordability_guides.router,
    approvals.router,
    worklists.router,
    health.router,
    entrance.router,
)

_DESCRIPTION = """
Follow up overdue credit-card accounts: events in, cases, reminders, repayment, complaints.

Amounts are integers in minor units beside an ISO 4217 code. Instants are RFC 3339 with an offset, dates are local dates
of the customer. Every refusal is an RFC 9457 problem. Lists are paged by cursor (`Link: rel=next`). Edits need
`If-Match`; creations need an `Idempotency-Key`.
"""


def create_app(
    deps: ApiDeps,
    *,
    routers: Sequence[APIRouter] = ROUTERS,
    lifespan: Lifespan | None = None,
    observe: Observe | None = None,
    version: str = VERSION,
) -> FastAPI:
    """The application over ``deps``. ``lifespan`` runs what belongs to the process, ``observe`` hears of requests."""
    frame = Middleware(Frame, observe=observe, log_reads=deps.settings.api_log_reads)
    app = _application(routers, version, middleware=[frame], lifespan=lifespan)
    app.state.deps = deps
    return app


def openapi_document(version: str = VERSION) -> dict[str, Any]:
    """What ``/openapi.json`` answers, without anything running."""
    return _application(ROUTERS, version).openapi()


def _application(routers: Sequence[APIRouter], version: str, **parts: Any) -> FastAPI:
    app = FastAPI(
        title="Arrears",
        version=version,
        summary="Collections follow-up for overdue credit-card accounts",
        description=_DESCRIPTION,
        openapi_tags=[{"name": name, "description": about} for name, about in openapi.TAGS.items()],
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        docs_url=None,  # Swagger's and Redoc's pages load scripts from elsewhere; routes/entrance.py has one of its own
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
        **parts,
    )
    errors.install(app)
    routing.install(app, routers)
    openapi.install(app)
    return app
