"""Every type of event we announce, announced: by facts, by the clock and by people, and each as the table says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import jsonschema_rs
import orjson

from services.api.dev_issuer import DevIssuer
from services.demo import Driver, Instant
from services.embedded import LocalSettings
from services.together import running
from shared.adapters.asyncapi import data_schema
from shared.application.principal import Role
from shared.domain.event_types import EVENT_TYPES
from tests.feeds import event, payment, report, three_months

CUSTOMERS = 12
AFTER = datetime(2026, 7, 1, 2, tzinfo=UTC)


def about_c1(kind: str, data: dict[str, Any]) -> bytes:
    return event(kind, kind, AFTER, {"account_id": "A1", "currency": "CNY", **data})


def later_facts() -> Instant:
    """A payment and its reversal, a charge-off, a closing, a merger; and one who can be reached by no means; a debt
    of long ago."""
    unreachable = orjson.loads(report(99, AFTER, [(AFTER.date() - timedelta(days=5), 50_000)], 1))
    unreachable["data"]["customer"]["contact_points"] = [
        {"kind": "mobile", "value": "+8613800000001", "source": "contract"},
        {"kind": "email", "value": "bounce@example.com", "source": "contract"},
    ]
    reversal = {
        "reversal_id": "R1",
        "payment_id": f"P1-{AFTER:%Y%m%d}",
        "amount": 500,
        "reason": "returned",
        "reversed_at": AFTER.isoformat(),
    }
    lines = (
        payment(1, AFTER, 1000),
        about_c1("payment.reversed.v1", reversal),
        about_c1("account.charged_off.v1", {"charged_off_at": AFTER.isoformat(), "amount": 1_000_000}),
        event(
            "account.closed.v1", "2", AFTER, {"account_id": "A2", "currency": "CNY", "sequence": 900, "reason": "sold"}
        ),
        event("customer.merged.v1", "3", AFTER, {"from_customer_id": "C3", "into_customer_id": "C4"}),
        orjson.dumps(unreachable),
        report(98, AFTER, [(AFTER.date() - timedelta(days=950), 50_000)], 1),
    )
    return Instant(AFTER, lines)


class Desk:
    """People at work: every call is a supervisor's, on the newest version of what it changes."""

    def __init__(self, client: httpx.AsyncClient, token: Callable[[str], str]) -> None:
        self._client = client
        self._token = token

    async def read(self, path: str, **query: str) -> Any:
        answer = await self._client.get(path, params=query, headers=self._as("supervisor"))
        answer.raise_for_status()
        return answer.json()

    async def create(self, path: str, body: Mapping[str, Any], *, subject: str = "supervisor") -> Any:
        headers = {**self._as(subject), "idempotency-key": str(uuid4())}
        answer = await self._client.post(path, json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def change(
        self, path: str, body: Mapping[str, Any] | None = None, *, method: str = "POST", subject: str = "supervisor"
    ) -> Any:
        noun = path.rsplit("/", 1)[0] if method == "POST" else path.removesuffix("/assignment")
        tag = (await self._client.get(noun, headers=self._as("supervisor"))).headers["etag"]
        headers = {**self._as(subject), "if-match": tag}
        answer = await self._client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _as(self, subject: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token(subject)}"}


async def work_through(desk: Desk, now: datetime) -> None:
    item = (await desk.read("/v1/worklists", state="open", kind="call"))["items"][0]["item_id"]
    await desk.change(f"/v1/worklists/{item}/take")
    await desk.change(f"/v1/worklists/{item}/release")
    await desk.change(f"/v1/worklists/{item}/take")
    await desk.change(f"/v1/worklists/{item}/complete", {"outcome": "no_response"})
    case = (await desk.read("/v1/cases", customer_id="C5", state="open"))["items"][0]
    await desk.change(f"/v1/cases/{case['case_id']}/assignment", {"owner": "li.na", "team": "south"}, method="PUT")
    coming = (await desk.read("/v1/follow-ups", customer_id="C5", state="planned"))["items"][0]["follow_up_id"]
    until = {"until": (now + timedelta(days=40)).isoformat(), "reason": "salary_day"}
    await desk.change(f"/v1/follow-ups/{coming}/defer", until)
    await desk.change(f"/v1/follow-ups/{coming}/cancel", {"reason": "customer_request"})
    for channel in ("sms", "email"):
        opt_out = {"opted_out": True, "source": "customer"}
        await desk.change(f"/v1/customers/C8/preferences/{channel}", opt_out, method="PUT")
    soon = {
        "customer_id": "C5",
        "kind": "hardship",
        "reason": "illness",
        "ends_at": (now + timedelta(days=3)).isoformat(),
    }
    await desk.create("/v1/holds", soon)
    hold = await desk.create("/v1/holds", {"customer_id": "C11", "kind": "dispute", "reason": "amount"})
    await desk.change(f"/v1/holds/{hold['hold_id']}/release", {"reason": "settled"})
    await complain(desk)


async def promise(desk: Desk, due_on: date) -> list[str]:
    """Three promises on overdue accounts, and one that is called off; the accounts of the three."""
    found = [
        account
        for account in (await desk.read("/v1/accounts", past_due="true"))["items"]
        if account["status"] == "open" and account["currency"] == "CNY"
    ][:4]
    for each in found:
        about = {name: each[name] for name in ("customer_id", "account_id", "currency")}
        body = {"amount": each["past_due"], "due_on": due_on.isoformat(), "channel": "phone", **about}
        made = await desk.create("/v1/promises", body)
    await desk.change(f"/v1/promises/{made['promise_id']}/cancel", {"reason": "mistake"})
    return [each["account_id"] for each in found[:3]]


PLAN = {"kind": "equal", "instalments": 2, "frequency": "weekly", "shift": "none"}
PERSONAL = {"kind": "personalised", "instalments": 6, "frequency": "monthly", "shift": "none"}
HOUSEHOLD = {
    "adults": 1,
    "incomes": [{"kind": "wages", "amount": 60_000_000}],
    "fixed": [],
    "flexible": [],
    "pay_day": 15,
}
SIGNED = {"agreed_on": AFTER.date().isoformat(), "form": "written"}


async def plan(desk: Desk, taken: list[str], first_on: date) -> str:
    """One plan that gives way to another, one in force, and four that wait for a second person; the account of the one
    in force."""
    found = [
        each
        for each in (await desk.read("/v1/accounts", past_due="true"))["items"]
        if each["status"] == "open" and each["currency"] == "CNY" and each["account_id"] not in taken
    ]
    asked = [
        {
            "customer_id": each["customer_id"],
            "accounts": [{"account_id": each["account_id"], "currency": "CNY"}],
            "first_on": first_on.isoformat(),
        }
        for each in found
    ]
    old = await desk.create("/v1/plans", asked[0] | PLAN)
    await desk.change(f"/v1/plans/{old['plan_id']}/activate", SIGNED)
    new = await desk.create("/v1/plans", asked[0] | PLAN | {"instalments": 3, "replaces": old["plan_id"]})
    await desk.change(f"/v1/plans/{new['plan_id']}/activate", SIGNED)
    kept = await desk.create("/v1/plans", asked[1] | PLAN)
    await desk.change(f"/v1/plans/{kept['plan_id']}/activate", SIGNED)
    debtor = {name: asked[2][name] for name in ("customer_id", "accounts")}
    assessed = await desk.create("/v1/assessments", debtor | {"household": HOUSEHOLD})
    personal = asked[2] | PERSONAL | {"assessment_id": assessed["assessment_id"]}
    for step in ("granted", "refused", "withdrawn", "expired"):
        proposed = await desk.create("/v1/plans", personal)
        (waiting,) = (await desk.read("/v1/approvals", state="pending"))["items"]
        where = f"/v1/approvals/{waiting['approval_id']}"
        if step in ("granted", "refused"):
            body = {"granted": step == "granted", "reason": "looked at the assessment"}
            await desk.change(f"{where}/decide", body, subject="zhao.min")
            if step == "granted":
                await desk.change(f"/v1/plans/{proposed['plan_id']}/cancel", {"reason": "customer_request"})
        elif step == "withdrawn":
            await desk.change(f"{where}/withdraw", {"reason": "mistake"})
    return str(found[1]["account_id"])


async def settle(desk: Desk, promised: list[str], first_on: date) -> str:
    """An offer that nobody takes up, one that is withdrawn, and one that is signed; the account of the last."""
    plans = (await desk.read("/v1/plans"))["items"]
    taken = {debt["account_id"] for each in plans for debt in each["debts"]} | set(promised)
    found = [
        each
        for each in (await desk.read("/v1/accounts", past_due="true"))["items"]
        if each["status"] == "open" and each["currency"] == "CNY" and each["account_id"] not in taken
    ]
    await offer(desk, found[0], first_on)
    withdrawn = await offer(desk, found[1], first_on)
    await desk.change(f"{withdrawn}/withdraw", {"reason": "customer_request"})
    signed = await offer(desk, found[1], first_on)
    await desk.change(f"{signed}/accept")
    await desk.change(f"{signed}/activate")
    return str(found[1]["account_id"])


async def waive(desk: Desk, settled: str) -> None:
    """Charges that are let off at once, and some of which a second person is asked and not waited for."""
    agreed = [*(await desk.read("/v1/plans"))["items"], *(await desk.read("/v1/settlements"))["items"]]
    taken = {settled, *(debt["account_id"] for each in agreed for debt in each["debts"])}
    account = next(
        each
        for each in (await desk.read("/v1/accounts", past_due="true"))["items"]
        if each["status"] == "open" and each["currency"] == "CNY" and each["account_id"] not in taken
    )
    asked = {"customer_id": account["customer_id"], "account_id": account["account_id"], "currency": "CNY"}
    asked |= {"amount": 1, "cause": "goodwill"}
    await desk.create("/v1/waivers", asked | {"component": "penalty"})
    larger = await desk.create("/v1/waivers", asked | {"component": "interest"}, subject="li.na")
    await desk.change(f"/v1/waivers/{larger['waiver_id']}/withdraw", {"reason": "mistake"})


async def offer(desk: Desk, account: Mapping[str, Any], first_on: date) -> str:
    asked = {
        "customer_id": account["customer_id"],
        "accounts": [{"account_id": account["account_id"], "currency": "CNY"}],
        "discount": 200,
        "first_on": first_on.isoformat(),
        "shift": "none",
    }
    made = await desk.create("/v1/settlements", asked)
    if made["state"] == "proposed":
        pending = await desk.read("/v1/approvals", state="pending", subject_id=made["settlement_id"])
        decide = f"/v1/approvals/{pending['items'][0]['approval_id']}/decide"
        await desk.change(decide, {"granted": True, "reason": "fits the case"}, subject="zhao.min")
    return f"/v1/settlements/{made['settlement_id']}"


def all_and_back(account: str, at: datetime) -> list[Instant]:
    """The whole debt of a plan or settlement, and an hour later it is taken back."""
    number = int(account.removeprefix("A"))
    later = at + timedelta(hours=1)
    about = {
        "account_id": account,
        "currency": "CNY",
        "reversal_id": f"R3-{number}",
        "payment_id": f"P{number}-{at:%Y%m%d}",
    }
    back = {**about, "amount": 50_000_000, "reason": "returned", "reversed_at": later.isoformat()}
    return [
        Instant(at, (payment(number, at, 50_000_000),)),
        Instant(later, (event("payment.reversed.v1", f"R3-{number}", later, back),)),
    ]


def money_for(promised: list[str], at: datetime) -> list[Instant]:
    """Enough for the first, which is taken back, and a part of the second; nothing for the third."""
    first, second, _ = (int(account.removeprefix("A")) for account in promised)
    back = {
        "account_id": f"A{first}",
        "currency": "CNY",
        "reversal_id": "R2",
        "payment_id": f"P{first}-{at:%Y%m%d}",
        "amount": 900_000,
        "reason": "returned",
        "reversed_at": (at + timedelta(hours=1)).isoformat(),
    }
    return [
        Instant(at, (payment(first, at, 900_000), payment(second, at, 2_000))),
        Instant(at + timedelta(hours=1), (event("payment.reversed.v1", "R2", at + timedelta(hours=1), back),)),
    ]


async def complain(desk: Desk) -> None:
    about = {"customer_id": "C9", "category": "service", "channel": "phone", "text": "Too many messages."}
    await desk.create("/v1/complaints", about)  # nobody answers this one
    complaint = (await desk.create("/v1/complaints", {**about, "customer_id": "C6"}))["complaint_id"]
    steps: tuple[tuple[str, dict[str, Any] | None], ...] = (
        ("acknowledge", None),
        ("extend", {"complexity": "complex", "requested_by": "li.na", "reason": "records from the branch"}),
        ("respond", {"response": "We looked into it."}),
        ("escalate", {"reason": "not_satisfied"}),
        ("resolve", {"outcome": "upheld"}),
    )
    for step, body in steps:
        await desk.change(f"/v1/complaints/{complaint}/{step}", body)


async def test_each_type_is_announced_and_says_what_the_table_promises(tmp_path: Path) -> None:
    settings = LocalSettings(
        home=tmp_path, manual_clock=True, api_port=0, sandbox_http_port=0, sandbox_smtp_port=0, durable=False
    )
    async with running(settings) as suite:
        issuer = DevIssuer(tmp_path, audience="arrears")
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{suite.port}", timeout=60) as client:
            driver = Driver(suite.pool, client, issuer.make_token(Role.CORE_BANKING), wake=suite.wake)
            knobs = {"email": {"never_answer_next": 1, "never_answer_mode": "close"}}
            (await client.patch(f"{suite.sandbox_url}/knobs", json=knobs)).raise_for_status()
            await driver.drive(three_months(CUSTOMERS), until=AFTER - timedelta(days=1))
            await driver.drive([later_facts()], until=AFTER + timedelta(hours=4))
            roles = {"li.na": Role.COLLECTOR}
            desk = Desk(client, lambda who: issuer.make_token(roles.get(who, Role.SUPERVISOR), subject=who))
            await work_through(desk, AFTER + timedelta(hours=4))
            promised = await promise(desk, AFTER.date() + timedelta(days=9))
            planned = await plan(desk, promised, AFTER.date() + timedelta(days=9))
            settled = await settle(desk, promised, AFTER.date() + timedelta(days=9))
            await waive(desk, settled)
            await driver.drive(money_for(promised, AFTER + timedelta(days=1)), until=AFTER + timedelta(days=2))
            await driver.drive(all_and_back(settled, AFTER + timedelta(days=2)), until=AFTER + timedelta(days=3))
            await driver.drive(all_and_back(planned, AFTER + timedelta(days=3)), until=AFTER + timedelta(days=40))
        async with suite.pool.acquire() as conn:
            announced = await conn.fetch("select aggregatetype, type, payload from outbox")
    readers = {name: jsonschema_rs.validator_for(data_schema(kind)) for name, kind in EVENT_TYPES.items()}
    for row in announced:
        assert row["aggregatetype"] == EVENT_TYPES[row["type"]].topic
        readers[row["type"]].validate(row["payload"])
        assert set(row["payload"]) == set(EVENT_TYPES[row["type"]].fields), row["type"]
    # No calendar is announced in these weeks; that one is told in tests/services/api/test_plan_days.py.
    moved = "arrears.plan.instalment_moved.v1"
    assert set(EVENT_TYPES) - {row["type"] for row in announced} == {moved}
