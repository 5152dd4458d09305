"""A core-banking system to tell stories with: it sends events and looks at what became of them."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec

from shared.adapters.clock import move_manual_clock
from shared.adapters.crypto import FieldCipher, load_keys
from shared.adapters.normalisation import contact_value
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import Shelf, seed
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.application.facts import InboundEvent, read_event
from shared.application.holds import NewHold, place_hold
from shared.application.intake import ingest
from shared.application.ledger import Verdict
from shared.application.principal import Principal, Role
from shared.domain.hold import HoldKind

NOW = datetime(2026, 6, 30, 4, 0, tzinfo=UTC)  # noon in Shanghai
SOURCE = "/banks/test/core"


def event(kind: str, data: dict[str, Any], *, event_id: str, source: str = SOURCE) -> dict[str, Any]:
    return {"specversion": "1.0", "id": event_id, "source": source, "type": kind, "data": data}


def report(
    account: str = "A1", customer: str = "C1", *, sequence: int = 1, unpaid: int = 50_000, due: str = "2026-06-20",
    currency: str = "CNY", cutoff: str = "2026-06-25T02:00:00+08:00", **more: Any,
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """An account's snapshot; current when ``unpaid`` is 0."""
    dues = [{"due_date": due, "minimum_due": unpaid, "unpaid": unpaid}] if unpaid else []
    return "delinquency.reported.v1", {
        "account_id": account,
        "customer_id": customer,
        "cutoff_at": cutoff,
        "sequence": sequence,
        "currency": currency,
        "product": "card",
        "card_last4": "1234",
        "credit_limit": 1_000_000,
        "balances": {"principal": 400_000, "interest": 1_000, "fees": 0, "penalty": 0},
        "dues": dues,
        **more,
    }


def payment(
    payment_id: str = "P1", account: str = "A1", *, amount: int = 50_000, currency: str = "CNY",
    posted: str = "2026-06-26T10:00:00+08:00",
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    return "payment.posted.v1", {
        "payment_id": payment_id,
        "account_id": account,
        "amount": amount,
        "currency": currency,
        "value_date": posted[:10],
        "posted_at": posted,
        "channel": "transfer",
    }


def reversal(
    reversal_id: str = "R1", payment_id: str = "P1", account: str = "A1", *, amount: int = 50_000,
    currency: str = "CNY", at: str = "2026-06-28T10:00:00+08:00",
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    return "payment.reversed.v1", {
        "reversal_id": reversal_id,
        "payment_id": payment_id,
        "account_id": account,
        "amount": amount,
        "currency": currency,
        "reason": "returned",
        "reversed_at": at,
    }


def closing(account: str = "A1", *, sequence: int = 9, reason: str = "paid", currency: str = "CNY") -> Any:
    data = {"account_id": account, "currency": currency, "sequence": sequence, "reason": reason}
    return "account.closed.v1", data


def charge_off(account: str = "A1", *, amount: int = 401_000, currency: str = "CNY") -> Any:
    at = "2026-06-29T10:00:00+08:00"
    return "account.charged_off.v1", {
        "account_id": account,
        "currency": currency,
        "charged_off_at": at,
        "amount": amount,
    }


def profile(version: int = 1, *, name: str = "王芳", mobile: str = "+8613800000001", **more: Any) -> dict[str, Any]:
    points = [{"kind": "mobile", "value": mobile, "source": "contract"}]
    return {"version": version, "name": name, "time_zone": "Asia/Shanghai", "jurisdiction": "CN",
            "contact_points": points} | more  # fmt: skip


def updated(customer: str = "C1", **about: Any) -> tuple[str, dict[str, Any]]:
    return "customer.updated.v1", {"customer_id": customer, "customer": profile(**about)}


def merged(origin: str, into: str) -> tuple[str, dict[str, Any]]:
    return "customer.merged.v1", {"from_customer_id": origin, "into_customer_id": into}


async def seed_once(conn: Any, at: datetime) -> None:
    """The documents that ship, where the database was not made with them."""
    if not await conn.fetchval("select exists (select from arrears.policies)"):
        await seed(conn, at)


class Bank:
    """``say`` sends facts under fresh event ids; ``send`` sends events as they are."""

    def __init__(self, pool: Pool, work: PostgresUnitOfWork, shelf: Shelf) -> None:
        self.pool = pool
        self.work = work
        self.shelf = shelf
        self.latest = NOW + timedelta(days=1)  # what is told of later is refused
        self._ids = itertools.count(1)

    @classmethod
    async def open(cls, database: Any, home: Any) -> Bank:
        """On a database that holds nothing yet; its business clock stands at ``NOW``."""
        pool = await Pool.open(database.dsn(), size=4)
        async with pool.acquire() as conn:
            await seed_once(conn, NOW)
            await conn.execute("insert into business_clock (id, now) values (1, $1)", NOW)
        shelf = Shelf(pool)
        await shelf.renew()
        cipher = FieldCipher(load_keys(file=None, inline=None, home=home, development=True))
        return cls(pool, PostgresUnitOfWork(pool, cipher, contact_value, manual_clock=True), shelf)

    def made(self, *facts: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        return [event(kind, data, event_id=f"e{next(self._ids)}") for kind, data in facts]

    async def say(self, *facts: tuple[str, dict[str, Any]]) -> list[str]:
        """The answers to facts, sent together."""
        return [verdict.answer.value for verdict in await self.send(self.made(*facts))]

    async def send(self, events: list[dict[str, Any]]) -> list[Verdict]:
        read = [read_event(msgspec.json.encode(each), self.latest) for each in events]
        assert all(isinstance(each, InboundEvent) for each in read), read
        return await ingest(self.work, self.shelf, read)

    async def move(self, to: datetime) -> None:
        """Set the business clock."""
        async with self.pool.acquire() as conn:
            await move_manual_clock(conn, to)

    async def hold(self, account: str | None, until: datetime | None = None, *, customer: str = "C1") -> UUID:
        """A supervisor has an account left in peace, or with None all of the customer."""
        kind = HoldKind.DISPUTE if account else HoldKind.HARDSHIP
        new = NewHold(
            hold_id=uuid4(), customer_id=customer, account_id=account, kind=kind, reason="asked", ends_at=until
        )
        async with self.work() as tx:
            await place_hold(tx, new, Principal("li.na", frozenset({Role.SUPERVISOR})))
        return new.hold_id

    async def rows(self, query: str, *args: Any) -> list[dict[str, Any]]:
        return [dict(row) for row in await self.pool.fetch(query, *args)]

    async def row(self, query: str, *args: Any) -> dict[str, Any]:
        (found,) = await self.rows(query, *args)
        return found

    async def account(self, account_id: str = "A1", currency: str = "CNY") -> dict[str, Any]:
        return await self.row("select * from accounts where account_id = $1 and currency = $2", account_id, currency)

    async def case(self, customer_id: str = "C1") -> dict[str, Any]:
        return await self.row("select * from cases where customer_id = $1", customer_id)

    async def told(self) -> list[str]:
        """The types in the outbox, in their order."""
        return [row["type"] for row in await self.rows("select type from outbox order by seq")]

    async def facts(self) -> Any:
        """All that must not depend on the order in which events came."""
        accounts = await self.rows(
            "select account_id, currency, customer_id, sequence, dues, past_due, oldest_due, status, bucket, estimated"
            " from accounts order by 1, 2"
        )
        money = await self.rows(
            "select payment_id, amount, reversed_amount, matched, customer_id from payments order by source, payment_id"
        )
        back = await self.rows("select reversal_id, amount, applied from reversals order by source, reversal_id")
        open_cases = await self.rows("select customer_id from cases where state = 'open' order by 1")
        return accounts, money, back, open_cases


def on(day: str) -> date:
    return date.fromisoformat(day)
