"""To tell what happens to one customer, day by day, on the whole suite under the manual clock.

The clock only moves on and many stories share a suite, so a story begins on the evening of whatever day it is, with
customers and accounts of its own.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson

from services.api.dev_issuer import DevIssuer
from services.demo import Driver
from services.embedded import LocalSettings
from services.suite import Suite
from services.together import running
from shared.adapters.clock import read_manual_clock
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.faults.suite_process import free_port
from tests.feeds import CHINA, event, report

FIRST_EVENING = datetime(2026, 4, 20, 18, tzinfo=CHINA)


class Stories:
    """What core banking, the clock, a supervisor and the customers' phones do and see."""

    def __init__(self, suite: Suite, client: httpx.AsyncClient, driver: Driver, issuer: DevIssuer) -> None:
        self.suite = suite
        self._client = client
        self._driver = driver
        self._bank = issuer.make_token(Role.CORE_BANKING)
        self._supervisor = issuer.make_token(Role.SUPERVISOR)
        self._second = issuer.make_token(Role.COMPLIANCE, subject="zhao.min")
        self._numbers = itertools.count(1)

    async def begin(self) -> datetime:
        """The next evening, six o'clock in Shanghai."""
        now = await self.now()
        evening = datetime.combine(now.astimezone(CHINA).date(), time(18), CHINA)
        evening += timedelta(days=1) if evening <= now else timedelta()
        await self.until(evening)
        return evening

    def customer(self, *, mobile_ends: str | None = None, email: bool = True) -> Customer:
        """``mobile_ends``: the sandbox refuses numbers that end in 0001, and does not reach those in 0003."""
        number = next(self._numbers)
        mobile = f"+861381{number:03d}{mobile_ends}" if mobile_ends else f"+8613900{number:03d}777"
        return Customer(self, number, mobile, f"customer{number}@example.com" if email else None)

    async def now(self) -> datetime:
        async with self.suite.pool.acquire() as conn:
            now = await read_manual_clock(conn)
        assert now is not None
        return now

    async def until(self, instant: datetime) -> None:
        await self._driver.drive([], until=instant)

    async def days(self, days: int) -> None:
        await self.until(await self.now() + timedelta(days=days))

    async def quiet(self) -> None:
        await self._driver.quiet()

    async def tell(self, line: bytes) -> str:
        """Core banking says something; the answer, once everything that follows from it has been done."""
        headers = {"authorization": f"Bearer {self._bank}", "content-type": "application/cloudevents+json"}
        answer = await self._client.post("/v1/events", content=line, headers=headers)
        assert answer.status_code == 200, answer.text
        await self._driver.quiet()
        said: str = answer.json()["answer"]
        return said

    async def read(self, path: str, **query: str) -> Any:
        headers = {"authorization": f"Bearer {self._supervisor}"}
        answer = await self._client.get(path, params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def create(self, path: str, body: dict[str, Any]) -> Any:
        headers = {"authorization": f"Bearer {self._supervisor}", "idempotency-key": str(uuid4())}
        answer = await self._client.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        await self._driver.quiet()
        return answer.json()

    async def approve(self, customer_id: str) -> None:
        """A second person says yes to the only thing of the customer that waits for one."""
        (waiting,) = (await self.read("/v1/approvals", state="pending", customer_id=customer_id))["items"]
        decision = {"granted": True, "reason": "fits the assessment"}
        await self.change(f"/v1/approvals/{waiting['approval_id']}/decide", decision, second=True)

    async def change(self, path: str, body: dict[str, Any] | None = None, *, second: bool = False) -> Any:
        headers = {"authorization": f"Bearer {self._second if second else self._supervisor}"}
        tag = (await self._client.get(path.rsplit("/", 1)[0], headers=headers)).headers["etag"]
        answer = await self._client.post(path, json=body, headers={**headers, "if-match": tag})
        assert answer.status_code == 200, answer.text
        await self._driver.quiet()
        return answer.json()

    async def received(self, *addresses: str | None) -> list[dict[str, Any]]:
        log = (await self._client.get(f"{self.suite.sandbox_url}/log", params={"limit": 10_000})).json()["entries"]
        return [entry for entry in log if entry["to"] in addresses]


class Customer:
    """One customer with one card, and what they get to read."""

    def __init__(self, stories: Stories, number: int, mobile: str, email: str | None) -> None:
        self._stories = stories
        self._number = number
        self._sequence = 0
        self.mobile = mobile
        self.email = email
        self.id = f"C{number}"
        self.account = f"A{number}"

    async def owes(self, *dues: tuple[date, int]) -> str:
        """Core banking reports the account with these dues, as of now."""
        now = await self._stories.now()
        self._sequence += 1
        made = orjson.loads(report(self._number, now, list(dues), self._sequence))
        points = [{"kind": "mobile", "value": self.mobile, "source": "contract"}]
        if self.email:
            points.append({"kind": "email", "value": self.email, "source": "contract"})
        made["data"]["customer"]["contact_points"] = points
        return await self._stories.tell(orjson.dumps(made))

    async def promises(self, amount: int, due_on: date) -> str:
        """The path of the promise."""
        body = {"account_id": self.account, "currency": "CNY", "amount": amount, "due_on": due_on.isoformat()}
        made = await self._stories.create("/v1/promises", {"customer_id": self.id, "channel": "phone", **body})
        return f"/v1/promises/{made['promise_id']}"

    async def pays(
        self,
        amount: int,
        payment_id: str = "P",
        *,
        account: str | None = None,
        currency: str = "CNY",
        value_date: date | None = None,
    ) -> str:
        """``value_date`` is today unless the payment is back-dated."""
        now = await self._stories.now()
        data = {
            "payment_id": f"{payment_id}-{self._number}",
            "account_id": account or self.account,
            "amount": amount,
            "currency": currency,
            "value_date": (value_date or now.astimezone(CHINA).date()).isoformat(),
            "posted_at": now.isoformat(),
            "channel": "transfer",
        }
        return await self._stories.tell(event("payment.posted.v1", data["payment_id"], now, data))

    async def payment_bounces(self, amount: int, payment_id: str = "P") -> str:
        now = await self._stories.now()
        data = {
            "reversal_id": f"R-{payment_id}-{self._number}",
            "payment_id": f"{payment_id}-{self._number}",
            "account_id": self.account,
            "amount": amount,
            "currency": "CNY",
            "reason": "insufficient_funds",
            "reversed_at": now.isoformat(),
        }
        return await self._stories.tell(event("payment.reversed.v1", data["reversal_id"], now, data))

    async def is_really(self, other: Customer) -> str:
        now = await self._stories.now()
        data = {"from_customer_id": self.id, "into_customer_id": other.id}
        return await self._stories.tell(event("customer.merged.v1", self.id, now, data))

    async def owes_on(self, account: str, currency: str, due: tuple[date, int]) -> str:
        """Core banking reports another account of theirs."""
        now = await self._stories.now()
        made = orjson.loads(report(self._number, now, [due], 1))
        made["id"] += account
        del made["data"]["customer"]
        made["data"] |= {"account_id": account, "currency": currency, "card_last4": "8888"}
        return await self._stories.tell(orjson.dumps(made))

    async def agrees(self, first_on: date, **more: Any) -> Plan:
        """A plan over what they owe, 10,015.00 in five weekly instalments unless said otherwise; it is in force."""
        asked = {
            "customer_id": self.id,
            "accounts": [{"account_id": self.account, "currency": "CNY"}],
            "kind": "equal",
            "instalments": 5,
            "frequency": "weekly",
            "first_on": first_on.isoformat(),
            "shift": "none",
        } | more
        made = await self._stories.create("/v1/plans", asked)
        if made["state"] == "proposed":
            await self._stories.approve(self.id)
        plan = Plan(self._stories, made["plan_id"])
        today = (await self._stories.now()).astimezone(CHINA).date()
        contents = ["debt", "repayment", "charges", "no_new_card", "duties", "other"]
        signed = {"agreed_on": today.isoformat(), "form": "written", "contents": contents}
        assert (await plan.change("activate", signed))["state"] == "active"
        return plan

    async def prefers(self, from_time: str, to_time: str) -> None:
        hours = {"customer_id": self.id, "kind": "preferred", "from_time": from_time, "to_time": to_time}
        await self._stories.create("/v1/contact-hours", hours)

    async def cases(self) -> list[dict[str, Any]]:
        return list((await self._stories.read("/v1/cases", customer_id=self.id))["items"])

    async def messages(self) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(reversed((await self._stories.read("/v1/messages", customer_id=self.id, limit="200"))["items"]))

    async def follow_ups(self, state: str) -> list[dict[str, Any]]:
        return list(
            (await self._stories.read("/v1/follow-ups", customer_id=self.id, state=state, limit="100"))["items"]
        )

    async def reads(self) -> list[tuple[str, str, str]]:
        """(channel, local date and time, text) of all that reached their phone or mailbox."""
        return [
            (
                entry["channel"],
                f"{datetime.fromisoformat(entry['business_at']).astimezone(CHINA):%m-%d %H:%M}",
                entry["text"],
            )
            for entry in await self._stories.received(self.mobile, self.email)
        ]


class Plan:
    """A repayment plan."""

    def __init__(self, stories: Stories, plan_id: str) -> None:
        self._stories = stories
        self.id = plan_id
        self.path = f"/v1/plans/{plan_id}"

    async def shown(self) -> dict[str, Any]:
        return dict(await self._stories.read(self.path))

    async def change(self, word: str, body: dict[str, Any]) -> dict[str, Any]:
        return dict(await self._stories.change(f"{self.path}/{word}", body))

    async def stands(self) -> tuple[str, list[tuple[str, int, int]]]:
        """Its state, and of each currency how many instalments are covered and what is overdue."""
        shown = await self.shown()
        return shown["state"], [(each["currency"], each["covered"], each["overdue"]) for each in shown["progress"]]


@asynccontextmanager
async def told(home: Path) -> AsyncIterator[Stories]:
    """The whole suite with a sandbox that reports deliveries, its clock on the first evening."""
    settings = LocalSettings(
        home=home, manual_clock=True, api_port=free_port(), sandbox_http_port=0, sandbox_smtp_port=0, durable=False
    )
    async with running(settings) as suite:
        issuer = DevIssuer(home, audience="arrears")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{suite.port}", timeout=60) as client:
            driver = Driver(suite.pool, client, issuer.make_token(Role.CORE_BANKING), wake=suite.wake)
            await driver.drive([], until=FIRST_EVENING.astimezone(UTC))
            yield Stories(suite, client, driver, issuer)
    EmbeddedPostgres(home).destroy()
