"""Who is at work: each process writes its heartbeat; one that is known to have died is marked so.

Only a death that is *known* counts: a heartbeat that is merely late may come from a process that was stopped and goes
on. It is known by a neighbour that sees the process gone from the process table they share, by a successor under a name
that only one process at a time can have, by the embedded suite, which is alone on its home, or by a graceful end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import asyncpg


@dataclass(frozen=True, slots=True)
class Birth:
    """What is written of a process when it starts; ``name`` only where the orchestrator lets one process of a service
    at a time have it (a StatefulSet's ordinal)."""

    host: str | None = None
    pid: int | None = None
    birth: str | None = None
    name: str | None = None


UNKNOWN = Birth()


async def register(conn: Any, instance: str, service: str, born: Birth = UNKNOWN) -> int:
    """Enter a process; its fence, above that of every process before it."""
    fence: int = await conn.fetchval(
        "insert into arrears.workers (instance, service, started_at, beat_at, host, pid, birth, name)"
        " values ($1, $2, clock_timestamp(), clock_timestamp(), $3, $4, $5, $6) returning fence",
        instance,
        service,
        born.host,
        born.pid,
        born.birth,
        born.name,
    )
    if born.name is not None:
        await conn.execute(
            "update arrears.workers set dead = true, ended_at = coalesce(ended_at, clock_timestamp())"
            " where name = $1 and service = $2 and not dead and instance <> $3",
            born.name,
            service,
            instance,
        )
    return fence


async def bury_predecessors(conn: Any, service: str) -> int:
    """Mark every earlier process of ``service`` dead; only for a caller that knows it is the only one."""
    rows = await conn.fetch(
        "update arrears.workers set dead = true, ended_at = coalesce(ended_at, clock_timestamp())"
        " where service = $1 and not dead returning instance",
        service,
    )
    return len(rows)


async def bury_neighbours(conn: Any, host: str, is_gone: Callable[[int, str], bool]) -> list[str]:
    """Mark the processes of this machine that are gone from its table; their instances."""
    rows = await conn.fetch(
        "select instance, pid, birth from arrears.workers where host = $1 and not dead and pid is not null", host
    )
    gone = [row[0] for row in rows if is_gone(row[1], row[2])]
    if gone:
        await conn.execute(
            "update arrears.workers set dead = true, ended_at = coalesce(ended_at, clock_timestamp())"
            " where instance = any($1::text[]) and not dead",
            gone,
        )
    return gone


async def beat(conn: Any, instance: str) -> None:
    await conn.execute("update arrears.workers set beat_at = clock_timestamp() where instance = $1", instance)


async def leave(conn: Any, instance: str) -> None:
    """A graceful end: nothing of this process is in flight any more."""
    await conn.execute(
        "update arrears.workers set ended_at = clock_timestamp(), dead = true where instance = $1", instance
    )


async def interrupt_uploads(dsn: str) -> int:
    """Uploads that nobody receives any more can be sent again at once; only for a caller that knows it is alone on the
    database."""
    conn = await asyncpg.connect(dsn)
    try:
        rows = await conn.fetch(
            "update arrears.imports set state = 'interrupted', reason = 'the process that received it died',"
            " updated_at = clock_timestamp() where state = 'receiving' returning import_id"
        )
    finally:
        await conn.close()
    return len(rows)
