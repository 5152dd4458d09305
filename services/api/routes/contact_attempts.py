"""Contacts that were made or tried by people and diallers."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Request, Response

from services.api.deps import Deps
from services.api.fields import Instant, Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, scope_of
from services.api.responses import Json, created
from services.api.routes.contact_permits import contact_of
from services.api.routing import noun_router
from services.api.schemas.contacts import AttemptIn, AttemptOut, ChannelName, OutcomeName, PartyName
from services.api.security import require
from shared.adapters.postgres.views import contacts as view
from shared.application.contact_attempts import AttemptTold, record_attempt
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.domain.contact_outcome import ContactOutcome

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such permit or customer"}}
router = noun_router("contact-attempts")
Teller = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("", response_model=AttemptOut, status_code=201, summary="Tell of a contact", responses=_UNKNOWN)
async def record_contact_attempt(body: AttemptIn, caller: Teller, deps: Deps, once: Idempotent) -> Response:
    """Closes the permit that it was made under. A contact that nobody had asked for is entered too, and counts from
    the instant at which it was made."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        told = AttemptTold(
            attempt_id=uuid4(),
            permit_id=body.permit_id,
            contact=None
            if body.customer_id is None or body.channel is None
            else contact_of(body, body.customer_id, body.channel),
            outbound=body.direction == "outbound",
            outcome=ContactOutcome(body.outcome),
            effective_talk=body.effective_talk,
            talk_seconds=body.talk_seconds,
            recording=body.recording,
            at=body.at,
        )
        await record_attempt(tx, told, caller)
        content = await _seen(tx.conn, told.attempt_id, caller)
        return await once.keep(tx.conn, created(content, location=f"/v1/contact-attempts/{told.attempt_id}"))


@router.get("/{attempt_id}", response_model=AttemptOut, summary="Read one contact", responses=READ)
async def get_contact_attempt(attempt_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The contact, as it was told."""
    return document(request, await _seen(deps.pool, attempt_id, caller))


@router.get("", response_model=Page[AttemptOut], summary="List contacts")
async def list_contact_attempts(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    channel: ChannelName | None = None,
    party: PartyName | None = None,
    outcome: OutcomeName | None = None,
    permitted: bool | None = None,
    made_from: Instant | None = None,
    made_before: Instant | None = None,
) -> Json:
    """Contacts with the caller's customers, those told last first; ``permitted=false`` are those nobody had asked for.
    What the sender sends is under ``messages``."""
    wanted = view.AttemptFilter(
        customer_id=customer_id,
        case_id=case_id,
        channel=channel,
        party=party,
        outcome=outcome,
        permitted=permitted,
        made_from=made_from,
        made_before=made_before,
    )
    rows = await view.list_attempts(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


async def _seen(conn: Any, attempt_id: UUID, caller: Principal) -> str:
    found = await view.get_attempt(conn, attempt_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such contact, or it is not among yours.")
    return found
