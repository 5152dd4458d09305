"""Delivery reports pushed by providers. Signed, repeated, out of order, in batches, sometimes before the answer."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.api.deps import Deps
from services.api.responses import Json
from shared.application.doubts import take_receipts
from shared.application.gateway import CallbackRefused
from shared.application.refusals import Forbidden, NotFound

# No strict JSON here: the signature covers the bytes as they came, and a form is the provider's choice.
router = APIRouter(prefix="/v1/callbacks", tags=["callbacks"])
_REPORTS = {
    "receipts": [
        {
            "reference": "4be0643f-1d98-473b-97cd-ca98a65347dd",
            "status": "delivered",
            "at": "2026-07-06T02:00:00+00:00",
            "provider_id": "sms-1",
        }
    ]
}


class Taken(BaseModel):
    """``received`` reports were read, ``moved`` of them told us something new."""

    received: int = Field(examples=[3])
    moved: int = Field(examples=[2])


@router.post(
    "/{gateway}",
    response_model=Taken,
    summary="Take delivery reports",
    responses={403: {"description": "The signature does not hold"}, 404: {"description": "No such gateway"}},
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The provider's own form, signed as its adapter says",
            "content": {"application/json": {"schema": {"type": "object"}, "example": _REPORTS}},
        }
    },
)
async def take_delivery_reports(gateway: str, request: Request, deps: Deps) -> Response:
    """Take a provider's delivery reports. Secured by the provider's signature, not by a token."""
    known = {each.facts.name: each for each in deps.gateways.values()}.get(gateway)
    if known is None:
        raise NotFound("There is no such gateway.")
    try:
        receipts = known.receipts(await request.body(), request.headers)
    except CallbackRefused as refused:
        raise Forbidden(str(refused)) from None
    return Json({"received": len(receipts), "moved": await take_receipts(deps.work, receipts)})
