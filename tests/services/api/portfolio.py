"""A few customers as core banking would report them, taken through intake, planner and sender of the product."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI

from services.api.app import create_app
from services.api.deps import ApiDeps, make_deps
from services.api.dev_issuer import DevIssuer
from services.api.settings import ApiSettings
from shared.adapters.clock import move_manual_clock
from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.postgres.pool import Pool
from shared.adapters.rendering import Renderer
from shared.adapters.wording import TemplateWording
from shared.application.book import Book
from shared.application.facts import read_fact
from shared.application.intake import ingest
from shared.application.pipeline import OurEvent
from shared.application.planning import Planner
from shared.application.reminding import Reminding
from shared.application.sending import Marked, Sender
from shared.application.settling import Settlement, settle
from shared.domain.message import AttemptState
from tests.application.bank import seed_once
from tests.services.framing import client_of

SOURCE = "/core-banking"
MORNING = datetime(2026, 11, 9, 2, 0, tzinfo=UTC)  # ten o'clock in Shanghai, a Monday


def wang(customer_id: str = "C-1", name: str = "王小明", mobile: str = "13812340001") -> dict[str, Any]:
    return {
        "version": 1,
        "name": name,
        "language": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "jurisdiction": "CN",
        "segment": "standard",
        "contact_points": [
            {"kind": "mobile", "value": mobile, "source": "contract"},
            {"kind": "email", "value": f"{customer_id.lower()}@example.com", "source": "contract"},
        ],
    }


@dataclass
class Portfolio:
    """The product on one database, with its clock in hand."""

    deps: ApiDeps
    app: FastAPI
    issuer: DevIssuer
    now: datetime = MORNING
    _numbers: int = 0
    _sequences: dict[str, int] = field(default_factory=dict)

    def as_(self, *roles, subject=None, teams=()):
        """A client of the API with these roles."""
        return client_of(self.app, self.issuer.make_token(*roles, subject=subject, teams=teams))

    async def move_to(self, now: datetime) -> None:
        self.now = now
        async with self.deps.pool.acquire() as connection:
            await move_manual_clock(connection, now)

    async def tell(self, kind: str, data: dict[str, Any], *, source: str = SOURCE) -> str:
        """One event of core banking; its answer."""
        self._numbers += 1
        fact = read_fact(source, f"e-{self._numbers}", kind, orjson.dumps(data), self.now)
        (verdict,) = await ingest(self.deps.work, self.deps.shelf, [fact])
        return verdict.answer.value

    async def overdue(
        self,
        customer_id: str = "C-1",
        account_id: str = "A-1",
        *,
        unpaid: int = 80_000,
        due: date = date(2026, 11, 1),
        customer: dict[str, Any] | None = None,
        **changes: Any,
    ) -> str:
        """A report of an account with one due; its answer."""
        sequence = changes.pop("sequence", self._sequences.get(account_id, 0) + 1)
        self._sequences[account_id] = max(sequence, self._sequences.get(account_id, 0))
        report = {
            "account_id": account_id,
            "customer_id": customer_id,
            "cutoff_at": (self.now - timedelta(hours=2)).isoformat(),
            "sequence": sequence,
            "currency": "CNY",
            "product": "gold",
            "card_last4": "1234",
            "credit_limit": 5_000_000,
            "balances": {"principal": 1_200_000, "interest": 4_200, "fees": 0, "penalty": 1_000},
            "dues": [{"due_date": due.isoformat(), "minimum_due": 100_000, "unpaid": unpaid}] if unpaid else [],
            "customer": customer or wang(customer_id),
        } | changes
        return await self.tell("delinquency.reported.v1", report)

    async def pay(self, amount: int, account_id: str = "A-1", *, payment_id: str = "P-1", source: str = SOURCE) -> str:
        payment = {
            "payment_id": payment_id,
            "account_id": account_id,
            "amount": amount,
            "currency": "CNY",
            "value_date": self.now.date().isoformat(),
            "posted_at": (self.now - timedelta(minutes=1)).isoformat(),
            "channel": "app",
        }
        return await self.tell("payment.posted.v1", payment, source=source)

    async def case_of(self, customer_id: str = "C-1") -> str:
        found = await self.deps.pool.fetchval(
            "select case_id from cases where customer_id = $1 order by ordinal desc limit 1", customer_id
        )
        return str(found)

    async def assign(self, case_id: str, *, owner: str | None = None, team: str | None = None) -> None:
        await self.deps.pool.execute(
            "update cases set owner = $2, team = $3, row_version = row_version + 1 where case_id = $1",
            case_id,
            owner,
            team,
        )

    async def plan(self, *customer_ids: str) -> None:
        async with self.deps.work() as tx:
            book = Book(tx.now)
            await tx.lock_customers(book, customer_ids or ("C-1",))
            await Planner(self.deps.shelf).replan_locked(tx, book)

    async def remind(self, *, told: AttemptState | None = AttemptState.ACCEPTED) -> list[Marked]:
        """Take up the reminders that are due and mark them; the provider says ``told``, or nothing at all."""
        rows = await self.deps.pool.fetch(
            "select id, type, aggregatetype, aggregateid, at, payload from outbox"
            " where type = 'arrears.reminder.due.v1' and sent_at is null order by seq"
        )
        async with self.deps.work() as tx:
            book = Book(tx.now)
            await Reminding(self.deps.shelf).take_up_reminders(
                tx, book, [OurEvent(str(r[0]), *r[1:], bytes) for r in rows]
            )
        marked, _ = await self._sender().mark(100)
        if told is not None:
            async with self.deps.work() as tx:
                book = Book(tx.now)
                await tx.lock_customers(book, {one.customer_id for one in marked})
                await settle(tx, book, [Settlement(one.attempt_id, told) for one in marked])
                await tx.save(book.changes)
        return marked

    def _sender(self) -> Sender:
        return Sender(
            self.deps.work,
            self.deps.shelf,
            TemplateWording(self.deps.shelf, Renderer(), bank="示范银行", hotline="400-600-8000"),
            self.deps.gateways,
            holder="test",
            fence=1,
            monotonic=lambda: 0.0,
            business_now=lambda: self.now,
        )


async def open_portfolio(dsn: str, home: Path) -> Portfolio:
    """The API on an empty database with the shipped policy, templates and rules; the clock stands at ``MORNING``."""
    pool = await Pool.open(dsn, size=4)
    settings = ApiSettings(environment="development", home=home, manual_clock=True)
    gateways = build_gateways(GatewaySettings())
    deps = make_deps(settings, pool, gateways=gateways)
    async with pool.acquire() as connection:
        await seed_once(connection, MORNING - timedelta(days=1))
        await move_manual_clock(connection, MORNING)
    await deps.shelf.renew()
    return Portfolio(deps, create_app(deps), DevIssuer(home, audience="arrears"))


async def close_portfolio(portfolio: Portfolio) -> None:
    for gateway in portfolio.deps.gateways.values():
        await gateway.aclose()
    await portfolio.deps.pool.close()
