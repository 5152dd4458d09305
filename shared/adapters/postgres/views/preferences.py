"""What a customer asked us not to do, channel by channel; nothing said is no opt-out."""

from __future__ import annotations

from typing import Any

from shared.adapters.postgres.views.clauses import Scope, Where

CHANNELS = ("sms", "email", "phone", "voice_bot", "letter", "visit")

_PREFERENCE = """
    select u.customer_id, k.channel, coalesce(p.opted_out, false) as opted_out, p.source, p.changed_at,
           coalesce(p.row_version, 0) as row_version, k.place
    from customers u cross join unnest({channels}::text[]) with ordinality as k(channel, place)
    left join preferences p on p.customer_id = u.customer_id and p.channel = k.channel
"""


async def list_preferences(conn: Any, customer_id: str, scope: Scope, channels: tuple[str, ...]) -> list[Any]:
    """Rows of (channel, opted_out, source, changed_at, row_version); none when the customer is not in scope."""
    where = Where()
    source = _PREFERENCE.format(channels=where.arg(list(channels)))
    where.add("u.customer_id = {}", customer_id).sees_customer("u.customer_id", scope)
    rows: list[Any] = await conn.fetch(
        f"select channel, opted_out, source, changed_at, row_version from ({source} {where}) found order by place",  # noqa: S608
        *where.args,
    )
    return rows
