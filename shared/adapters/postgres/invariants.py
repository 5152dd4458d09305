"""Ask the database whether our laws hold. Each question is one statement; what it finds is kept for the console."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.adapters.postgres.laws import QUESTIONS, Question
from shared.adapters.postgres.replay import replay_newest

LAWS = tuple(dict.fromkeys(question.law for question in sorted(QUESTIONS, key=lambda each: int(each.law[1:]))))
"""The laws that can be asked of live data."""

SAMPLE = 10
REPLAYED = 200  # decisions a run: the newest, some fifty milliseconds
OTHERWISE = "a stored decision, taken again, comes out otherwise"

_CLOCK = """
    select coalesce(manual.now, clock_timestamp()) as now, manual.now is not null as manual,
           case when manual.now is null then interval '5 seconds' else interval '0' end as slack
    from (select max(now) as now from business_clock where id = 1) manual
"""
_KEEP = """
    insert into invariant_runs (law, checked_at, violations, sample)
    select law, $2, violations, sample::jsonb
    from unnest($1::text[], $3::int[], $4::text[]) as k(law, violations, sample)
    on conflict (law) do update
    set checked_at = excluded.checked_at, violations = excluded.violations, sample = excluded.sample
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """``count`` rows break ``law``; ``sample`` names up to ten of them by ids, never by personal data."""

    law: str
    what: str
    count: int
    sample: tuple[str, ...]


async def check(conn: Any, *, since: datetime | None = None) -> list[Finding]:
    """What breaks a law; empty when all hold. With ``since`` (a business instant), only in rows that changed from then
    on, and in what the passing of time breaks. Writes ``invariant_runs``: one row per law, whether it holds or not."""
    now = await conn.fetchval(f"select now from ({_CLOCK}) clock")  # noqa: S608 - constants only
    found = [finding for question in QUESTIONS if (finding := await _ask(conn, question, since)) is not None]
    found += await _replayed(conn, since)
    await _keep(conn, now, found)
    return found


async def _replayed(conn: Any, since: datetime | None) -> list[Finding]:
    """The one question that no statement can answer: do stored decisions come out the same when taken again?"""
    _, different = await replay_newest(conn, REPLAYED, since=since)
    if not different:
        return []
    keys = sorted(each.stored.key for each in different)
    return [Finding("L10", OTHERWISE, len(different), tuple(keys[:SAMPLE]))]


async def _ask(conn: Any, question: Question, since: datetime | None) -> Finding | None:
    row = await conn.fetchrow(
        f"""
        with clock as ({_CLOCK}), broken as ({question.sql})
        select count(*), (array_agg(subject order by subject))[1:{SAMPLE}]
        from broken where $1::timestamptz is null or at is null or at >= $1
        """,  # noqa: S608 - constants only
        since,
    )
    return Finding(question.law, question.what, row[0], tuple(row[1])) if row[0] else None


async def _keep(conn: Any, now: datetime, found: Sequence[Finding]) -> None:
    by_law: dict[str, dict[str, Finding]] = {law: {} for law in LAWS}
    for each in found:
        by_law[each.law][each.what] = each
    counts = [sum(each.count for each in findings.values()) for findings in by_law.values()]
    samples = [orjson.dumps({what: each.sample for what, each in findings.items()}) for findings in by_law.values()]
    await conn.execute(_KEEP, list(by_law), now, counts, [sample.decode() for sample in samples])
