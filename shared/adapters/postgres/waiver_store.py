"""Waivers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.approval_store import ApprovalTables
from shared.adapters.postgres.plan_document import decode_waiver, encode_waiver
from shared.adapters.postgres.rows import Rows, Together, set_all
from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.views.clauses import Where
from shared.application.book import Book, Changes, WaiverOnFile
from shared.application.principal import Principal

_WAIVERS = Rows(
    "arrears.waivers",
    {
        "waiver_id": "uuid",
        "customer_id": "text",
        "case_id": "uuid",
        "account_id": "text",
        "currency": "text",
        "component": "text",
        "amount": "bigint",
        "state": "text",
        "proposed_at": "timestamptz",
        "granted_at": "timestamptz",
        "document": "jsonb",
    },
    "on conflict (waiver_id) do update set "
    + set_all("customer_id", "state", "granted_at", "document")
    + ", row_version = waivers.row_version + 1",
)
_SELECT = "select document, customer_id, case_id, row_version from waivers"


class WaiverTables(ApprovalTables):
    async def load_waivers(self, book: Book, agreed: Sequence[str]) -> None:
        """Onto the pages of the customers who agreed to something."""
        for row in await self.conn.fetch(f"{_SELECT} where customer_id = any($1::text[])", agreed):
            filed = _waiver(row)
            book.agreements[filed.customer_id].waivers[filed.waiver.waiver_id] = filed

    async def save_waivers(self, conn: Together, changes: Changes) -> None:
        """Add what is to be written to ``conn``."""
        await _WAIVERS.write(conn, (_row(filed, self.now) for filed in changes.waivers.values()))

    async def find_waiver(self, waiver_id: UUID, who: Principal) -> WaiverOnFile | None:
        where = Where().add("waiver_id = {}", waiver_id).sees_customer("waivers.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"{_SELECT} {where}", *where.args)
        return None if row is None else _waiver(row)


def _waiver(row: Any) -> WaiverOnFile:
    waiver = decode_waiver({**row["document"], "customer_id": row["customer_id"]})
    return WaiverOnFile(waiver, row["case_id"], row["row_version"])


def _row(filed: WaiverOnFile, now: datetime) -> tuple[Any, ...]:
    each = filed.waiver
    return (
        *(each.waiver_id, each.customer_id, filed.case_id, *each.debt.account, each.component, each.amount),
        *(each.state.value, now, each.granted_at, encode_waiver(each)),
    )
