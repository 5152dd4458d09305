"""Contact rules as people read them: what is in force, since when, and what the bank proposed and signed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Listed, Where, page

# The newest release of each jurisdiction until an instant.
_SET = """
    found.jurisdiction, found.hash, found.document ->> 'name' as name, (found.document ->> 'version')::int as version,
    (found.document ->> 'name') || '@' || (found.document ->> 'version') || ':' || left(found.hash, 16) as label,
    jsonb_array_length(found.document -> 'rules') as rules, found.overlay_id, found.released_at, found.released_by
"""
_IN_FORCE = """(
    select distinct on (r.subject) r.subject as jurisdiction, s.hash, s.document, r.overlay_id, r.released_at,
        r.released_by
    from releases r join rule_sets s on s.hash = r.rule_set
    where r.kind = 'rules' and ({at}::timestamptz is null or r.released_at <= {at})
    order by r.subject, r.release desc
) found"""
_OVERLAY = """
    o.overlay_id, o.jurisdiction, o.version, o.starts as "from", o.state, o.reason, o.document -> 'changes' as changes,
    o.document -> 'add' as "add", o.document -> 'add_texts' as add_texts, o.loosens, o.base, o.rule_set, o.proposed_by,
    o.proposed_at, o.signed_by, o.signed_at, o.signed_reason, o.withdrawn_by, o.withdrawn_at, o.withdrawn_reason,
    o.row_version
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlayFilter:
    jurisdiction: str | None = None
    state: str | None = None
    proposed_by: str | None = None


async def list_in_force(conn: Any, at: datetime | None, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By jurisdiction; at an instant, or by now."""
    where = Where()
    source = _IN_FORCE.format(at=where.arg(at))
    return await page(conn, _SET, source, where, ("found.jurisdiction",), after=after, limit=limit, descending=False)


async def get_in_force(conn: Any, jurisdiction: str, at: datetime | None) -> Any:
    """A row of (jurisdiction, hash, document, overlay_id, released_at, released_by), or None."""
    where = Where()
    source = _IN_FORCE.format(at=where.arg(at))
    where.add("found.jurisdiction = {}", jurisdiction)
    return await conn.fetchrow(f"select * from {source} {where}", *where.args)  # noqa: S608 - built of constants


async def get_overlay(conn: Any, overlay_id: UUID) -> Any:
    """A row of (JSON text, version), or None."""
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from ("  # noqa: S608 - constants only
        f"select {_OVERLAY} from contact_overlays o where o.overlay_id = $1) found",
        overlay_id,
    )


async def list_overlays(conn: Any, wanted: OverlayFilter, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """The newest first."""
    where = Where().matching(
        o__jurisdiction=wanted.jurisdiction, o__state=wanted.state, o__proposed_by=wanted.proposed_by
    )
    keys = ("o.proposed_at", "o.overlay_id")
    return await page(conn, _OVERLAY, "contact_overlays o", where, keys, after=after, limit=limit)
