"""The notifier's sending half on a real database against a real sandbox, driven by hand, one step at a time."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from services.notifier.sender import SenderLoop
from shared.adapters.clock import BusinessClock, move_manual_clock
from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.postgres import workers
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.adapters.rendering import Renderer
from shared.adapters.wording import TemplateWording
from shared.application.doubts import ask_providers, expire_leases
from shared.application.gateway import Gateway
from shared.application.reminding import NewMessage
from shared.application.sending import LEASE, Sender
from tests.application.bank import Bank, profile, report
from tests.conftest import Database
from tests.services.sandbox.running import Running, running_sandbox

PATIENCE = timedelta(seconds=20)  # for an answer that comes; the sandbox has to see its log on the disk first


@dataclass
class Outbound:
    bank: Bank
    work: PostgresUnitOfWork
    sandbox: Running
    gateways: dict[str, Gateway]
    clock: BusinessClock
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def sender(
        self,
        holder: str = "sender-1",
        *,
        fence: int = 1,
        lease: timedelta = LEASE,
        monotonic: Callable[[], float] = lambda: 0.0,
        ask_first: bool = False,
    ) -> Sender:
        """Its send window stays open however slow the machine is, unless ``monotonic`` says otherwise."""
        wording = TemplateWording(self.bank.shelf, Renderer(), bank="示范银行", hotline="400-600-8000")
        return Sender(
            self.work,
            self.bank.shelf,
            wording,
            self.gateways,
            holder=holder,
            fence=fence,
            monotonic=monotonic,
            business_now=self.clock.now,
            lease=lease,
            ask_first=lambda: ask_first,
        )

    def loop(
        self, holder: str = "sender-1", *, fence: int = 1, batch: int = 400, ask_first: bool = False
    ) -> SenderLoop:
        return SenderLoop(self.sender(holder, fence=fence, ask_first=ask_first), self.gateways, batch=batch)

    async def overdue(self, *customers: str, email: str | None = None) -> None:
        """Customers with an open case and a number of their own."""
        for customer in customers:
            number = f"+861380012{1000 + next(self._numbers):04d}"
            points = [{"kind": "mobile", "value": number, "source": "contract"}]
            if email:
                points.append({"kind": "email", "value": email, "source": "contract"})
            kind, data = report(f"A-{customer}", customer)
            data["customer"] = profile(contact_points=points)
            assert await self.bank.say((kind, data)) == ["accepted"]

    async def plan(
        self, customer: str = "C1", *, channels: Sequence[str] = ("sms",), template: str = "overdue-first"
    ) -> UUID:
        """A reminder about the customer's open case, due now."""
        case_id = (await self.bank.case(customer))["case_id"]
        return await self._add(customer, case_id, "dunning", template, channels)

    async def plan_answer(self, customer: str = "C1") -> UUID:
        """A message that is no reminder: no case makes it moot."""
        return await self._add(customer, None, "answer", "complaint-received", ("sms",))

    async def _add(
        self, customer: str, case_id: UUID | None, purpose: str, template: str, channels: Sequence[str]
    ) -> UUID:
        number, key = next(self._numbers), uuid4()
        message = NewMessage(
            message_id=str(key),
            customer_id=customer,
            case_id=None if case_id is None else str(case_id),
            follow_up_id=None,
            about=f"test/{number}",
            step=f"step-{number}",
            anchor=date(2026, 6, 20),
            policy_version=1,
            purpose=purpose,
            template=template,
            channels=tuple(channels),
        )
        async with self.work() as tx:
            await tx.add_messages([message])
        return key

    async def move_clock(self, to: datetime) -> None:
        async with self.bank.pool.acquire() as conn:
            await move_manual_clock(conn, to)
        async with self.work():
            pass  # the process has seen the new instant

    async def wait_for_answers(self, seconds: float) -> None:
        """From now on gateways wait so long; for tests in which a provider does not answer."""
        await self.close()
        self.gateways.update(_gateways(self.sandbox, self.clock, timedelta(seconds=seconds)))

    async def close(self) -> None:
        for gateway in self.gateways.values():
            await gateway.aclose()

    async def resolve(self) -> int:
        """One round of the doubt watch, with every provider's turn come again."""
        async with self.bank.pool.acquire() as conn:
            await conn.execute("update attempts set asked_at = null, marked_real = marked_real - interval '10 seconds'")
        await expire_leases(self.work)
        return await ask_providers(self.work, self.gateways)

    async def register(self, holder: str) -> None:
        async with self.bank.pool.acquire() as conn:
            await workers.register(conn, holder, "local")

    async def bury(self, holder: str) -> None:
        """It is known that the process died."""
        async with self.bank.pool.acquire() as conn:
            await workers.leave(conn, holder)

    async def message(self, key: UUID) -> dict[str, Any]:
        return await self.bank.row("select * from messages where message_id = $1", key)

    async def attempts(self, key: UUID) -> list[str]:
        rows = await self.bank.rows("select state from attempts where message_id = $1 order by marked_real", key)
        return [row["state"] for row in rows]

    async def contacts(self) -> list[str]:
        return [row["state"] for row in await self.bank.rows("select state from contact_ledger order by state")]

    async def received(self) -> list[dict[str, Any]]:
        return await self.sandbox.log()


@asynccontextmanager
async def an_outbound(database: Database, home: Path) -> AsyncIterator[Outbound]:
    bank = await Bank.open(database, home)
    clock = BusinessClock(manual=True)
    async with running_sandbox(home / "sandbox") as sandbox:
        gateways = _gateways(sandbox, clock, PATIENCE)
        outbound = Outbound(bank, bank.work.on(bank.pool, observe=clock.observe), sandbox, gateways, clock)
        await outbound.register("sender-1")
        yield outbound
        await outbound.close()
    await bank.pool.close()


def _gateways(sandbox: Running, clock: BusinessClock, patience: timedelta) -> dict[str, Gateway]:
    settings = GatewaySettings(
        sms_url=sandbox.url,
        smtp_port=sandbox.smtp_port,
        sms_query_delay=timedelta(0),
        sms_connect_timeout=PATIENCE,
        smtp_connect_timeout=PATIENCE,
        sms_answer_timeout=patience,
        smtp_answer_timeout=patience,
    )
    return build_gateways(settings, clock.business_time)
