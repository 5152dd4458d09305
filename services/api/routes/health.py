"""Whether the process lives, and whether it can work. Open to everybody, and says nothing worth knowing."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel

from services.api.deps import Deps
from services.api.responses import Json

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["alive"]


class Ready(BaseModel):
    """``checks`` says for each dependency whether it answered."""

    status: Literal["ready", "not ready"]
    checks: dict[str, bool]


@router.get("/healthz", response_model=Alive, summary="Whether the process lives")
async def check_alive() -> Json:
    """The process answers. Restart it when this fails."""
    return Json({"status": "alive"})


@router.get(
    "/readyz",
    response_model=Ready,
    summary="Whether the process can work",
    responses={503: {"model": Ready, "description": "Send no traffic yet"}},
)
async def check_ready(deps: Deps) -> Json:
    """Everything this process depends on answers. Send it no traffic while this fails."""
    readiness = await deps.health.check()
    checks = {name: result.ok for name, result in readiness.checks.items()}
    status = "ready" if readiness.ready else "not ready"
    return Json({"status": status, "checks": checks}, 200 if readiness.ready else 503)
