"""What ships with a version comes into force: packs, with everything that the bank has signed laid over them anew, and
texts, where the bank has none of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson

from shared.adapters.postgres.rule_store import RELEASE_LOCK
from shared.application.rule_changes import compose
from shared.domain.contact_rules import RuleSet, parse_rules
from shared.domain.templates import Template

_KEEP = """
    insert into arrears.rule_sets (hash, jurisdiction, document, loaded_at) values ($1, $2, $3, $4)
    on conflict do nothing
"""
_RELEASE = """
    insert into arrears.releases (kind, subject, rule_set, overlay_id, released_at, released_by)
    values ('rules', $1, $2, $3, $4, $5)
"""
_TEXT = """
    insert into arrears.templates
        (key, language, channel, version, purpose, subject, body, variables, state, created_at, created_by)
    values ($1, $2, $3, $4, $5, $6, $7, $8,
        case when exists (
            select from arrears.templates own
            where own.key = $1 and own.language = $2 and own.channel = $3 and own.created_by <> $10
        ) then 'draft' else 'approved' end, $9, $10)
    on conflict do nothing
"""


async def release_texts(conn: Any, texts: Sequence[Template], at: datetime, by: str) -> None:
    """Texts that were never loaded. Where the bank wrote its own, ours is a draft: somebody approves it or not."""
    known = {tuple(row) for row in await conn.fetch("select key, language, channel, version from arrears.templates")}
    fresh = [each for each in texts if (each.key, each.language, each.channel, each.version) not in known]
    if not fresh:
        return
    await conn.execute("select pg_advisory_xact_lock($1)", RELEASE_LOCK)
    await conn.executemany(
        _TEXT,
        [(t.key, t.language, t.channel, t.version, t.purpose, t.subject, t.body, list(t.variables), at, by)
         for t in fresh],
    )  # fmt: skip
    await conn.execute(
        "insert into arrears.releases (kind, subject, released_at, released_by)"
        " values ('templates', 'shipped', $1, $2)",
        at,
        by,
    )


async def release_packs(conn: Any, packs: Sequence[tuple[Mapping[str, Any], RuleSet]], at: datetime, by: str) -> None:
    """Put packs in force that never were. Raises DocumentError when the bank's signed changes do not fit one: they are
    changed first, by another proposal over the pack that is in force."""
    known = {row[0] for row in await conn.fetch("select distinct rule_set from arrears.releases")}
    fresh = [(document, pack) for document, pack in packs if pack.hash not in known]
    if not fresh:
        return
    await conn.execute("select pg_advisory_xact_lock($1)", RELEASE_LOCK)
    for document, pack in fresh:
        signed = await conn.fetch(
            "select overlay_id, document from arrears.contact_overlays where jurisdiction = $1 and state = 'signed'"
            " order by signed_at, version",
            pack.jurisdiction,
        )
        laid = compose(document, [row[1] for row in signed])
        await conn.execute(_KEEP, pack.hash, pack.jurisdiction, document, at)
        await conn.execute(_RELEASE, pack.jurisdiction, pack.hash, None, at, by)
        if laid is not None:
            await conn.execute(_KEEP, laid.rules.hash, pack.jurisdiction, laid.document, at)
            await conn.execute(_RELEASE, pack.jurisdiction, laid.rules.hash, signed[-1][0], at, by)


async def read_released(document: Mapping[str, Any]) -> RuleSet:
    """Beside the event loop: a large pack takes most of a second, which the others need not wait for."""
    return await asyncio.to_thread(_parsed, orjson.dumps(document))


@lru_cache(maxsize=32)
def _parsed(document: bytes) -> RuleSet:
    """By the whole text, not by a hash that a row claims: several shelves of one process hold the same packs."""
    return parse_rules(orjson.loads(document))
