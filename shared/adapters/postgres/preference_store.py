"""What customers asked us not to do."""

from __future__ import annotations

from collections.abc import Sequence

from shared.adapters.postgres.session import Session


class PreferenceTables(Session):
    async def preference(self, customer_id: str, channel: str) -> tuple[bool, int]:
        row = await self.conn.fetchrow(
            "select opted_out, row_version from preferences where customer_id = $1 and channel = $2",
            customer_id,
            channel,
        )
        return (False, 0) if row is None else (row[0], row[1])

    async def put_preference(self, customer_id: str, channel: str, opted_out: bool, source: str, actor: str) -> None:
        await self.conn.execute(
            """
            insert into preferences (customer_id, channel, opted_out, source, actor, changed_at)
            values ($1, $2, $3, $4, $5, $6)
            on conflict (customer_id, channel) do update set opted_out = excluded.opted_out, source = excluded.source,
                actor = excluded.actor, changed_at = excluded.changed_at, row_version = preferences.row_version + 1
            """,
            customer_id,
            channel,
            opted_out,
            source,
            actor,
            self.now,
        )

    async def owners_of_numbers(self, numbers: Sequence[str]) -> list[str]:
        """Customers who have one of these numbers on file, in whatever spelling the provider gave it."""
        keys = []
        for number in numbers:
            try:
                keys.append(self.cipher.blind("mobile", self.normalise("mobile", number)))
            except ValueError:  # a short code, or nobody's number
                continue
        rows = await self.conn.fetch(
            "select distinct customer_id from contact_points where value_bidx = any($1::bytea[]) order by customer_id",
            keys,
        )
        return [row[0] for row in rows]
