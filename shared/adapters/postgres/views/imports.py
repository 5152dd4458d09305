"""Imports: how far each has come, and the lines it refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.adapters.postgres.import_store import ABANDONED_AFTER
from shared.adapters.postgres.views.clauses import Listed, Where, page

_STATE = (
    f"case when i.state = 'receiving' and i.updated_at < clock_timestamp() - {ABANDONED_AFTER}"
    " then 'interrupted' else i.state end"
)
_COLUMNS = f"""
    i.import_id as id, i.name, i.format, i.event_type, nullif(i.source, '') as source, i.sha256,
    i.lines_expected as lines, {_STATE} as state, i.reason, i.lines_done, i.bytes_done, i.counts,
    case when i.lines_expected > 0 then least(100, floor(100.0 * i.lines_done / i.lines_expected))::int end as percent,
    case when i.receiving_ms > 0 then (i.lines_done * 1000 / i.receiving_ms)::bigint end as lines_per_second,
    i.created_by, i.created_at, i.updated_at, i.finished_at
"""


async def list_imports(conn: Any, state: str | None, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By created_at, id, newest first."""
    where = Where().given(f"{_STATE} = {{}}", state)
    return await page(conn, f"{_COLUMNS}, i.import_id", "imports i", where, ("i.created_at", "i.import_id"),
                      after=after, limit=limit)  # fmt: skip


async def get_import(conn: Any, import_id: UUID) -> str | None:
    """JSON of the import."""
    doc: str | None = await conn.fetchval(
        f"select to_json(found) from (select {_COLUMNS} from imports i where i.import_id = $1) found",  # noqa: S608 - constants
        import_id,
    )
    return doc


async def list_rejections(conn: Any, import_id: UUID, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By line in the order of lines."""
    where = Where().add("r.import_id = {}", import_id)
    return await page(
        conn, "r.line, r.field, r.reason", "import_rejections r", where, ("r.line",), after=after, limit=limit,
        descending=False,
    )  # fmt: skip
