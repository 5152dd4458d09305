"""The clock of limitation: until when a claim can be brought, and what people know of it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID, uuid4

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.etags import ExpectedVersion, etag
from services.api.fields import CoreId, Text
from services.api.idempotency import Idempotent
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json, created
from services.api.routing import noun_router
from services.api.schemas import limitation as schema
from services.api.security import require
from shared.adapters.postgres.views import limitation as view
from shared.application.limitation import Limitations, NewEntry, note_entry, withdraw_entry
from shared.application.principal import Principal, Role
from shared.application.refusals import NotFound
from shared.domain.calendar import local_date
from shared.domain.limitation import LimitationClock

_UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is no such account"}}
accounts = noun_router("accounts")
router = noun_router("limitation-entries")
Enterer = Annotated[Principal, require(Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE)]


@accounts.get(
    "/{account_id}/limitation",
    response_model=schema.LimitationOut,
    summary="Until when the claim can be brought",
    responses=READ | _UNKNOWN,
)
async def get_limitation(account_id: CoreId, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """Worked out now from what arrived, was paid, promised, agreed and entered; each event with its proof, and those
    that did not count with the reason."""
    await policy_of(deps)  # on hand from here on
    async with deps.work() as tx:
        if await tx.owner_seen(account_id, caller) is None:
            raise NotFound("There is no such account, or it is not among yours.")
        await deps.shelf.attend(tx)
        claim = (await tx.claims([account_id])).get(account_id)
        desk = Limitations(deps.shelf)
        clock = None if claim is None else desk.clock(claim, tx.now)
        today = None if claim is None else local_date(tx.now, desk.zone(claim))
        approved = claim is not None and desk.approved(claim, tx.now)
    shown: dict[str, Any] = {"account_id": account_id, "due_on": None, "clock": None, "reason": None}
    if claim is None:
        shown["reason"] = "nothing is past due"
    else:
        shown["due_on"] = claim.due_on
        if clock is None:
            shown["reason"] = "no contact rule where the customer lives says how long claims last"
        else:
            shown["clock"] = _clock(approved, clock, today)
    return document(request, shown)


def _clock(approved: bool, clock: LimitationClock, today: Any) -> dict[str, Any]:
    return {
        "counted_from": clock.counted_from,
        "ends_on": clock.ends_on,
        "moved": clock.moved,
        "long_stop_on": clock.long_stop_on,
        "barred": clock.barred_on(today),
        "approved": approved,
        "alerts": list(clock.alerts),
        "events": [
            {
                "kind": each.event.kind.value,
                "at": each.event.at,
                "on": each.on,
                "proof": each.event.proof,
                "counted": each.refused is None,
                "refused": each.refused,
            }
            for each in clock.events
        ],
    }


@router.post(
    "",
    response_model=schema.LimitationEntryOut,
    status_code=201,
    summary="Enter what interrupts or suspends the period",
    responses=_UNKNOWN,
)
async def add_limitation_entry(
    body: schema.LimitationEntryIn, caller: Enterer, deps: Deps, once: Idempotent
) -> Response:
    """Counts at once. Approvals of legal steps on a barred claim are compliance's."""
    async with deps.work() as tx:
        if replay := await once.replay(tx.conn):
            return replay
        new = NewEntry(entry_id=uuid4(), **body.model_dump())
        await note_entry(tx, new, caller)
        content, version = await _seen(tx.conn, new.entry_id, caller)
        answer = created(content, location=f"/v1/limitation-entries/{new.entry_id}", etag=etag(version))
        return await once.keep(tx.conn, answer)


@router.get("", response_model=Page[schema.LimitationEntryOut], summary="List entries")
async def list_limitation_entries(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    account_id: Text | None = None,
    kind: schema.EntryKind | None = None,
    in_force: Annotated[bool | None, Query(description="true: those that were not withdrawn")] = None,
) -> Json:
    """Entries on accounts of the caller's customers, the newest first."""
    wanted = view.EntryFilter(account_id=account_id, kind=kind, in_force=in_force)
    rows = await view.list_entries(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get("/{entry_id}", response_model=schema.LimitationEntryOut, summary="Read one entry", responses=READ)
async def get_limitation_entry(entry_id: UUID, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """The entry, with who withdrew it and why."""
    content, version = await _seen(deps.pool, entry_id, caller)
    return document(request, content, version=version)


@router.post("/{entry_id}/withdraw", response_model=schema.LimitationEntryOut, summary="Withdraw an entry")
async def withdraw_limitation_entry(
    entry_id: UUID, body: schema.EntryWithdrawn, caller: Enterer, deps: Deps, expected: ExpectedVersion
) -> Response:
    """It was wrong: the clock is as if it had never been entered."""
    async with deps.work() as tx:
        await withdraw_entry(tx, entry_id, body.reason, caller, expected)
        content, version = await _seen(tx.conn, entry_id, caller)
    return Json(content, headers={"etag": etag(version)})


async def _seen(conn: Any, entry_id: UUID, caller: Principal) -> tuple[str, int]:
    found: tuple[str, int] | None = await view.get_entry(conn, entry_id, scope_of(caller))
    if found is None:
        raise NotFound("There is no such entry, or it is not among yours.")
    return found
