"""What became of an inbound event."""

from __future__ import annotations

from typing import Any

_ANSWER = """
select to_json(found) from (
    select i.source, i.id, i.answer, i.reason, i.customer_id, i.received_at
    from inbox i where i.consumer = 'intake' and i.source = $1 and i.id = $2
    union all
    select p.source, p.event_id, 'parked', 'could not be applied yet; it is kept and tried again', p.customer_id,
           p.parked_at
    from parked p where p.consumer = 'intake' and p.source = $1 and p.event_id = $2 and p.state in ('parked', 'dead')
    limit 1
) found
"""


async def get_answer(conn: Any, source: str, event_id: str) -> str | None:
    """JSON of the answer on record, None when no such event was ever taken."""
    doc: str | None = await conn.fetchval(_ANSWER, source, event_id)
    return doc
