"""What customers asked us not to do."""

from __future__ import annotations

from collections.abc import Collection

from shared.adapters.postgres.session import Session
from shared.application.preferences import NumberOwner


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

    async def owners_of_numbers(self, numbers: Collection[str]) -> list[NumberOwner]:
        """As a mobile: we send texts to no other kind of point."""
        meant = {self.cipher.blind("mobile", number): number for number in numbers}
        rows = await self.conn.fetch(
            """
            select distinct p.value_bidx, p.customer_id, u.jurisdiction
            from contact_points p join customers u using (customer_id)
            where p.value_bidx = any($1::bytea[]) order by p.customer_id
            """,
            list(meant),
        )
        return [(meant[row[0]], row[1], row[2]) for row in rows]
