"""Guarantors, contact persons and others beside the debtor."""

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
from services.api.schemas.third_parties import Relation, ThirdPartyIn, ThirdPartyOut, ThirdPartyRefusal
from services.api.security import require
from shared.adapters.postgres.views import protection as view
from shared.application.principal import Principal, Role
from shared.application.refusals import FieldError, Invalid, NotFound
from shared.application.third_parties import NewThirdParty, add_third_party, refuse_third_party

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such customer"}}
router = noun_router("third-parties")
Editor = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@router.post("", response_model=ThirdPartyOut, status_code=201, summary="Note a third party", responses=_UNKNOWN)
async def note_third_party(body: ThirdPartyIn, caller: Editor, deps: Deps, once: Idempotent) -> Response:
    """Whether they may be contacted is asked as for everybody: by a permit that names them. Whose number or address
    has refused before stays refused."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        new = NewThirdParty(person_id=uuid4(), **body.model_dump())
        try:
            tx.normalise(new.kind, new.value)
        except ValueError:
            raise Invalid("It can not be used.", errors=[FieldError("/value", f"is no {new.kind}")]) from None
        await add_third_party(tx, new, caller)
        content, version = await _seen(tx.conn, new.person_id, caller)
        answer = created(content, location=f"/v1/third-parties/{new.person_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("/{person_id}", response_model=ThirdPartyOut, summary="Read one third party", responses=READ)
async def get_third_party(person_id: UUID, caller: Reader, deps: Deps, request: Request) -> Response:
    """The third party, without name and number."""
    content, version = await _seen(deps.pool, person_id, caller)
    return document(request, content, version=version)


@router.get("", response_model=Page[ThirdPartyOut], summary="List third parties")
async def list_third_parties(
    caller: Reader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    relation: Relation | None = None,
    refused: bool | None = None,
) -> Json:
    """Third parties of the caller's customers, those noted last first."""
    wanted = view.ThirdPartyFilter(customer_id=customer_id, relation=relation, refused=refused)
    rows = await view.list_third_parties(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.post("/{person_id}/refuse", response_model=ThirdPartyOut, summary="Note that a third party refuses")
async def refuse_to_be_contacted(
    person_id: UUID, body: ThirdPartyRefusal, caller: Editor, deps: Deps, expected: ExpectedVersion
) -> Response:
    """They do not want to be contacted. There is no way back."""
    async with deps.work() as tx:
        await refuse_third_party(tx, person_id, body.source, caller, expected)
        content, version = await _seen(tx.conn, person_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, person_id: UUID, caller: Principal) -> tuple[str, int]:
    found = await view.get_third_party(conn, person_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such third party, or not among yours.")
    return found
