"""Imports and the lines they refused. Times are real ones: an upload is technical, whatever the business day is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.adapters.postgres.rows import Rows
from shared.adapters.postgres.session import Session
from shared.application.imports import Claim, ImportOrder, Progress, Rejection

ABANDONED_AFTER = "interval '30 seconds'"
"""Silence after which a receiver counts as gone, and another may go on where it stopped."""

_REJECTIONS = Rows(
    "arrears.import_rejections",
    {"import_id": "uuid", "line": "bigint", "field": "text", "reason": "text"},
    "on conflict do nothing",
)


class ImportTables(Session):
    async def add_import(self, import_id: UUID, order: ImportOrder, actor: str) -> None:
        await self.conn.execute(
            """
            insert into imports (import_id, name, format, event_type, source, sha256, lines_expected, state, created_by,
                                 created_at, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7, 'created', $8, clock_timestamp(), clock_timestamp())
            """,
            import_id,
            order.name,
            order.format,
            order.event_type,
            order.source,
            order.sha256,
            order.lines,
            actor,
        )

    async def claim_import(self, import_id: UUID) -> Claim | None:
        row: Any = await self.conn.fetchrow(
            f"""
            update imports set state = 'receiving', reason = null, updated_at = clock_timestamp()
            where import_id = $1 and (state in ('created', 'interrupted')
                or (state = 'receiving' and updated_at < clock_timestamp() - {ABANDONED_AFTER}))
            returning name, format, event_type, source, sha256, lines_expected, lines_done, bytes_done, counts
            """,  # noqa: S608 - constants only
            import_id,
        )
        return None if row is None else Claim(import_id, ImportOrder(*row[:6]), *row[6:])

    async def import_state(self, import_id: UUID) -> str | None:
        state: str | None = await self.conn.fetchval("select state from imports where import_id = $1", import_id)
        return state

    async def advance_import(self, import_id: UUID, progress: Progress, rejections: Sequence[Rejection]) -> bool:
        moved = await self.conn.fetchval(
            """
            update imports set lines_done = $3, bytes_done = $4, counts = $5,
                   receiving_ms = receiving_ms + extract(epoch from clock_timestamp() - updated_at) * 1000,
                   updated_at = clock_timestamp()
            where import_id = $1 and state = 'receiving' and lines_done = $2
            returning true
            """,
            import_id,
            progress.lines_before,
            progress.lines_done,
            progress.bytes_done,
            dict(progress.counts),
        )
        if moved:
            await _REJECTIONS.write(self.conn, [(import_id, *rejection) for rejection in rejections])
        return bool(moved)

    async def end_import(self, import_id: UUID, lines_done: int, state: str, reason: str | None) -> None:
        """Nothing when somebody else has taken the import further."""
        await self.conn.execute(
            """
            update imports set state = $3, reason = $4, updated_at = clock_timestamp(),
                   finished_at = case when $3 in ('done', 'failed') then clock_timestamp() end
            where import_id = $1 and state = 'receiving' and lines_done = $2
            """,
            import_id,
            lines_done,
            state,
            reason,
        )
