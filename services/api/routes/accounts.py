"""Accounts: how they stand, what is owed, what was reported."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import CoreId, Day, Instant, Text
from services.api.limits import Currency
from services.api.paging import Page, Paging
from services.api.reading import READ, CaseReader, answer_page, document, policy_of, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.accounts import Account, AccountOut, AccountSearch, AccountStatus, HistoryEntry
from services.api.schemas.statements import StatementOut
from services.api.statement_documents import answer_document
from services.api.statements import Asked, as_json, statements_of
from shared.adapters.postgres.views import accounts as view
from shared.application.refusals import NotFound

router = noun_router("accounts")


@router.get("/{account_id}", response_model=AccountOut, summary="Read one account", responses=READ)
async def get_account(account_id: CoreId, caller: CaseReader, deps: Deps, request: Request) -> Response:
    """The account in all its currencies, as it stands now: dues after later payments, bucket, days past due."""
    policy = await policy_of(deps)
    found = await view.get_account(deps.pool, account_id, scope_of(caller), zone=policy.default_zone)
    if found is None:
        raise _no_such_account()
    return document(request, found)


@router.get("", response_model=Page[Account], summary="List accounts")
async def list_accounts(
    caller: CaseReader,
    deps: Deps,
    page: Paging,
    customer_id: Text | None = None,
    bucket: Text | None = None,
    status: AccountStatus | None = None,
    currency: Currency | None = None,
    product: Text | None = None,
    past_due: Annotated[bool | None, Query(description="Something is past due, or nothing is")] = None,
) -> Json:
    """Accounts by id, one row a currency."""
    wanted = view.AccountFilter(
        customer_id=customer_id, bucket=bucket, status=status, currency=currency, product=product, past_due=past_due
    )
    return await _page(deps, page, caller, wanted)


@router.post("/search", response_model=Page[Account], summary="Find accounts by card number")
async def search_accounts(body: AccountSearch, caller: CaseReader, deps: Deps, page: Paging) -> Json:
    """Accounts whose card ends in four digits. For the next page send the same body to the linked address."""
    wanted = view.AccountFilter(
        card_last4=body.card_last4, customer_id=body.customer_id, bucket=body.bucket, status=body.status
    )
    return await _page(deps, page, caller, wanted)


On = Annotated[Day | None, Query(description="The customer's day that is asked about, at most a year ahead; today")]
KnownAt = Annotated[
    Instant | None, Query(description="Only what had reached us by then; absent: all that is known now")
]


@router.get("/{account_id}/statement", response_model=StatementOut, summary="What is owed, and why", responses=READ)
async def get_statement(
    account_id: CoreId,
    caller: CaseReader,
    deps: Deps,
    request: Request,
    *,
    currency: Currency | None = None,
    on: On = None,
    known_at: KnownAt = None,
    entries: Annotated[bool, Query(description="Say how it came about; false: only the figures")] = True,
) -> Response:
    """What is owed by component and by due, what brings the account current, and how the debt came about.

    A past day is told as it was, by all that is known now: a payment that came late counts from the day it is for. With
    ``known_at`` it is told as we knew it, and that answer never changes. A day to come says what is due by then if
    nothing more happens. Of disputed amounts nothing is asked."""
    found = await statements_of(deps, caller, account_id, Asked(currency, on, known_at, entries=entries))
    return document(request, as_json(account_id, found))


class Pdf(Response):
    media_type = "application/pdf"


_PDF: dict[int | str, dict[str, Any]] = READ | {
    200: {
        "description": "The document; the same bytes for the same figures",
        "content": {"application/pdf": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get(
    "/{account_id}/statement.pdf",
    response_class=Pdf,
    summary="The statement as a document for the customer",
    responses=_PDF,
)
async def get_statement_document(
    account_id: CoreId,
    caller: CaseReader,
    deps: Deps,
    request: Request,
    *,
    language: Annotated[Literal["zh-CN", "en"] | None, Query(description="Absent: the customer's own")] = None,
    currency: Currency | None = None,
    on: On = None,
    known_at: KnownAt = None,
    entries: Annotated[bool, Query(description="Say how it came about; false: only the figures")] = True,
) -> Response:
    """The figures of the statement as PDF, a page or more for each currency. The name is masked; that somebody made the
    document is on the audit trail before it leaves."""
    found = await statements_of(deps, caller, account_id, Asked(currency, on, known_at, entries=entries))
    return await answer_document(deps, caller, request, found, language)


@router.get("/{account_id}/history", response_model=Page[HistoryEntry], summary="What was reported, and every bucket")
async def list_account_history(
    account_id: CoreId, caller: CaseReader, deps: Deps, page: Paging, currency: Currency | None = None
) -> Json:
    """Every report ever received, the stale ones too, and every bucket entered, newest first."""
    if not await view.account_visible(deps.pool, account_id, scope_of(caller)):
        raise _no_such_account()
    return answer_page(
        page, await view.list_history(deps.pool, account_id, currency, after=page.after, limit=page.fetch)
    )


async def _page(deps: Deps, page: Paging, caller: CaseReader, wanted: view.AccountFilter) -> Json:
    zone = (await policy_of(deps)).default_zone
    rows = await view.list_accounts(deps.pool, wanted, scope_of(caller), zone=zone, after=page.after, limit=page.fetch)
    return answer_page(page, rows)


def _no_such_account() -> NotFound:
    return NotFound("There is no such account, or it is not among yours.")
