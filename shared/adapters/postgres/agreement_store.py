"""What customers agreed to: loaded into the book, and written with its changes."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from shared.adapters.postgres.rows import Rows, Together, set_all
from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.session import Session
from shared.adapters.postgres.views.clauses import Where
from shared.application.book import Agreements, Book, Changes, Payment, PromiseOnFile
from shared.application.principal import Principal
from shared.domain.promise import Promise, Promiser, PromiseState
from shared.domain.waiting import Wait

_PROMISE_COLUMNS = {
    "promise_id": "uuid",
    "customer_id": "text",
    "account_id": "text",
    "currency": "text",
    "amount": "bigint",
    "due_on": "date",
    "made_at": "timestamptz",
    "made_on": "date",
    "channel": "text",
    "promised_by": "text",
    "recorded_by": "text",
    "tolerance_days": "int",
    "tolerance_amount": "bigint",
    "policy_version": "int",
    "state": "text",
    "paid": "bigint",
    "kept_on": "date",
    "judged_on": "date",
    "reason": "text",
    "case_id": "uuid",
}
_PROMISES = Rows(
    "arrears.promises",
    _PROMISE_COLUMNS,
    "on conflict (promise_id) do update set "
    + set_all("customer_id", "state", "paid", "kept_on", "judged_on", "reason")
    + ", row_version = promises.row_version + 1",
)
_WAITS = Rows(
    "arrears.ladder_waits", {"customer_id": "text", "seq": "int", "at": "timestamptz", "until": "timestamptz"}
)
_SELECT_PROMISES = f"select {', '.join(_PROMISE_COLUMNS)}, row_version from promises"  # noqa: S608 - constants only


class AgreementTables(Session):
    async def load_agreements(self, book: Book) -> None:
        rows = await self.conn.fetch(
            """
            select customer_id from promises where customer_id = any($1::text[])
            union select customer_id from ladder_waits where customer_id = any($1::text[])
            """,
            list(book.customers),
        )
        agreed = [row[0] for row in rows]
        if not agreed:
            return
        for customer_id in sorted(agreed):
            book.agreements[customer_id] = Agreements()
        for row in await self.conn.fetch(f"{_SELECT_PROMISES} where customer_id = any($1::text[])", agreed):
            filed = _promise(row)
            book.agreements[filed.customer_id].promises[filed.promise.promise_id] = filed
        await self._load_waits(book, agreed)
        await self._load_money(book)

    async def _load_waits(self, book: Book, agreed: list[str]) -> None:
        rows = await self.conn.fetch(
            "select distinct on (customer_id) customer_id, seq, at, until from ladder_waits"
            " where customer_id = any($1::text[]) order by customer_id, seq desc",
            agreed,
        )
        for row in rows:
            page = book.agreements[row[0]]
            page.waits, page.last_wait = row[1], Wait(row[2], row[3])

    async def _load_money(self, book: Book) -> None:
        """All that was posted on the accounts since the first agreement about them."""
        rows = await self.conn.fetch(
            """
            select k.customer_id, p.source, p.payment_id, p.account_id, p.currency, p.customer_id, p.amount,
                   p.value_date, p.posted_at, p.channel, p.matched, p.fingerprint, p.reversed_amount, p.last_reversed_at
            from (
                select customer_id, account_id, currency, min(made_at) as since from promises
                where customer_id = any($1::text[]) group by customer_id, account_id, currency
            ) k
            join payments p on p.account_id = k.account_id and p.currency = k.currency and p.posted_at > k.since
            """,
            list(book.agreements),
        )
        for row in rows:
            payment = Payment(*row[1:])
            book.agreements[row[0]].payments[payment.key] = payment

    async def save_agreements(self, conn: Together, changes: Changes) -> None:
        """Add what is to be written to ``conn``."""
        await _PROMISES.write(
            conn,
            (
                (*(getattr(filed.promise, name) for name in _PROMISE_COLUMNS if name != "case_id"), filed.case_id)
                for filed in changes.promises.values()
            ),
        )
        await _WAITS.write(conn, ((customer_id, seq, w.at, w.until) for customer_id, seq, w in changes.waits))

    async def find_promise(self, promise_id: UUID, who: Principal) -> PromiseOnFile | None:
        where = Where().add("promise_id = {}", promise_id).sees_customer("promises.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"{_SELECT_PROMISES} {where}", *where.args)
        return None if row is None else _promise(row)


def _promise(row: Any) -> PromiseOnFile:
    known = dict(zip(_PROMISE_COLUMNS, row, strict=False))
    case_id = known.pop("case_id")
    known["promised_by"] = Promiser(known["promised_by"])
    known["state"] = PromiseState(known["state"])
    return PromiseOnFile(Promise(**known), case_id, row["row_version"])
