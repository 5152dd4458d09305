"""Customers: masked to everybody, plain to those who say why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import CoreId, Text
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, Unmasker, answer_page, document, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.customers import Customer, CustomerOut, CustomerSearch, Unmask, Unmasked
from shared.adapters import normalisation
from shared.adapters.postgres import audit
from shared.adapters.postgres.views import customers as view
from shared.application.refusals import FieldError, Invalid, NotFound

router = noun_router("customers")
Normal = TypeVar("Normal")


@router.get("/{customer_id}", response_model=CustomerOut, summary="Read one customer, masked", responses=READ)
async def get_customer(customer_id: CoreId, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """The customer with their contact points. A collector sees those whose newest case is theirs or nobody's."""
    found = await view.get_customer(deps.pool, customer_id, scope_of(caller))
    if found is None:
        raise _no_such_customer()
    return document(request, view.masked(found, deps.cipher))


@router.get("", response_model=Page[Customer], summary="List customers, masked")
async def list_customers(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    segment: Text | None = None,
    bucket: Annotated[Text | None, Query(description="Has an account in this bucket")] = None,
    has_open_case: bool | None = None,
    language: Text | None = None,
) -> Json:
    """Customers by id."""
    wanted = view.CustomerFilter(segment=segment, bucket=bucket, has_open_case=has_open_case, language=language)
    rows = await view.list_customers(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows, lambda doc: view.masked(doc, deps.cipher))


@router.post("/search", response_model=Page[CustomerOut], summary="Find customers by name, number or address")
async def search_customers(body: CustomerSearch, caller: CaseReader, deps: Deps, page: Paging) -> Json:
    """By blind index: the database compares fingerprints and never sees the value.

    For the next page send the same body to the linked address."""
    wanted = view.CustomerSearch(
        phones=_normal("phone", normalisation.phones, body.phone),
        email=_normal("email", normalisation.email, body.email),
        names=None if body.name is None else normalisation.names(body.name),
        phone_last4=body.phone_last4,
    )
    rows = await view.search_customers(
        deps.pool, wanted, scope_of(caller), deps.cipher, after=page.after, limit=page.fetch
    )
    return answer_page(page, rows, lambda doc: view.masked(doc, deps.cipher))


@router.post("/{customer_id}/unmask", response_model=Unmasked, summary="See personal data in plain")
async def unmask_customer(customer_id: CoreId, body: Unmask, caller: Unmasker, deps: Deps) -> Json:
    """Plain values of the fields asked for. Who saw what of whom, and why, is in the audit trail before the answer
    leaves."""
    async with deps.work() as tx:
        found = await view.get_customer(tx.conn, customer_id, scope_of(caller))
        if found is None:
            raise _no_such_customer()
        shown = view.unmasked(found, body.fields, deps.cipher)
        detail = {"fields": sorted(set(body.fields)), "reason": body.reason}
        await audit.append(tx.conn, caller.subject, "customer.unmasked", f"customer/{customer_id}", detail, at=tx.now)
    return Json(shown)


def _normal(kind: str, normalise: Callable[[str], Normal], value: str | None) -> Normal | None:
    if value is None:
        return None
    try:
        return normalise(value)
    except normalisation.NotNormalisable as error:
        raise Invalid("Nothing can be found by this.", errors=[FieldError(f"/{kind}", str(error))]) from None


def _no_such_customer() -> NotFound:
    return NotFound("There is no such customer, or they are not among yours.")
