"""Permits to contact somebody: asked for before, released when they were not used."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Request, Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas.contacts import (
    ChannelName,
    ContactIn,
    PartyName,
    PermitIn,
    PermitOut,
    PermitRelease,
    PermitState,
)
from services.api.security import require
from shared.adapters.postgres.views import contacts as view
from shared.application.contact_permits import PermitDesk, release_permit
from shared.application.permit_facts import Contact, PermitAsked
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.domain.contact_facts import Content, Mandate, Manner

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("contact-permits")
Asker = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("", response_model=PermitOut, status_code=201, summary="Ask for a permit", responses=_UNKNOWN)
async def ask_contact_permit(body: PermitIn, caller: Asker, deps: Deps, once: Idempotent) -> Response:
    """Answers ``granted``, and the contact is reserved until ``expires_at``; or ``refused``, with every rule that
    objected and the smallest change that would do. Under the same key the same permit is found again: ask so when the
    answer was lost, and release it if the contact was not made."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        asked = PermitAsked(
            permit_id=uuid4(),
            contact=contact_of(body, body.customer_id, body.channel),
            content=Content(
                None if body.content.parts is None else frozenset(body.content.parts),
                body.content.says_debt,
                frozenset(body.content.findings),
            ),
            manner=Manner(**body.manner.model_dump()),
            mandate=Mandate(**body.mandate.model_dump()),
        )
        await PermitDesk(deps.shelf).ask(tx, asked, caller)
        content, version = await _seen(tx.conn, asked.permit_id, caller)
        answer = created(content, location=f"/v1/contact-permits/{asked.permit_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{permit_id}", response_model=PermitOut, summary="Read one permit", responses=READ)
async def get_contact_permit(permit_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The permit, with the decision and the facts that it was taken from."""
    content, version = await _seen(deps.pool, permit_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[PermitOut], summary="List permits")
async def list_contact_permits(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    case_id: UUID | None = None,
    channel: ChannelName | None = None,
    party: PartyName | None = None,
    state: PermitState | None = None,
    asked_by: Text | None = None,
) -> Json:
    """Permits asked for about the caller's customers, the newest first; ``state=lapsed`` are those that somebody has
    to explain."""
    wanted = view.PermitFilter(
        customer_id=customer_id, case_id=case_id, channel=channel, party=party, state=state, asked_by=asked_by
    )
    rows = await view.list_permits(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{permit_id}/release", response_model=PermitOut, summary="Release an unused permit")
async def release_contact_permit(
    permit_id: UUID, body: PermitRelease, caller: Asker, deps: Deps, expected: ExpectedVersion
) -> Response:
    """Says that the contact was surely not made; it does not count any more."""
    async with deps.work() as tx:
        await release_permit(tx, permit_id, body.reason, caller, expected)
        content, version = await _seen(tx.conn, permit_id, caller)
    return Json(content, headers={"etag": etag(version)})


def contact_of(body: ContactIn, customer_id: str, channel: str) -> Contact:
    return Contact(
        customer_id=customer_id,
        point_id=body.contact_point_id,
        channel=channel,
        purpose=body.purpose,
        target=body.target,
        person_id=body.person_id,
        account_ids=tuple(body.account_ids),
        announcement=body.announcement,
        party=body.party.kind,
        party_name=body.party.name,
    )


async def _seen(conn: Any, permit_id: UUID, caller: Principal) -> tuple[str, int]:
    found = await view.get_permit(conn, permit_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such permit, or it is not among yours.")
    return found
