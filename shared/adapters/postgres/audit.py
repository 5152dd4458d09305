"""The audit trail: each entry carries the hash of the one before, so that a change anywhere breaks the chain.

An entry's hash is SHA-256 over the previous hash and the canonical JSON (sorted keys, UTF-8, no blanks) of
``[at, actor, action, subject, detail]`` with ``at`` as ISO 8601 in UTC. Entries hold ids and reasons, never personal
data, so that the chain still verifies after a person was erased. What the chain cannot show is that its end was cut
off: note the head (``head``) elsewhere and give it to ``verify_chain``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import orjson

GENESIS = bytes(32)
_LOCK = 0x6172_7265_6175_6474
_PAGE = 5_000

_APPEND_AT = "coalesce((select now from arrears.business_clock where id = 1), clock_timestamp())"


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry and its hash."""

    entry: int
    hash: bytes


async def append(
    conn: Any, actor: str, action: str, subject: str, detail: Mapping[str, Any], *, at: datetime | None = None
) -> int:
    """Write an entry inside the caller's transaction and return its number.

    Waits for other transactions that have written one: the chain is one line. So do it last. ``subject`` is
    ``kind/id``; ``at`` is the business instant, read from the clock unless given.
    """
    await conn.execute("select pg_advisory_xact_lock($1)", _LOCK)
    row = await conn.fetchrow(
        f"select {_APPEND_AT}, (select hash from arrears.audit order by entry desc limit 1)"  # noqa: S608 - constant
    )
    at = at or row[0]
    previous = row[1] if row[1] is not None else GENESIS
    document = orjson.dumps(dict(detail))
    entry: int = await conn.fetchval(
        """
        insert into arrears.audit (at, actor, action, subject, detail, previous, hash)
        values ($1, $2, $3, $4, $5::text::jsonb, $6, $7) returning entry
        """,
        at,
        actor,
        action,
        subject,
        document.decode(),
        previous,
        entry_hash(previous, at, actor, action, subject, orjson.loads(document)),
    )
    return entry


async def verify_chain(conn: Any, *, head: Head | None = None) -> int | None:
    """The number of the first entry that does not follow from the one before, or None when all do.

    ``head`` is one noted earlier: when its entry is gone or different, its number is answered.
    """
    previous, last = GENESIS, 0
    while True:
        rows = await conn.fetch(
            """
            select entry, at, actor, action, subject, detail::text, previous, hash
            from arrears.audit where entry > $1 order by entry limit $2
            """,
            last,
            _PAGE,
        )
        if not rows:
            break
        for entry, at, actor, action, subject, detail, told, own in rows:
            if told != previous or own != entry_hash(previous, at, actor, action, subject, orjson.loads(detail)):
                return int(entry)
            previous, last = own, entry
    if head is not None:
        found = await conn.fetchval("select hash from arrears.audit where entry = $1", head.entry)
        return None if found == head.hash else head.entry
    return None


async def head(conn: Any) -> Head | None:
    row = await conn.fetchrow("select entry, hash from arrears.audit order by entry desc limit 1")
    return None if row is None else Head(row[0], row[1])


def entry_hash(previous: bytes, at: datetime, actor: str, action: str, subject: str, detail: Any) -> bytes:
    canonical = orjson.dumps(
        [at.astimezone(UTC).isoformat(), actor, action, subject, detail], option=orjson.OPT_SORT_KEYS
    )
    return sha256(previous + canonical).digest()
