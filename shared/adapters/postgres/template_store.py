"""Texts and their life."""

from __future__ import annotations

from collections.abc import Sequence

from shared.adapters.postgres.session import Session
from shared.application.template_life import TextKey, TextOnFile
from shared.domain.templates import Template

_THIS = "key = $1 and language = $2 and channel = $3 and version = $4"
_MOVE = {
    "review": "state = 'review', submitted_by = $5, submitted_at = $6",
    "approved": "state = 'approved', approved_by = $5, approved_at = $6, approved_reason = $7",
    "retired": "state = 'retired', retired_by = $5, retired_at = $6, retired_reason = $7",
}


class TemplateTables(Session):
    async def next_text_version(self, key: str, language: str, channel: str) -> int:
        version: int = await self.conn.fetchval(
            "select coalesce(max(version), 0) + 1 from templates where key = $1 and language = $2 and channel = $3",
            key,
            language,
            channel,
        )
        return version

    async def add_text(self, text: Template, jurisdictions: Sequence[str], by: str) -> None:
        await self.conn.execute(
            """
            insert into templates (key, language, channel, version, purpose, subject, body, variables, jurisdictions,
                state, created_at, created_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'draft', $10, $11)
            """,
            text.key,
            text.language,
            text.channel,
            text.version,
            text.purpose,
            text.subject,
            text.body,
            list(text.variables),
            list(jurisdictions),
            self.now,
            by,
        )

    async def find_text(self, key: TextKey) -> TextOnFile | None:
        row = await self.conn.fetchrow(
            f"""
            select key, version, language, channel, purpose, subject, body, variables, jurisdictions, state, created_by,
                row_version
            from templates where {_THIS} for no key update
            """,  # noqa: S608 - constants only
            *_of(key),
        )
        if row is None:
            return None
        text = Template(*(*row[:7], tuple(row[7])))
        return TextOnFile(text, tuple(row[8]), *row[9:])

    async def move_text(self, key: TextKey, state: str, by: str, reason: str | None) -> None:
        told = (by, self.now) if state == "review" else (by, self.now, reason)
        await self.conn.execute(
            f"update templates set {_MOVE[state]}, row_version = row_version + 1 where {_THIS}",  # noqa: S608
            *_of(key),
            *told,
        )

    async def supersede_texts(self, key: TextKey, by: str) -> None:
        await self.conn.execute(
            """
            update templates set state = 'retired', retired_by = $5, retired_at = $6,
                retired_reason = 'superseded by version ' || $4::int, row_version = row_version + 1
            where key = $1 and language = $2 and channel = $3 and version <> $4 and state = 'approved'
            """,
            *_of(key),
            by,
            self.now,
        )

    async def release_texts(self, key: TextKey, by: str) -> None:
        await self.conn.execute(
            "insert into releases (kind, subject, released_at, released_by) values ('templates', $1, $2, $3)",
            f"{key.key}/{key.language}/{key.channel}/{key.version}",
            self.now,
            by,
        )


def _of(key: TextKey) -> tuple[str, str, str, int]:
    return key.key, key.language, key.channel, key.version
