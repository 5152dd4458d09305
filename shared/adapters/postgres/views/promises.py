"""Promises to pay: the first to be due first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_COLUMNS = """
    p.promise_id, p.customer_id, p.case_id, p.account_id, p.currency, p.amount, p.due_on, p.made_at, p.channel,
    p.promised_by, p.recorded_by, p.tolerance_days, p.tolerance_amount, p.state, p.paid, p.kept_on, p.judged_on,
    p.reason, p.policy_version, p.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseFilter:
    """``due_before``: due earlier than that day."""

    customer_id: str | None = None
    case_id: UUID | None = None
    account_id: str | None = None
    state: str | None = None
    due_before: date | None = None


async def get_promise(conn: Any, promise_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, version), or None."""
    where = Where().add("p.promise_id = {}", promise_id).sees_customer("p.customer_id", scope)
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_COLUMNS} from promises p {where}) found",  # noqa: S608
        *where.args,
    )


async def list_promises(
    conn: Any, wanted: PromiseFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """Rows of (doc, due_on, promise_id)."""
    where = Where().sees_customer("p.customer_id", scope)
    where.matching(
        p__customer_id=wanted.customer_id,
        p__case_id=wanted.case_id,
        p__account_id=wanted.account_id,
        p__state=wanted.state,
    )
    where.given("p.due_on < {}", wanted.due_before)
    keys = ("p.due_on", "p.promise_id")
    return await page(conn, _COLUMNS, "promises p", where, keys, after=after, limit=limit, descending=False)
