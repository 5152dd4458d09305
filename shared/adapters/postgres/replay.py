"""Stored decisions, read back with the rules they were taken under."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from shared.application.replaying import Different, Stored, replay
from shared.domain.contact_rules import RuleSet, parse_rules

_NEWEST = """
    select about, key, customer_id, decision::text from (
        (select 'message' as about, message_id::text as key, customer_id, decision, updated_at as at from messages
         where decision ? 'proposal' and ($1::timestamptz is null or updated_at >= $1)
           and ($3::text is null or split_part(split_part(decision ->> 'rule_set', '@', 1), '+', 1) = $3)
         order by updated_at desc, message_id limit $2)
        union all
        (select 'permit', permit_id::text, customer_id, decision, asked_at from contact_permits
         where ($1::timestamptz is null or asked_at >= $1)
           and ($3::text is null or split_part(split_part(decision ->> 'rule_set', '@', 1), '+', 1) = $3)
         order by asked_at desc, permit_id limit $2)
    ) newest order by at desc, key limit $2
"""


async def newest_decisions(
    conn: Any, limit: int, *, since: datetime | None = None, pack: str | None = None
) -> list[Stored]:
    """At most ``limit`` decisions of messages and permits, the newest first, from ``since`` (business time) on;
    ``pack``: those under rules of this name, whatever the bank had laid over them."""
    rows = await conn.fetch(_NEWEST, since, limit, pack)
    return [Stored(row[0], row[1], row[2], orjson.loads(row[3])) for row in rows]


async def replay_newest(conn: Any, limit: int, *, since: datetime | None = None) -> tuple[int, list[Different]]:
    """How many of the newest decisions were taken again, at most ``limit``, and those that came out otherwise."""
    decisions = await newest_decisions(conn, limit, since=since)
    if not decisions:
        return 0, []
    rules_of = await _library(conn, {str(each.decision.get("rule_set")) for each in decisions})
    found = [replay(each, rules_of) for each in decisions]
    return len(decisions), [each for each in found if each is not None]


async def _library(conn: Any, labels: set[str]) -> Callable[[str], RuleSet | None]:
    """The packs that these labels (name@version:start of the hash) name."""
    prefixes = [label.rpartition(":")[2] for label in labels]
    rows = await conn.fetch(
        "select r.document::text from rule_sets r join unnest($1::text[]) as k(prefix) on starts_with(r.hash, k.prefix)"
        " where k.prefix <> ''",
        prefixes,
    )
    packs = {pack.label: pack for pack in (parse_rules(orjson.loads(row[0])) for row in rows)}
    return packs.get
