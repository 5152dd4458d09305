"""Accounts: as they stand, and over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.adapters.postgres.views.clauses import BUSINESS_NOW, Listed, Scope, Where, page

# While in M0 nothing is past due: the bucket knows the grace of the policy it was judged by.
_COLUMNS = f"""
    a.account_id, a.currency, a.customer_id, a.product, a.card_last4, a.credit_limit, a.status, a.bucket,
    a.bucket_since, a.past_due, a.oldest_due,
    case when a.bucket = 'M0' or a.status = 'closed' then 0
         else ({BUSINESS_NOW} at time zone coalesce(u.time_zone, {{zone}}))::date - a.oldest_due end as days_past_due,
    a.estimated, a.cutoff_at, a.sequence,
    json_build_object('principal', a.principal, 'interest', a.interest, 'fees', a.fees, 'penalty', a.penalty)
        as balances,
    a.paid_since, a.closed_reason, a.charged_off_at, a.charged_off_amount, a.row_version, a.updated_at
"""
_SOURCE = "accounts a join customers u on u.customer_id = a.customer_id"
_DUES = """
    coalesce((select json_agg(json_build_object('due_date', due->0, 'minimum_due', due->1, 'unpaid', due->2))
              from jsonb_array_elements(a.dues) due), '[]'::json) as dues
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFilter:
    customer_id: str | None = None
    bucket: str | None = None
    status: str | None = None
    currency: str | None = None
    product: str | None = None
    card_last4: str | None = None
    past_due: bool | None = None


async def get_account(conn: Any, account_id: str, scope: Scope, *, zone: str) -> str | None:
    """JSON of an account with all its currencies. ``zone`` is the date's zone for customers who have none."""
    where = Where().sees_customer("a.customer_id", scope).add("a.account_id = {}", account_id)
    columns = _COLUMNS.format(zone=where.arg(zone) + "::text")
    statement = "\n".join(
        (
            "select json_build_object('account_id', found.account_id, 'customer_id', min(found.customer_id),"
            " 'currencies', json_agg(to_json(found) order by found.currency))",
            f"from (select {columns}, {_DUES} from {_SOURCE} {where}) found group by found.account_id",  # noqa: S608 - constants
        )
    )
    found: str | None = await conn.fetchval(statement, *where.args)
    return found


async def list_accounts(
    conn: Any, wanted: AccountFilter, scope: Scope, *, zone: str, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By account_id, currency."""
    where = Where().sees_customer("a.customer_id", scope)
    where.matching(
        a__customer_id=wanted.customer_id,
        a__bucket=wanted.bucket,
        a__status=wanted.status,
        a__currency=wanted.currency,
        a__product=wanted.product,
        a__card_last4=wanted.card_last4,
    )
    where.given("(a.past_due > 0) = {}", wanted.past_due)
    columns = _COLUMNS.format(zone=where.arg(zone) + "::text")
    keys = ("a.account_id", "a.currency")
    return await page(conn, columns, _SOURCE, where, keys, after=after, limit=limit, descending=False)


async def list_history(
    conn: Any, account_id: str, currency: str | None, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By at, kind, currency, number, newest first: each snapshot received and each bucket entered."""
    where = Where().given("h.currency = {}", currency)
    source = _HISTORY.format(account=where.arg(account_id))
    keys = ("h.at", "h.kind", "h.currency", "h.number")
    return await page(conn, _HISTORY_COLUMNS, source, where, keys, after=after, limit=limit)


_HISTORY = """(
    select s.received_at as at, 'snapshot' as kind, s.currency, s.sequence as number, s.cutoff_at, s.stale,
           s.body as reported, null::text as bucket, null::text as previous, null::date as entered_on,
           null::uuid as case_id
    from snapshots s where s.account_id = {account}
    union all
    select b.recorded_at, 'bucket', b.currency, b.entry, null, null, null, b.bucket, b.previous, b.entered_on,
           b.case_id
    from bucket_history b where b.account_id = {account}
) h"""
_HISTORY_COLUMNS = """
    h.at, h.kind, h.currency, h.number, h.cutoff_at, h.stale, h.bucket, h.previous, h.entered_on, h.case_id,
    case when h.reported is null then null else json_build_object(
        'balances', h.reported->'balances', 'credit_limit', h.reported->'credit_limit', 'dues',
        coalesce((select json_agg(json_build_object('due_date', due->0, 'minimum_due', due->1, 'unpaid', due->2))
                  from jsonb_array_elements(h.reported->'dues') due), '[]'::json)) end as reported
"""


async def account_visible(conn: Any, account_id: str, scope: Scope) -> bool:
    where = Where().sees_customer("a.customer_id", scope).add("a.account_id = {}", account_id)
    found: bool = await conn.fetchval(f"select exists (select from accounts a {where})", *where.args)  # noqa: S608
    return found
