"""What customers agreed to: loaded into the book, and written with its changes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.adapters.postgres.assessment_store import AssessmentTables
from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.plan_document import decode_plan, decode_settlement, encode_plan, encode_settlement
from shared.adapters.postgres.rows import Rows, Together, set_all
from shared.adapters.postgres.scoping import scope_of
from shared.adapters.postgres.views.clauses import Where
from shared.adapters.postgres.views.statements import load_told
from shared.adapters.postgres.waiver_store import WaiverTables
from shared.application.book import (
    AccountKey,
    Agreements,
    Book,
    Changes,
    Payment,
    PlanHold,
    PlanOnFile,
    PromiseOnFile,
    SettlementOnFile,
)
from shared.application.principal import Principal
from shared.domain.hold import HoldKind
from shared.domain.plan import Plan
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


_PLANS = Rows(
    "arrears.plans",
    {
        "plan_id": "uuid",
        "customer_id": "text",
        "case_id": "uuid",
        "kind": "text",
        "state": "text",
        "proposed_at": "timestamptz",
        "looked_on": "date",
        "held": "int",
        "holding": "boolean",
        "document": "jsonb",
    },
    "on conflict (plan_id) do update set "
    + set_all("customer_id", "state", "looked_on", "held", "holding", "document")
    + ", row_version = plans.row_version + 1",
)
_SETTLEMENTS = Rows(
    "arrears.settlements",
    {
        "settlement_id": "uuid",
        "customer_id": "text",
        "case_id": "uuid",
        "currency": "text",
        "instrument": "text",
        "state": "text",
        "owed": "bigint",
        "pays": "bigint",
        "received": "bigint",
        "valid_until": "date",
        "reckoned_at": "timestamptz",
        "proposed_at": "timestamptz",
        "looked_on": "date",
        "held": "int",
        "holding": "boolean",
        "document": "jsonb",
    },
    "on conflict (settlement_id) do update set "
    + set_all("customer_id", "state", "received", "looked_on", "held", "holding", "document")
    + ", row_version = settlements.row_version + 1",
)
_INSTALMENTS = Rows(
    "arrears.instalments",
    {
        "plan_id": "uuid",
        "currency": "text",
        "number": "int",
        "due_on": "date",
        "amount": "bigint",
        "principal": "bigint",
        "interest": "bigint",
        "fee": "bigint",
    },
    "on conflict (plan_id, currency, number) do update set due_on = excluded.due_on"
    " where instalments.due_on <> excluded.due_on",
)
_HOLDS = Rows(
    "arrears.holds",
    {
        "hold_id": "uuid",
        "customer_id": "text",
        "account_id": "text",
        "kind": "text",
        "reason": "text",
        "origin": "text",
        "placed_at": "timestamptz",
        "released_at": "timestamptz",
        "released_by": "text",
        "placed_by": "text",
    },
    "on conflict (hold_id) do update set "
    + set_all("customer_id", "released_at", "released_by")
    + ", row_version = holds.row_version + 1",
)
_SELECT_SETTLEMENTS = "select document, customer_id, case_id, looked_on, held, holding, row_version from settlements"
_SELECT_PLANS = "select document, customer_id, case_id, looked_on, held, holding, row_version from plans"


class AgreementTables(WaiverTables, AssessmentTables):
    async def load_agreements(self, book: Book) -> None:
        rows = await self.conn.fetch(
            """
            with asked as materialized (select unnest(string_to_array($1, chr(10))) as customer_id)
            select customer_id from promises join asked using (customer_id)
            union select customer_id from plans join asked using (customer_id)
            union select customer_id from settlements join asked using (customer_id)
            union select customer_id from waivers join asked using (customer_id)
            union select customer_id from ladder_waits join asked using (customer_id)
            """,
            as_lines(book.customers),
        )
        agreed = [row[0] for row in rows]
        if not agreed:
            return
        for customer_id in sorted(agreed):
            book.agreements[customer_id] = Agreements()
        for row in await self.conn.fetch(f"{_SELECT_PROMISES} where customer_id = any($1::text[])", agreed):
            filed = _promise(row)
            book.agreements[filed.customer_id].promises[filed.promise.promise_id] = filed
        for row in await self.conn.fetch(f"{_SELECT_PLANS} where customer_id = any($1::text[])", agreed):
            plan = _plan(row)
            book.agreements[plan.customer_id].plans[plan.plan.plan_id] = plan
        for row in await self.conn.fetch(f"{_SELECT_SETTLEMENTS} where customer_id = any($1::text[])", agreed):
            settled = _settlement(row)
            book.agreements[settled.customer_id].settlements[settled.settlement.settlement_id] = settled
        await self.load_waivers(book, agreed)
        await self._load_waits(book, agreed)
        await self._load_money(book)

    async def load_told(self, book: Book) -> None:
        book.told.update(await load_told(self.conn, list(book.customers)))

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
        since = [
            (customer_id, *account, instant)
            for customer_id, page in book.agreements.items()
            for account, instant in _since(page).items()
        ]
        rows = await self.conn.fetch(
            """
            select k.customer_id, p.source, p.payment_id, p.account_id, p.currency, p.customer_id, p.amount,
                   p.value_date, p.posted_at, p.channel, p.matched, p.fingerprint, p.reversed_amount, p.last_reversed_at
            from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
                as k(customer_id, account_id, currency, since)
            join payments p on p.account_id = k.account_id and p.currency = k.currency and p.posted_at > k.since
            """,
            *([row[place] for row in since] for place in range(4)),
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
        await _PLANS.write(conn, (_plan_row(filed, self.now) for filed in changes.plans.values()))
        await _SETTLEMENTS.write(conn, (_settlement_row(filed, self.now) for filed in changes.settlements.values()))
        await self.save_waivers(conn, changes)
        if changes.moved_requests:
            await conn.execute(
                "update arrears.approvals set customer_id = m.customer_id"
                " from unnest($1::text[], $2::text[]) as m(subject_id, customer_id)"
                " where approvals.subject_id = m.subject_id",
                [str(each) for each in changes.moved_requests],
                list(changes.moved_requests.values()),
            )
        await _INSTALMENTS.write(
            conn, (row for filed in changes.plans.values() for row in _instalment_rows(filed.plan))
        )
        await _HOLDS.write(conn, (self._hold_row(hold) for hold in changes.plan_holds.values()))
        await _WAITS.write(conn, ((customer_id, seq, w.at, w.until) for customer_id, seq, w in changes.waits))

    def _hold_row(self, hold: PlanHold) -> tuple[Any, ...]:
        ended = (None, None) if hold.placed else (self.now, hold.noun)
        about = (hold.hold_id, hold.customer_id, hold.account_id, HoldKind.PLAN.value, hold.noun, str(hold.origin))
        return (*about, self.now, *ended, hold.noun)

    async def find_plan(self, plan_id: UUID, who: Principal) -> PlanOnFile | None:
        where = Where().add("plan_id = {}", plan_id).sees_customer("plans.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"{_SELECT_PLANS} {where}", *where.args)
        return None if row is None else _plan(row)

    async def find_settlement(self, settlement_id: UUID, who: Principal) -> SettlementOnFile | None:
        where = Where().add("settlement_id = {}", settlement_id).sees_customer("settlements.customer_id", scope_of(who))
        row = await self.conn.fetchrow(f"{_SELECT_SETTLEMENTS} {where}", *where.args)
        return None if row is None else _settlement(row)

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


def _plan(row: Any) -> PlanOnFile:
    plan = decode_plan({**row["document"], "customer_id": row["customer_id"]})
    return PlanOnFile(plan, *row[2:7])


def _plan_row(filed: PlanOnFile, now: datetime) -> tuple[Any, ...]:
    plan = filed.plan
    found_by = (plan.plan_id, plan.customer_id, filed.case_id, plan.kind.value, plan.state.value, now)
    return (*found_by, filed.looked_on, filed.held, filed.holding, encode_plan(plan))


def _settlement(row: Any) -> SettlementOnFile:
    settlement = decode_settlement({**row["document"], "customer_id": row["customer_id"]})
    return SettlementOnFile(settlement, *row[2:7])


def _settlement_row(filed: SettlementOnFile, now: datetime) -> tuple[Any, ...]:
    each = filed.settlement
    return (
        *(each.settlement_id, each.customer_id, filed.case_id, each.currency, each.instrument.value, each.state.value),
        *(each.owed, each.pays, each.received, each.valid_until, each.reckoned_at, now),
        *(filed.looked_on, filed.held, filed.holding, encode_settlement(each)),
    )


def _instalment_rows(plan: Plan) -> Iterator[tuple[Any, ...]]:
    for schedule in plan.schedules:
        for i in schedule.instalments:
            yield (plan.plan_id, schedule.currency, i.number, i.due_on, i.amount, i.principal, i.interest, i.fee)


def _since(page: Agreements) -> dict[AccountKey, datetime]:
    """Per account the instant after which money may count for something that was agreed."""
    found: dict[AccountKey, datetime] = {}
    begun = [(filed.promise.account, filed.promise.made_at) for filed in page.promises.values()]
    begun += [(account, f.plan.reckoned_at) for f in page.plans.values() for account in f.plan.accounts]
    begun += [
        (account, f.settlement.reckoned_at) for f in page.settlements.values() for account in f.settlement.accounts
    ]
    for account, instant in begun:
        found[account] = min(instant, found.get(account, instant))
    return found
