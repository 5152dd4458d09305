"""What happened in a demo: tables for a person, and the checks that make it more than a show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from rich.console import Console
from rich.table import Table as RichTable

from shared.adapters.postgres import digest, invariants
from shared.domain.money import decimal_text

OPENS, CLOSES = time(8), time(22)  # China's hours for contact, half-open
PER_DAY = {"sms": 3, "email": 2}
SEND_WINDOW = timedelta(seconds=5)

Table = tuple[str, tuple[str, ...], list[tuple[Any, ...]]]  # title, columns, rows

_TABLES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (
        "Cases opened and cured, by worst bucket reached",
        ("bucket", "opened", "cured", "closed", "open at the end"),
        """
        with worst as (
            select c.case_id, c.state, max(b.bucket) as bucket from cases c
            left join bucket_history b on b.case_id = c.case_id and b.bucket <> 'M0' group by c.case_id, c.state
        )
        select coalesce(bucket, '-'), count(*), count(*) filter (where state = 'cured'),
               count(*) filter (where state = 'closed'), count(*) filter (where state = 'open')
        from worst group by bucket order by bucket
        """,
    ),
    (
        "Messages by channel, purpose and outcome",
        ("channel", "purpose", "state", "messages"),
        "select coalesce(channel, '-'), purpose, state, count(*) from messages group by 1, 2, 3 order by 1, 2, 3",
    ),
    (
        "Contacts deferred or suppressed, by rule",
        ("rule or reason", "deferred", "suppressed"),
        """
        select why, count(*) filter (where deferred), count(*) filter (where not deferred) from (
            select data->>'reason' as why, true as deferred from case_events where kind = 'message.deferred'
            union all
            select reason, false from messages where state = 'suppressed'
        ) each group by why order by 2 desc, 3 desc
        """,
    ),
    (
        "Follow-ups",
        ("kind", "state", "reason", "steps"),
        "select kind, state, coalesce(reason, ''), count(*) from follow_ups group by 1, 2, 3 order by 1, 2, 3",
    ),
    (
        "Money collected on overdue accounts, by month",
        ("month", "currency", "payments", "amount"),
        """
        select to_char(o.at, 'YYYY-MM'), o.payload->>'currency', count(*),
               sum((select sum((c->>'amount')::bigint) from jsonb_array_elements(o.payload->'covered') c))::bigint
        from outbox o where o.type = 'arrears.payment.received.v1' and jsonb_array_length(o.payload->'covered') > 0
        group by 1, 2 order by 1, 2
        """,
    ),
)


async def tables(conn: Any) -> list[Table]:
    found = [(title, columns, [tuple(row) for row in await conn.fetch(sql)]) for title, columns, sql in _TABLES]
    title, columns, money = found[-1]
    written = [
        (month, currency, count, decimal_text(amount, currency, ",")) for month, currency, count, amount in money
    ]
    return [*found[:-1], (title, columns, written)]


@dataclass(frozen=True, slots=True)
class LogCheck:
    """What the providers' own log says of us. Every list is empty when all is well."""

    entries: int
    outside_hours: list[str]
    over_cap: list[str]
    second_copies: list[str]
    unknown: list[str]
    repeated: list[str]
    unlike: list[str]

    @property
    def broken(self) -> bool:
        lists = (self.outside_hours, self.over_cap, self.second_copies, self.unknown, self.repeated, self.unlike)
        return any(lists)


@dataclass(frozen=True, slots=True)
class Mark:
    """What our books say of an attempt; ``about`` is (customer, case, what it is about, purpose, channel)."""

    about: tuple[Any, ...]
    message_id: str
    channel: str
    zone: ZoneInfo
    marked_at: datetime


async def check_log(conn: Any, log: Path) -> LogCheck:
    """Hold the sandbox's durable log against the rules and against what we believe we sent.

    Each entry must lie in the permitted hours of the customer's zone, be under the caps per number and day, be the only
    copy of its reference, belong to exactly one (customer, case, step, anchor, channel), and have come within the send
    window after the mark, by the marked channel."""
    entries = list(_read(log))
    marks = await _marks(conn, [entry["reference"] for entry in entries])
    ours = [(entry, marks[entry["reference"]]) for entry in entries if entry["reference"] in marks]
    days = Counter((entry["channel"], entry["to"], _local(entry, mark).date().isoformat()) for entry, mark in ours)
    said = Counter(mark.about for _, mark in ours)
    return LogCheck(
        entries=len(entries),
        outside_hours=[e["reference"] for e, mark in ours if not OPENS <= _local(e, mark).time() < CLOSES],
        over_cap=[f"{channel} {day}: {n}" for (channel, _, day), n in days.items() if n > PER_DAY[channel]],
        second_copies=[entry["reference"] for entry in entries if entry["copy"] > 1],
        unknown=[entry["reference"] for entry in entries if entry["reference"] not in marks],
        repeated=[" ".join(map(str, what)) for what, count in said.items() if count > 1],
        unlike=[entry["reference"] for entry, mark in ours if not _is_like(entry, mark)],
    )


def _at(entry: Any) -> datetime:
    return datetime.fromisoformat(entry["business_at"] or entry["time"])


def _local(entry: Any, mark: Mark) -> datetime:
    return _at(entry).astimezone(mark.zone)


def _is_like(entry: Any, mark: Mark) -> bool:
    in_time = mark.marked_at <= _at(entry) < mark.marked_at + SEND_WINDOW
    return in_time and (entry["group"], entry["channel"]) == (mark.message_id, mark.channel)


async def _marks(conn: Any, references: list[str]) -> dict[str, Mark]:
    rows = await conn.fetch(
        """
        select a.attempt_id, m.customer_id, m.case_id, m.about, m.purpose, a.channel, m.message_id,
               coalesce(m.decision->'facts'->>'zone', c.time_zone, 'Asia/Shanghai'), a.marked_at
        from attempts a join messages m using (message_id) join customers c on c.customer_id = m.customer_id
        where a.attempt_id = any($1::uuid[])
        """,
        [UUID(reference) for reference in references],
    )
    return {str(row[0]): Mark(tuple(row)[1:6], str(row[6]), row[5], ZoneInfo(row[7]), row[8]) for row in rows}


def _read(log: Path) -> Iterator[Any]:
    with log.open("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield orjson.loads(line)


async def report(conn: Any, home: Path, console: Console, events: int, elapsed: float) -> int:
    """Print what happened; 1 when a law is broken, else 0."""
    for title, columns, rows in await tables(conn):
        table = RichTable(*columns, title=title, title_justify="left")
        for row in rows:
            table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row))
        console.print(table)
    sent = await check_log(conn, home / "sandbox" / "log.ndjson")
    findings = await invariants.check(conn)
    _say_laws(console, findings, sent)
    console.print(f"outcome digest {await digest.outcome_digest(conn)}")
    console.print(f"facts digest   {await digest.facts_digest(conn)}")
    console.print(f"{events:,} events in {elapsed:.1f} s")
    return 1 if findings or sent.broken else 0


def _say_laws(console: Console, findings: list[Any], sent: LogCheck) -> None:
    broken = {finding.law for finding in findings}
    table = RichTable("law", "verdict", title="Laws checked", title_justify="left")
    for law in invariants.LAWS:
        table.add_row(law, "BROKEN" if law in broken else "holds")
    console.print(table)
    for finding in findings:
        console.print(f"[red]{finding}")
    checks = (
        ("outside the permitted hours", sent.outside_hours),
        ("over a daily cap", sent.over_cap),
        ("second copies of one reference", sent.second_copies),
        ("not ours", sent.unknown),
        ("said twice", sent.repeated),
        ("late, or by another channel than marked", sent.unlike),
    )
    table = RichTable(
        "of what the providers received", "entries", title=f"{sent.entries:,} entries in the providers' log"
    )
    for what, found in checks:
        table.add_row(what, str(len(found)))
    console.print(table)
