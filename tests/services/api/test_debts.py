"""What a plan, a settlement, a waiver or an assessment is made of is what the statement says is owed, and nothing of it
that is disputed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from shared.application.principal import Role

CHARGES = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
ACCOUNTS = [{"account_id": "A-1", "currency": "CNY"}]
TERMS = {
    "customer_id": "C-1",
    "accounts": ACCOUNTS,
    "kind": "equal",
    "instalments": 4,
    "first_on": "2026-12-01",
    "shift": "none",
}
OFFER = {"customer_id": "C-1", "accounts": ACCOUNTS, "discount": 20_000, "first_on": "2026-12-01"}


@pytest.fixture
async def client(portfolio):
    await portfolio.overdue(balances=CHARGES)
    async with portfolio.as_(Role.COLLECTOR, Role.SUPERVISOR, subject="li.na") as client:
        yield client


async def stated(client):
    (found,) = (await client.get("/v1/accounts/A-1/statement")).json()["currencies"]
    return found


async def quoted(client):
    answer = await client.post("/v1/plans/quotes", json=TERMS)
    assert answer.status_code == 200, answer.text
    (debt,) = answer.json()["debts"]
    return {name: debt[name] for name in CHARGES}


async def dispute(client, component, amount):
    hold = {
        "customer_id": "C-1",
        "account_id": "A-1",
        "kind": "dispute",
        "reason": "amount",
        "disputed": {"currency": "CNY", "component": component, "amount": amount},
    }
    placed = await client.post("/v1/holds", json=hold, headers={"idempotency-key": f"d-{component}"})
    assert placed.status_code == 201, placed.text
    return placed.headers["location"]


def code(answer):
    return answer.status_code, answer.json()["errors"][0]["code"]


async def test_a_payment_covers_the_parts_in_the_order_of_the_policy(portfolio, client):
    await portfolio.pay(65_000)
    assert await quoted(client) == (await stated(client))["owed"] == CHARGES | {"interest": 0, "fees": 5_000}


async def test_a_payment_that_came_back_is_owed_again(portfolio, client):
    await portfolio.pay(30_000)
    await portfolio.move_to(portfolio.now + timedelta(days=1))
    await portfolio.overdue(balances=CHARGES | {"interest": 30_000})
    reversal = {
        "reversal_id": "R-1",
        "payment_id": "P-1",
        "account_id": "A-1",
        "amount": 30_000,
        "currency": "CNY",
        "reason": "bounced",
        "reversed_at": portfolio.now.isoformat(),
    }
    assert await portfolio.tell("payment.reversed.v1", reversal) == "accepted"
    assert await quoted(client) == (await stated(client))["owed"] == CHARGES


async def test_nothing_is_agreed_on_what_is_disputed_while_it_is(portfolio, client):
    await portfolio.pay(15_000)
    path = await dispute(client, "interest", 50_000)
    before = await stated(client)
    assert (before["disputed"]["interest"], before["payable"]) == (50_000, 435_000)
    assert await quoted(client) == CHARGES | {"interest": 0, "fees": 5_000}
    await portfolio.move_to(portfolio.now + timedelta(hours=1))
    await portfolio.pay(4_000, payment_id="P-2")
    assert await quoted(client) == CHARGES | {"interest": 0, "fees": 1_000}
    household = {
        "adults": 1,
        "children": 0,
        "incomes": [{"kind": "wages", "amount": 900_000}],
        "fixed": [],
        "flexible": [],
        "pay_day": 10,
    }
    asked = {"customer_id": "C-1", "accounts": ACCOUNTS, "household": household}
    assessed = await client.post("/v1/assessments", json=asked, headers={"idempotency-key": "a-1"})
    assert (assessed.status_code, assessed.json().get("owed")) == (201, 431_000), assessed.text
    tag = (await client.get(path)).headers["etag"]
    headers = {"if-match": tag, "idempotency-key": "d-2"}
    assert (await client.post(path + "/release", json={"reason": "settled"}, headers=headers)).status_code == 200
    assert await quoted(client) == (await stated(client))["owed"]
    assert sum((await quoted(client)).values()) == 481_000


async def test_a_settlement_waits_until_the_dispute_is_decided(portfolio, client):
    await dispute(client, "penalty", 5_000)
    answer = await client.post("/v1/settlements", json=OFFER, headers={"idempotency-key": "s-1"})
    assert code(answer) == (422, "account-disputed")


async def test_what_is_disputed_may_be_let_off_and_is_let_off_once(portfolio, client):
    await dispute(client, "penalty", 30_000)
    asked = {"customer_id": "C-1", "cause": "bank_error", "component": "penalty", "amount": 30_000, **ACCOUNTS[0]}
    made = await client.post("/v1/waivers", json=asked, headers={"idempotency-key": "w-1"})
    assert (made.status_code, made.json().get("state")) == (201, "granted"), made.text
    found = await stated(client)
    assert (found["owed"]["penalty"], found["disputed"]["penalty"], found["payable"]) == (0, 0, 470_000)
    assert await quoted(client) == found["owed"]
    again = await client.post("/v1/waivers", json=asked | {"amount": 1}, headers={"idempotency-key": "w-2"})
    assert code(again) == (422, "amount")


async def test_a_plan_of_nothing_but_what_is_disputed_is_refused(portfolio, client):
    for component, amount in CHARGES.items():
        await dispute(client, component, amount)
    answer = await client.post("/v1/plans/quotes", json=TERMS)
    assert answer.status_code == 422, answer.text
