"""Who is at work: each process writes its heartbeat; one that is known to have died is marked so.

Only a death that is *known* counts (the embedded suite holds an exclusive lock on its home, so whoever came before is
gone): a heartbeat that is merely late may come from a process that was stopped and will go on.
"""

from __future__ import annotations

from typing import Any


async def register(conn: Any, instance: str, service: str) -> None:
    await conn.execute(
        "insert into arrears.workers (instance, service, started_at, beat_at) values ($1, $2, clock_timestamp(),"
        " clock_timestamp())",
        instance,
        service,
    )


async def bury_predecessors(conn: Any, service: str) -> int:
    """Mark every earlier process of ``service`` dead; only for a caller that knows it is the only one."""
    rows = await conn.fetch(
        "update arrears.workers set dead = true, ended_at = coalesce(ended_at, clock_timestamp())"
        " where service = $1 and not dead returning instance",
        service,
    )
    return len(rows)


async def beat(conn: Any, instance: str) -> None:
    await conn.execute("update arrears.workers set beat_at = clock_timestamp() where instance = $1", instance)


async def leave(conn: Any, instance: str) -> None:
    """A graceful end: nothing of this process is in flight any more."""
    await conn.execute(
        "update arrears.workers set ended_at = clock_timestamp(), dead = true where instance = $1", instance
    )


async def interrupt_uploads(conn: Any) -> int:
    """Uploads that nobody receives any more can be sent again at once; only for a caller that knows it is alone."""
    rows = await conn.fetch(
        "update arrears.imports set state = 'interrupted', reason = 'the process that received it died',"
        " updated_at = clock_timestamp() where state = 'receiving' returning import_id"
    )
    return len(rows)
