"""Delivery reports and replies pushed by providers: signed, repeated, out of order, in batches, sometimes early."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from services.api.deps import Deps
from services.api.responses import Json
from shared.adapters.normalisation import readings
from shared.application.doubts import take_receipts
from shared.application.gateway import CallbackRefused
from shared.application.preferences import take_replies
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
    ],
    "replies": [{"from": "+8613800001777", "text": "T", "at": "2026-07-06T02:00:00+00:00"}],
}


class Taken(BaseModel):
    """``received`` reports and replies were read; ``moved`` reports told us something new, ``opted_out`` customers
    asked for no more texts."""

    received: int = Field(examples=[3])
    moved: int = Field(examples=[2])
    opted_out: int = Field(examples=[0])


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
    """Take a provider's delivery reports, and the texts that people sent to our number: who answers STOP, T or 退订 has
    opted out of text messages before this is answered. Secured by the provider's signature, not by a token."""
    known = {each.facts.name: each for each in deps.gateways.values()}.get(gateway)
    if known is None:
        raise NotFound("There is no such gateway.")
    try:
        told = known.callback(await request.body(), request.headers)
    except CallbackRefused as refused:
        raise Forbidden(str(refused)) from None
    moved = await take_receipts(deps.work, told.receipts)
    stopped = await take_replies(deps.work, told.replies, readings)
    return Json({"received": len(told.receipts) + len(told.replies), "moved": moved, "opted_out": stopped})
