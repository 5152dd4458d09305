"""Holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.holds import HoldOnFile
from shared.application.principal import Principal
from shared.domain.hold import DisputedPart, HoldKind

_COLUMNS = """h.hold_id, h.customer_id, h.account_id, h.kind, h.reason, h.origin, h.placed_at, h.ends_at,
    h.released_at, h.placed_by, h.row_version, h.disputed"""


class HoldTables(Session):
    async def add_hold(self, hold: HoldOnFile) -> None:
        await self.conn.execute(
            """
            insert into holds (hold_id, customer_id, account_id, kind, reason, origin, placed_at, ends_at, placed_by,
                disputed)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            hold.hold_id,
            hold.customer_id,
            hold.account_id,
            hold.kind.value,
            hold.reason,
            hold.origin,
            hold.placed_at,
            hold.ends_at,
            hold.placed_by,
            None if hold.disputed is None else asdict(hold.disputed),
        )

    async def has_currency(self, customer_id: str, account_id: str, currency: str) -> bool:
        found: bool = await self.conn.fetchval(
            "select exists (select from accounts where account_id = $1 and currency = $2 and customer_id = $3)",
            account_id,
            currency,
            customer_id,
        )
        return found

    async def find_hold(self, hold_id: UUID, who: Principal) -> HoldOnFile | None:
        where = Where().add("h.hold_id = {}", hold_id).sees_customer("h.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"select {_COLUMNS} from holds h {where}", *where.args)  # noqa: S608 - built
        return None if row is None else _read(row)

    async def holds_by_id(self, hold_ids: Sequence[UUID]) -> dict[UUID, HoldOnFile]:
        rows = await self.conn.fetch(
            f"select {_COLUMNS} from holds h where h.hold_id = any($1::uuid[]) order by h.ends_at, h.hold_id",  # noqa: S608
            list(hold_ids),
        )
        return {row[0]: _read(row) for row in rows}

    async def end_hold(self, hold_id: UUID, released_by: str) -> None:
        await self.conn.execute(
            "update holds set released_at = $2, released_by = $3, row_version = row_version + 1 where hold_id = $1",
            hold_id,
            self.now,
            released_by,
        )


def _read(row: Any) -> HoldOnFile:
    disputed = None if row[11] is None else DisputedPart(**row[11])
    return HoldOnFile(*(*row[:3], HoldKind(row[3]), *row[4:11], disputed))
