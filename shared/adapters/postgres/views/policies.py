"""Policies and templates: what is in force, and every version before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.adapters.postgres.views.clauses import Listed, Where, page
from shared.domain.templates import Template

_POLICY = "p.version, p.name, p.state, p.sha256, p.created_at, p.created_by"
_TEMPLATE = """
    t.key, t.language, t.channel, t.version, t.purpose, t.subject, t.body, t.variables, t.jurisdictions, t.state,
    t.created_at, t.created_by, t.submitted_at, t.submitted_by, t.approved_at, t.approved_by, t.approved_reason,
    t.retired_at, t.retired_by, t.retired_reason, t.row_version
"""


async def list_policies(conn: Any, state: str | None, *, after: Sequence[Any] | None, limit: int) -> Listed:
    """By version, newest first, without the documents."""
    where = Where().matching(p__state=state)
    return await page(conn, _POLICY, "policies p", where, ("p.version",), after=after, limit=limit)


async def get_policy(conn: Any, version: int | None) -> str | None:
    """JSON of a version with its document; of the active one when ``version`` is None."""
    where = Where("p.state = 'active'") if version is None else Where().add("p.version = {}", version)
    rows = await page(conn, f"{_POLICY}, p.document", "policies p", where, ("p.version",), after=None, limit=1)
    return rows.docs[0] if rows.docs else None


async def list_templates(
    conn: Any,
    *,
    key: str | None = None,
    language: str | None = None,
    channel: str | None = None,
    purpose: str | None = None,
    state: str | None = None,
    after: Sequence[Any] | None,
    limit: int,
) -> Listed:
    """By key, language, channel, version."""
    where = Where().matching(t__key=key, t__language=language, t__channel=channel, t__purpose=purpose, t__state=state)
    keys = ("t.key", "t.language", "t.channel", "t.version")
    return await page(conn, _TEMPLATE, "templates t", where, keys, after=after, limit=limit, descending=False)


async def get_text(conn: Any, key: str, language: str, channel: str, version: int) -> Any:
    """A row of (JSON text, version of the row), or None."""
    return await conn.fetchrow(
        f"select to_json(found), found.row_version from (select {_TEMPLATE} from templates t"  # noqa: S608 - constant
        " where t.key = $1 and t.language = $2 and t.channel = $3 and t.version = $4) found",
        key,
        language,
        channel,
        version,
    )


async def approved_texts(conn: Any) -> list[tuple[Template, tuple[str, ...]]]:
    """Every text in use, with the jurisdictions it was written for, by key, language and channel."""
    rows = await conn.fetch(
        """
        select distinct on (key, language, channel)
            key, version, language, channel, purpose, subject, body, variables, jurisdictions from templates
        where state = 'approved' order by key, language, channel, version desc
        """
    )
    return [(Template(*(*row[:7], tuple(row[7]))), tuple(row[8])) for row in rows]


async def load_text(conn: Any, key: str, language: str, channel: str, version: int | None) -> Any:
    """(key, version, language, channel, subject, body, variables) of a version, or of the newest approved one."""
    where = Where().matching(t__key=key, t__language=language, t__channel=channel, t__version=version)
    if version is None:
        where.add("t.state = 'approved'")
    return await conn.fetchrow(
        "\n".join(
            (
                "select t.key, t.version, t.language, t.channel, t.subject, t.body, t.variables from templates t",
                f"{where} order by t.version desc limit 1",
            )
        ),
        *where.args,
    )
