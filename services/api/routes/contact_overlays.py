"""The bank's own contact rules: proposed by one person, signed off by another."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.idempotency import Idempotent
from services.api.reading import policy_of
from services.api.responses import Json, created
from services.api.routes.contact_rules import seen_overlay
from services.api.routing import noun_router
from services.api.schemas import contact_rules as schema
from services.api.security import require
from shared.adapters.postgres import audit
from shared.application import rule_changes as desk
from shared.application.principal import Principal, Role

router = noun_router("contact-rules")
Proposer = Annotated[Principal, require(Role.COMPLIANCE, Role.SUPERVISOR)]
Signer = Annotated[Principal, require(Role.COMPLIANCE)]


@router.post("/overlays", response_model=schema.OverlayOut, status_code=201, summary="Propose rules of the bank's own")
async def propose_contact_overlay(body: schema.OverlayIn, caller: Proposer, deps: Deps, once: Idempotent) -> Response:
    """Changes of rules' parameters and scopes, and rules of our own, from a future date on. Nothing follows before
    somebody else signs; ``loosens`` says what they will have to answer for. What a statute or a regulator's notice says
    is not loosened at all."""
    zone = (await policy_of(deps)).default_zone
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        new = desk.NewOverlay(
            overlay_id=uuid4(),
            jurisdiction=body.jurisdiction,
            starts=body.starts,
            changes=[each.model_dump(exclude_none=True) for each in body.changes],
            add=body.add,
            add_texts=body.add_texts,
            reason=body.reason,
        )
        await desk.propose(tx, new, caller, zone)
        content, version = await seen_overlay(tx.conn, new.overlay_id)
        answer = created(content, location=f"/v1/contact-rules/overlays/{new.overlay_id}", etag=etag(version))
        await once.keep(tx.conn, answer)
        await _note(tx, caller, "proposed", new.overlay_id, body.reason, new.jurisdiction)
        return answer


@router.post(
    "/overlays/{overlay_id}/sign-off",
    response_model=schema.OverlayOut,
    summary="Sign off what somebody else proposed",
)
async def sign_contact_overlay(
    overlay_id: UUID, body: schema.OverlaySignature, caller: Signer, deps: Deps, expected: ExpectedVersion
) -> Response:
    """The second person's yes; it is in force from its date on, everywhere, without anything being restarted. What it
    loosens has to be accepted in so many words."""
    zone = (await policy_of(deps)).default_zone
    async with deps.work() as tx:
        overlay = await desk.sign_off(tx, overlay_id, body.reason, body.accepts_loosening, caller, expected, zone)
        content, version = await seen_overlay(tx.conn, overlay_id)
        await _note(tx, caller, "signed", overlay_id, body.reason, overlay.jurisdiction)
    return Json(content, headers={"etag": etag(version)})


@router.post("/overlays/{overlay_id}/withdraw", response_model=schema.OverlayOut, summary="Withdraw a proposal")
async def withdraw_contact_overlay(
    overlay_id: UUID, body: schema.OverlayWithdrawal, caller: Proposer, deps: Deps, expected: ExpectedVersion
) -> Response:
    """By who made it or who does not want it. What is signed is changed by another proposal, not withdrawn."""
    async with deps.work() as tx:
        overlay = await desk.withdraw(tx, overlay_id, body.reason, caller, expected)
        content, version = await seen_overlay(tx.conn, overlay_id)
        await _note(tx, caller, "withdrawn", overlay_id, body.reason, overlay.jurisdiction)
    return Json(content, headers={"etag": etag(version)})


async def _note(tx: Any, caller: Principal, word: str, overlay_id: UUID, reason: str, jurisdiction: str) -> None:
    detail = {"jurisdiction": jurisdiction, "reason": reason}
    await audit.append(tx.conn, caller.subject, f"contact-rules.{word}", f"contact-overlay/{overlay_id}", detail,
                       at=tx.now)  # fmt: skip
