"""Payments: what came in, what was taken back, what belongs to no account we know."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from services.api.deps import Deps
from services.api.fields import CoreId, Day, Instant, Text
from services.api.limits import Currency
from services.api.paging import Page, Paging
from services.api.reading import READ, Reader, answer_page, document, scope_of
from services.api.responses import Json
from services.api.routing import noun_router
from services.api.schemas.payments import Payment, PaymentOut
from shared.adapters.postgres.views import payments as view
from shared.application.refusals import Conflict, NotFound

router = noun_router("payments")


@router.get("", response_model=Page[Payment], summary="List payments")
async def list_payments(
    caller: Reader,
    deps: Deps,
    page: Paging,
    account_id: Text | None = None,
    customer_id: Text | None = None,
    currency: Currency | None = None,
    channel: Text | None = None,
    matched: Annotated[bool | None, Query(description="false: no account is known for it")] = None,
    reversed: Annotated[bool | None, Query(description="Something of it was taken back")] = None,
    posted_from: Annotated[Instant | None, Query(description="Inclusive")] = None,
    posted_to: Annotated[Instant | None, Query(description="Exclusive")] = None,
    value_from: Annotated[Day | None, Query(description="Inclusive")] = None,
    value_to: Annotated[Day | None, Query(description="Inclusive")] = None,
) -> Json:
    """Payments, the newest first. A collector does not see payments that belong to nobody yet."""
    wanted = view.PaymentFilter(
        account_id=account_id,
        customer_id=customer_id,
        currency=currency,
        channel=channel,
        matched=matched,
        reversed=reversed,
        posted_from=posted_from,
        posted_to=posted_to,
        value_from=value_from,
        value_to=value_to,
    )
    rows = await view.list_payments(deps.pool, wanted, scope_of(caller), after=page.after, limit=page.fetch)
    return answer_page(page, rows)


@router.get(
    "/{payment_id}",
    response_model=PaymentOut,
    summary="Read one payment",
    responses=READ | {409: {"description": "Several sources have a payment with this id"}},
)
async def get_payment(
    payment_id: CoreId,
    caller: Reader,
    deps: Deps,
    request: Request,
    source: Annotated[Text | None, Query(description="Needed only where several sources use the same id")] = None,
) -> Response:
    """The payment with its reversals."""
    found = await view.get_payment(deps.pool, payment_id, source, scope_of(caller))
    if not found:
        raise NotFound("There is no such payment, or it is not among yours.")
    if len(found) > 1:
        raise Conflict("Several sources have a payment with this id; say which.", code="ambiguous-payment")
    return document(request, found[0])
