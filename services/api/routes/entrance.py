"""What somebody finds who comes with nothing but the address. Open to everybody, and not part of the contract."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse

from services.api.reference import POLICY, render
from services.api.responses import Json
from services.api.routing import StrictRoute

router = APIRouter(route_class=StrictRoute, include_in_schema=False)


@router.get("/")
async def get_entrance(request: Request) -> Json:
    """What this is, and where the rest is."""
    app = request.app
    return Json(
        {
            "name": app.title,
            "version": app.version,
            "summary": app.summary,
            "api": "/v1",
            "openapi": app.openapi_url,
            "documentation": "/docs",
            "alive": "/healthz",
            "ready": "/readyz",
        }
    )


@router.get("/docs")
async def get_reference(request: Request) -> HTMLResponse:
    """The OpenAPI document to be read by people; made once."""
    state = request.app.state
    if not hasattr(state, "reference"):
        state.reference = render(request.app.openapi())
    return HTMLResponse(state.reference, headers={"content-security-policy": POLICY})
