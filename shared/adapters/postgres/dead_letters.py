"""What operations decide about an event that was given up: try it again, or do without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.application.refusals import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Where a parked event belongs; its content stays sealed."""

    entry: int
    consumer: str
    customer_id: str
    source: str
    event_id: str
    type: str


async def replay(conn: Any, entry: int) -> DeadLetter:
    """Have its consumer try it at once, as if for the first time; works on one that waits, too.

    Locks the customer, changes the row, commits nothing. Raises NotFound, or Conflict when it is over."""
    letter = await _locked(conn, entry, ("dead", "parked"))
    await conn.execute(
        "update parked set state = 'parked', tries = 0, not_before = clock_timestamp() where entry = $1", entry
    )
    return letter


async def discard(conn: Any, entry: int, actor: str) -> DeadLetter:
    """Do without it; what waits behind it for the customer goes on. Only of one that was given up."""
    letter = await _locked(conn, entry, ("dead",))
    await conn.execute(
        "update parked set state = 'discarded', ended_at = clock_timestamp(), ended_by = $2 where entry = $1",
        entry,
        actor,
    )
    return letter


async def _locked(conn: Any, entry: int, states: tuple[str, ...]) -> DeadLetter:
    customer_id = await conn.fetchval("select customer_id from parked where entry = $1", entry)
    if customer_id is None:
        raise NotFound("There is no such entry.")
    # The customer first, as everywhere: a consumer holds this lock while it tries the event.
    await conn.execute("select from customers where customer_id = $1 for no key update", customer_id)
    row = await conn.fetchrow(
        "select entry, consumer, customer_id, source, event_id, type, state from parked where entry = $1 for update",
        entry,
    )
    if row is None or row[6] not in states:
        raise Conflict(f"It is {row[6] if row else 'gone'}; this needs one that is {' or '.join(states)}.")
    return DeadLetter(*row[:6])
