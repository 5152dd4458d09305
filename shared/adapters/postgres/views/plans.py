"""Plans as they stand, the newest first, and what waits for a second person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson

from shared.adapters.postgres.plan_document import decode_plan
from shared.adapters.postgres.views.clauses import BUSINESS_NOW, Listed, Scope, Where, page
from shared.domain.payment import Payment
from shared.domain.plan import Plan

_PLAN = "p.plan_id, p.customer_id, p.case_id, p.state, p.kind, p.proposed_at, p.document, p.row_version"
_APPROVAL = """
    a.approval_id, a.subject, a.subject_id, a.customer_id, a.requested_by, a.requested_at, a.expires_at, a.approvers,
    a.state, a.decided_by, a.decided_at, a.reason, a.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFilter:
    customer_id: str | None = None
    case_id: UUID | None = None
    state: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalFilter:
    customer_id: str | None = None
    state: str | None = None
    subject: str | None = None
    subject_id: str | None = None


async def get_plan(conn: Any, plan_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text with the plan's ``document``, version), or None."""
    where = Where().add("p.plan_id = {}", plan_id).sees_customer("p.customer_id", scope)
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_PLAN} from plans p {where}) found",  # noqa: S608
        *where.args,
    )


@dataclass(frozen=True, slots=True)
class PlanWithMoney:
    """A plan with every payment that can count for it, the customer's zone and the instant."""

    plan: Plan
    payments: tuple[Payment, ...]
    time_zone: str | None
    now: datetime


async def get_plan_with_money(conn: Any, plan_id: UUID, scope: Scope) -> PlanWithMoney | None:
    where = Where().add("p.plan_id = {}", plan_id).sees_customer("p.customer_id", scope)
    row = await conn.fetchrow(f"{_WITH_MONEY} {where}", *where.args)
    if row is None:
        return None
    payments = tuple(
        Payment(
            source, payment_id, account_id, currency, amount, date.fromisoformat(on), datetime.fromisoformat(at), back
        )
        for source, payment_id, account_id, currency, amount, on, at, back in (orjson.loads(row[1]) if row[1] else ())
    )
    return PlanWithMoney(decode_plan(row[0]), payments, row[2], row[3])


_WITH_MONEY = f"""
    select p.document || jsonb_build_object('customer_id', p.customer_id, 'kind', p.kind, 'state', p.state),
        (select json_agg(json_build_array(m.source, m.payment_id, m.account_id, m.currency, m.amount, m.value_date,
                m.posted_at, m.reversed_amount))
         from jsonb_to_recordset(p.document->'debts') as debt(account_id text, currency text)
         join payments m on m.account_id = debt.account_id and m.currency = debt.currency
         and m.posted_at > (p.document->>'reckoned_at')::timestamptz)::text,
        u.time_zone, {BUSINESS_NOW}
    from plans p join customers u on u.customer_id = p.customer_id
"""  # noqa: S608 - built of our own pieces


async def list_plans(conn: Any, wanted: PlanFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """Rows of (doc, proposed_at, plan_id)."""
    where = Where().sees_customer("p.customer_id", scope)
    where.matching(
        p__customer_id=wanted.customer_id, p__case_id=wanted.case_id, p__state=wanted.state, p__kind=wanted.kind
    )
    return await page(conn, _PLAN, "plans p", where, ("p.proposed_at", "p.plan_id"), after=after, limit=limit)


async def get_approval(conn: Any, approval_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, version), or None."""
    where = Where().add("a.approval_id = {}", approval_id).sees_customer("a.customer_id", scope)
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_APPROVAL} from approvals a {where}) found",  # noqa: S608
        *where.args,
    )


async def list_approvals(
    conn: Any, wanted: ApprovalFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """Rows of (doc, expires_at, approval_id), the first to expire first."""
    where = Where().sees_customer("a.customer_id", scope)
    where.matching(
        a__customer_id=wanted.customer_id,
        a__state=wanted.state,
        a__subject=wanted.subject,
        a__subject_id=wanted.subject_id,
    )
    keys = ("a.expires_at", "a.approval_id")
    return await page(conn, _APPROVAL, "approvals a", where, keys, after=after, limit=limit, descending=False)
