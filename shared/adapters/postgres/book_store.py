"""Load pages of the book: customers, accounts, cases and the money that moved since a cut-off."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.session import Session
from shared.application.book import (
    Book,
    CustomerPage,
    Payment,
    PaymentKey,
    Reversal,
    WaitingFact,
)
from shared.application.facts import fact_json
from shared.domain.account import Account, AccountStatus, Balances, Due, Standing
from shared.domain.case import Case, CaseStanding, CaseState
from shared.domain.hold import STOPPING, Hold, HoldKind

_CUSTOMER = "customer_id, core_version, language, time_zone, jurisdiction, segment, merged_into, cases_opened"
_PAYMENT = """p.source, p.payment_id, p.account_id, p.currency, p.customer_id, p.amount, p.value_date, p.posted_at,
    p.channel, p.matched, p.fingerprint, p.reversed_amount, p.last_reversed_at"""
_REVERSAL = """r.source, r.reversal_id, r.payment_id, r.account_id, r.currency, r.amount, r.reason, r.reversed_at,
    r.applied, r.fingerprint"""


class BookTables(Session):
    async def owners(self, account_ids: Iterable[str]) -> dict[str, str]:
        rows = await self.conn.fetch(
            "select distinct account_id, customer_id from accounts"
            " where account_id = any((select string_to_array($1, chr(10)))::text[])",
            as_lines(account_ids),
        )
        return {row[0]: row[1] for row in rows}

    async def owners_and_mergers(
        self, account_ids: Iterable[str], customer_ids: Iterable[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        rows = await self.conn.fetch(
            """
            with recursive owned as (
                select distinct account_id, customer_id from accounts
                where account_id = any((select string_to_array($1, chr(10)))::text[])
            ), chain as (
                select c.customer_id, c.merged_into
                from (
                    select unnest(string_to_array($2, chr(10))) as customer_id union select customer_id from owned
                ) named
                join customers c using (customer_id)
                where c.merged_into is not null
                union
                select c.customer_id, c.merged_into from customers c join chain on c.customer_id = chain.merged_into
                where c.merged_into is not null
            )
            select true, account_id, customer_id from owned
            union all
            select false, customer_id, merged_into from chain
            """,
            as_lines(account_ids),
            as_lines(customer_ids),
        )
        owners = {row[1]: row[2] for row in rows if row[0]}
        return owners, {row[1]: row[2] for row in rows if not row[0]}

    async def lock_customers(self, book: Book, customer_ids: Iterable[str], *, create: bool = False) -> None:
        ids = sorted(set(customer_ids))
        if not ids:
            return
        for row in await self._lock(ids):
            book.customers[row[0]] = CustomerPage(*row)
        if create:
            unknown = {key: CustomerPage.unknown(key) for key in ids if key not in book.customers}
            book.customers |= unknown
            book.changes.new_customers |= unknown

    async def _lock(self, ids: list[str]) -> Sequence[Any]:
        rows: Sequence[Any] = await self.conn.fetch(
            f"select {_CUSTOMER} from customers where customer_id = any((select string_to_array($1, chr(10)))::text[])"  # noqa: S608 - constants only
            " order by customer_id for no key update",
            as_lines(ids),
        )
        return rows

    async def lock_unreported(self, account_ids: Iterable[str]) -> None:
        ids = sorted(set(account_ids))
        if ids:
            await self.conn.execute(
                "select pg_advisory_xact_lock(hashtextextended(id, 7)) from unnest(string_to_array($1, chr(10))) as id",
                as_lines(ids),
            )

    async def load_cases(self, book: Book) -> None:
        had_one = [page.customer_id for page in book.customers.values() if page.cases_opened]
        if not had_one:
            return
        rows = await self.conn.fetch(
            """
            select c.case_id, c.customer_id, c.ordinal, c.state, c.bucket, c.policy_version, c.opened_at, c.reopened_at,
                   c.reopenings, c.ended_at, c.end_reason, s.seq, s.at, s.anchor, s.past_due, s.segment, s.zone,
                   s.held
            from unnest(string_to_array($1, chr(10))) as k(customer_id)
            cross join lateral (
                select * from cases where cases.customer_id = k.customer_id order by ordinal desc limit 1
            ) c
            left join lateral (
                select * from case_standings where case_standings.case_id = c.case_id order by seq desc limit 1
            ) s on true
            """,
            as_lines(had_one),
        )
        for row in rows:
            page = book.customers[row[1]]
            page.case = Case(row[0], row[1], row[2], CaseState(row[3]), *row[4:11])
            if row[11] is not None:
                page.standings = row[11]
                page.last_standing = CaseStanding(*(*row[12:17], tuple(row[17] or ())))

    async def load_accounts(self, book: Book) -> None:
        known = book.known_customers()
        if not known:
            return
        rows = await self.conn.fetch(
            """
            select account_id, currency, customer_id, product, card_last4, credit_limit, sequence, cutoff_at, principal,
                   interest, fees, penalty, reported_dues, dues, past_due, oldest_due, estimated, paid_since, status,
                   closed_reason, closed_sequence, charged_off_at, charged_off_amount, bucket, bucket_since
            from accounts where customer_id = any((select string_to_array($1, chr(10)))::text[])
            """,
            as_lines(known),
        )
        for row in rows:
            account = read_account(row)
            book.accounts_of(account.customer_id)[account.key] = account
        await self._load_held(book, known)

    async def _load_held(self, book: Book, known: Collection[str]) -> None:
        rows = await self.conn.fetch(
            """
            select hold_id::text, customer_id, account_id, kind, reason, placed_at, ends_at, released_at, noted
            from holds
            where customer_id = any((select string_to_array($1, chr(10)))::text[]) and account_id is not null
              and kind = any($2::text[])
            """,
            as_lines(known),
            STOPPING,
        )
        book.held = {}
        for row in rows:
            book.held.setdefault(row[2], []).append(Hold(*(*row[:3], HoldKind(row[3]), *row[4:])))

    async def load_movements(
        self, book: Book, unreported: Iterable[str], reported: Mapping[tuple[str, str], datetime]
    ) -> None:
        loaded = [account for accounts in book.accounts.values() for account in accounts.values()]
        known = {account.account_id for account in loaded}
        new = [account_id for account_id in unreported if account_id not in known]
        if not (loaded or new):
            return
        asked = (
            as_lines([account.account_id for account in loaded]),
            as_lines([account.currency for account in loaded]),
            [min(account.cutoff_at, reported.get(account.key, account.cutoff_at)) for account in loaded],
            as_lines([*new, *known]),
        )
        # Other currencies of known accounts, and accounts never reported: all their payments wait, unmatched.
        payments = await self.conn.fetch(
            f"""
            select {_PAYMENT}
            from unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)), $3::timestamptz[])
              as k(account_id, currency, cutoff)
            join payments p on p.account_id = k.account_id and p.currency = k.currency and p.posted_at > k.cutoff
            union all
            select {_PAYMENT} from payments p
            where p.account_id = any((select string_to_array($4, chr(10)))::text[]) and not p.matched
            """,  # noqa: S608 - constants only
            *asked,
        )
        _add_payments(book, payments)
        reversals = await self.conn.fetch(
            """
            select r.account_id, r.currency, r.reversed_at, p.posted_at, r.amount
            from unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)), $3::timestamptz[])
              as k(account_id, currency, cutoff)
            join reversals r on r.account_id = k.account_id and r.currency = k.currency and r.applied
            join payments p on p.source = r.source and p.payment_id = r.payment_id
            where r.reversed_at > k.cutoff or p.posted_at > k.cutoff
            union all
            select r.account_id, r.currency, r.reversed_at, p.posted_at, r.amount
            from reversals r join payments p on p.source = r.source and p.payment_id = r.payment_id
            where r.account_id = any((select string_to_array($4, chr(10)))::text[]) and r.applied and not p.matched
            """,
            *asked,
        )
        _add_reversals(book, reversals)

    async def payments(self, keys: Sequence[PaymentKey]) -> dict[PaymentKey, Payment]:
        rows = await self.conn.fetch(
            f"""
            select {_PAYMENT} from unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)))
              as k(source, payment_id)
            join payments p on p.source = k.source and p.payment_id = k.payment_id
            """,  # noqa: S608 - constants only
            as_lines([key[0] for key in keys]),
            as_lines([key[1] for key in keys]),
        )
        return {(row[0], row[1]): Payment(*row) for row in rows}

    async def reversals(
        self, keys: Sequence[tuple[str, str]], of_payments: Sequence[PaymentKey]
    ) -> dict[tuple[str, str], Reversal]:
        rows = await self.conn.fetch(
            f"""
            select {_REVERSAL} from unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)))
              as k(source, reversal_id)
            join reversals r on r.source = k.source and r.reversal_id = k.reversal_id
            union
            select {_REVERSAL} from unnest(string_to_array($3, chr(10)), string_to_array($4, chr(10)))
              as k(source, payment_id)
            join reversals r on r.source = k.source and r.payment_id = k.payment_id
            """,  # noqa: S608 - constants only
            as_lines([key[0] for key in keys]),
            as_lines([key[1] for key in keys]),
            as_lines([key[0] for key in of_payments]),
            as_lines([key[1] for key in of_payments]),
        )
        return {(row[0], row[1]): Reversal(*row) for row in rows}

    async def snapshots(self, keys: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]:
        rows = await self.conn.fetch(
            """
            select s.account_id, s.currency, s.sequence, s.fingerprint
            from unnest(string_to_array($1, chr(10)), string_to_array($2, chr(10)), $3::bigint[])
              as k(account_id, currency, sequence)
            join snapshots s using (account_id, currency, sequence)
            """,
            as_lines([key[0] for key in keys]),
            as_lines([key[1] for key in keys]),
            [key[2] for key in keys],
        )
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    async def waiting_facts(self, account_ids: Iterable[str]) -> list[WaitingFact]:
        rows = await self.conn.fetch(
            """
            select source, id, account_id, currency, type, data from waiting_facts
            where account_id = any((select string_to_array($1, chr(10)))::text[]) and not applied
            order by received_at, source, id
            """,
            as_lines(account_ids),
        )
        return [WaitingFact(*(*row[:5], fact_json(row[5]))) for row in rows]


def _add_payments(book: Book, rows: Iterable[Any]) -> None:
    for row in rows:
        payment = Payment(*row)
        movements = book.movements_of((payment.account_id, payment.currency))
        movements.payments.setdefault(payment.key, payment)


def _add_reversals(book: Book, rows: Iterable[Any]) -> None:
    for row in rows:
        book.movements_of((row[0], row[1])).reversals.append((row[2], row[3], row[4]))


def read_account(row: Any) -> Account:
    """An account from its row, columns in the order of ``load_accounts``."""
    standing = Standing(read_dues(row[13]), row[14], row[15], row[16])
    parts = (Balances(*row[8:12]), read_dues(row[12]), standing, row[17], AccountStatus(row[18]))
    return Account(*(*row[:8], *parts, *row[19:25]))


def read_dues(stored: list[list[Any]]) -> tuple[Due, ...]:
    return tuple(Due(date.fromisoformat(due[0]), due[1], due[2]) for due in stored)


def write_dues(dues: Sequence[Due]) -> list[list[Any]]:
    return [[due.due_date.isoformat(), due.minimum_due, due.unpaid] for due in dues]
