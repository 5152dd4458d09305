"""One note."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.adapters.postgres.views.clauses import Scope, Where


async def get_note(conn: Any, case_id: UUID, note_id: UUID, scope: Scope) -> dict[str, Any] | None:
    """Its fields; ``text`` is as it is stored, sealed."""
    where = Where().add("n.note_id = {}", note_id).add("n.case_id = {}", case_id).sees_case("c", scope)
    row = await conn.fetchrow(
        f"""
        select n.note_id::text, n.case_id::text, n.author, n.written_at, n.text_enc as text
        from notes n join cases c on c.case_id = n.case_id {where}
        """,  # noqa: S608 - built of constants
        *where.args,
    )
    return None if row is None else dict(row)
