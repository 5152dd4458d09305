"""Hours that people agreed to or asked for."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.contact_hours import HoursOnFile, NewHours
from shared.application.principal import Principal


class ContactHoursTables(Session):
    async def add_hours(self, new: NewHours, starts_at: datetime, by: str) -> None:
        await self.conn.execute(
            """
            insert into contact_hours (hours_id, customer_id, kind, channel, from_time, to_time, weekdays, given_by,
                proof, starts_at, ends_at, recorded_at, recorded_by)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
            """,
            new.hours_id,
            new.customer_id,
            new.kind,
            new.channel,
            new.from_time,
            new.to_time,
            sorted(new.weekdays),
            new.given_by,
            new.proof,
            starts_at,
            new.ends_at,
            self.now,
            by,
        )

    async def find_hours(self, hours_id: UUID, who: Principal) -> HoursOnFile | None:
        where = Where().add("h.hours_id = {}", hours_id).sees_customer("h.customer_id", scope_of(who))
        row = await self.conn.fetchrow(
            "select h.hours_id, h.customer_id, h.kind, h.channel, h.withdrawn_at, h.row_version"  # noqa: S608 - built
            f" from contact_hours h {where}",
            *where.args,
        )
        return None if row is None else HoursOnFile(*row)

    async def withdraw_hours(self, hours_id: UUID, by: str) -> None:
        await self.conn.execute(
            "update contact_hours set withdrawn_at = $2, withdrawn_by = $3, row_version = row_version + 1"
            " where hours_id = $1",
            hours_id,
            self.now,
            by,
        )
