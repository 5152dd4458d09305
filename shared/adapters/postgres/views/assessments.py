"""Assessments, the newest first. What tells of the household is sealed and only read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Scope, Where, page

_ABOUT = """
    a.assessment_id, a.customer_id, a.case_id, a.currency, a.route, a.owed, a.guide, a.guide_version, a.guide_hash,
    a.policy_version, a.assessed_by, a.assessed_at, a.assessed_on, a.valid_until
"""
_LISTED = f"{_ABOUT}, a.document - 'options' as document"  # three schedules each are too much for a list


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentFilter:
    """``valid_on``: made by that day, and good on it."""

    customer_id: str | None = None
    case_id: UUID | None = None
    route: str | None = None
    valid_on: date | None = None


async def get_assessment(conn: Any, assessment_id: UUID, scope: Scope) -> Any:
    """A row of (JSON text, sealed household), or None."""
    where = Where().add("a.assessment_id = {}", assessment_id).sees_customer("a.customer_id", scope)
    return await conn.fetchrow(
        f"""
        select to_json(found), sealed.household_enc
        from (select {_ABOUT}, a.document from assessments a {where}) found
        join assessments sealed using (assessment_id)
        """,  # noqa: S608 - built of constants
        *where.args,
    )


async def list_assessments(
    conn: Any, wanted: AssessmentFilter, scope: Scope, *, after: Sequence[Any] | None, limit: int
) -> Listed:
    """By assessed_at, assessment_id, the newest first."""
    where = Where().sees_customer("a.customer_id", scope)
    where.matching(a__customer_id=wanted.customer_id, a__case_id=wanted.case_id, a__route=wanted.route)
    where.given("a.assessed_on <= {}", wanted.valid_on).given("a.valid_until >= {}", wanted.valid_on)
    keys = ("a.assessed_at", "a.assessment_id")
    return await page(conn, _LISTED, "assessments a", where, keys, after=after, limit=limit)
