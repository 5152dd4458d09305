"""Payments, those that no account is known for included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    p.source, p.payment_id, p.account_id, p.currency, p.customer_id, p.amount, p.reversed_amount,
    p.amount - p.reversed_amount as effective_amount, p.value_date, p.posted_at, p.last_reversed_at, p.channel,
    p.matched, p.received_at
"""
_REVERSALS = """
    coalesce((select json_agg(json_build_object(
                'reversal_id', r.reversal_id, 'amount', r.amount, 'reason', r.reason, 'reversed_at', r.reversed_at,
                'received_at', r.received_at) order by r.reversed_at, r.reversal_id)
              from reversals r where r.source = p.source and r.payment_id = p.payment_id and r.applied),
             '[]'::json) as reversals
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFilter:
    """``posted_from`` is in, ``posted_to`` is not; ``value_from`` and ``value_to`` are both in."""

    account_id: str | None = None
    customer_id: str | None = None
    currency: str | None = None
    channel: str | None = None
    matched: bool | None = None
    reversed: bool | None = None
    posted_from: datetime | None = None
    posted_to: datetime | None = None
    value_from: date | None = None
    value_to: date | None = None


async def list_payments(
    conn: Any, wanted: PaymentFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By posted_at, source, payment_id, newest first."""
    where = Where().sees_customer("p.customer_id", scope)
    where.matching(
        p__account_id=wanted.account_id,
        p__customer_id=wanted.customer_id,
        p__currency=wanted.currency,
        p__channel=wanted.channel,
        p__matched=wanted.matched,
    )
    where.given("(p.reversed_amount > 0) = {}", wanted.reversed)
    where.given("p.posted_at >= {}", wanted.posted_from).given("p.posted_at < {}", wanted.posted_to)
    where.given("p.value_date >= {}", wanted.value_from).given("p.value_date <= {}", wanted.value_to)
    keys = ("p.posted_at", "p.source", "p.payment_id")
    return await page(conn, _COLUMNS, "payments p", where, keys, after=after, limit=limit)


async def get_payment(conn: Any, payment_id: str, source: str | None, scope: Scope) -> list[str]:
    """JSON of the payment with its reversals; more than one when several sources use the id and none is named."""
    where = Where().sees_customer("p.customer_id", scope).add("p.payment_id = {}", payment_id)
    where.given("p.source = {}", source)
    rows = await page(
        conn, f"{_COLUMNS}, {_REVERSALS}", "payments p", where, ("p.source",), after=None, limit=2, descending=False
    )
    return rows.docs
