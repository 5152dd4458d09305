"""The audit trail as people read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.adapters.postgres.views.clauses import Listed, Where, page

_COLUMNS = """
    a.entry, a.at, a.actor, a.action, a.subject, a.detail, encode(a.previous, 'hex') as previous,
    encode(a.hash, 'hex') as hash
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """``since`` is in, ``until`` is not."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_audit(conn: Any, wanted: AuditFilter, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By entry, newest first."""
    where = Where().matching(a__actor=wanted.actor, a__action=wanted.action, a__subject=wanted.subject)
    where.given("a.at >= {}", wanted.since).given("a.at < {}", wanted.until)
    return await page(conn, _COLUMNS, "audit a", where, ("a.entry",), after=after, limit=limit)
