"""What was let off is on the statement: from the day it was granted until a later report has it booked."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader

from shared.application.principal import Role

URL = "/v1/accounts/A-1/statement"
CHARGES = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
PENALTY = {
    "customer_id": "C-1",
    "account_id": "A-1",
    "currency": "CNY",
    "component": "penalty",
    "amount": 10_000,
    "cause": "bank_error",
}
TERMS = {
    "customer_id": "C-1",
    "accounts": [{"account_id": "A-1", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 4,
    "first_on": "2026-12-01",
    "shift": "none",
}


@pytest.fixture
async def client(portfolio):
    await portfolio.overdue(balances=CHARGES)
    async with portfolio.as_(Role.COLLECTOR, Role.SUPERVISOR, subject="li.na") as client:
        yield client


async def waive(client, key="w-1", **more):
    made = await client.post("/v1/waivers", json=PENALTY | more, headers={"idempotency-key": key})
    assert (made.status_code, made.json().get("state")) == (201, "granted"), made.text
    return made.json()


async def line(client, **query):
    answer = await client.get(URL, params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["currencies"]
    return found


async def quoted(client):
    """What is owed by component, as a plan would be quoted on it."""
    answer = await client.post("/v1/plans/quotes", json=TERMS)
    assert answer.status_code == 200, answer.text
    (debt,) = answer.json()["debts"]
    return {name: debt[name] for name in CHARGES}


def steps(found):
    return [(each["kind"], each["change"], each["owed"]) for each in found["entries"] if each["counts"]]


async def test_what_was_let_off_is_a_step_and_is_not_owed_after_it(portfolio, client):
    before = await line(client)
    made = await waive(client)
    found = await line(client)
    assert steps(found) == [("snapshot", 500_000, 500_000), ("waiver", -10_000, 490_000)]
    (step,) = [each for each in found["entries"] if each["kind"] == "waiver"]
    assert (step["id"], step["shares"]) == (made["waiver_id"], [{"component": "penalty", "amount": 10_000}])
    assert (found["reported"]["penalty"], found["waived"]["penalty"], found["owed"]["penalty"]) == (
        30_000, 10_000, 20_000
    )  # fmt: skip
    assert (found["payable"], sum(found["owed"].values())) == (490_000, 490_000)
    assert found["owed"] == await quoted(client)
    assert (found["due"], found["days_past_due"]) == (before["due"], before["days_past_due"])


async def test_what_waits_for_a_second_person_is_not_on_it(portfolio, client):
    async with portfolio.as_(Role.COLLECTOR, subject="li.na") as clerk:
        asked = await clerk.post("/v1/waivers", json=PENALTY | {"amount": 30_000}, headers={"idempotency-key": "w-1"})
    assert asked.json()["state"] == "proposed"
    assert steps(await line(client)) == [("snapshot", 500_000, 500_000)]


async def test_money_told_late_does_not_take_the_place_of_what_was_let_off(portfolio, client):
    await portfolio.pay(1_000)
    await portfolio.move_to(portfolio.now + timedelta(days=2))
    await waive(client, amount=5_000)
    late = {
        "payment_id": "P-late",
        "account_id": "A-1",
        "amount": 40_000,
        "currency": "CNY",
        "value_date": (portfolio.now - timedelta(days=1)).date().isoformat(),
        "posted_at": portfolio.now.isoformat(),
        "channel": "branch",
    }
    assert await portfolio.tell("payment.posted.v1", late) == "accepted"
    found = await line(client)
    assert sum(each["change"] for each in found["entries"]) == sum(found["owed"].values()) == 454_000
    assert found["owed"] == await quoted(client)


async def test_a_later_report_has_it_booked_and_the_past_stays_as_it_was_and_as_we_knew_it(portfolio, client):
    knew_at = portfolio.now
    await portfolio.move_to(knew_at + timedelta(days=1))
    knew = await line(client, known_at=knew_at.isoformat())
    await waive(client)
    granted_at = portfolio.now
    as_granted = await line(client)
    await portfolio.move_to(granted_at + timedelta(days=3))
    assert (await quoted(client))["penalty"] == 20_000
    await portfolio.overdue(balances=CHARGES | {"penalty": 20_000})
    found = await line(client)
    assert steps(found) == [
        ("snapshot", 500_000, 500_000),
        ("waiver", -10_000, 490_000),
        ("snapshot", 0, 490_000),
    ]
    assert found["entries"][-1]["drift"] == 0
    assert sum(found["waived"].values()) == 0
    assert found["owed"] == await quoted(client)
    assert await line(client, known_at=knew_at.isoformat()) == knew
    assert sum(knew["owed"].values()) == 500_000
    assert await line(client, known_at=granted_at.isoformat()) == as_granted
    assert sum((await line(client, on=knew_at.date()))["owed"].values()) == 500_000
    assert sum((await line(client, on=granted_at.date()))["owed"].values()) == 490_000


async def test_no_more_is_asked_than_is_left_after_it(portfolio, client):
    small = dict.fromkeys(CHARGES, 0) | {"penalty": 80_000}
    await portfolio.overdue(balances=small, dues=[{"due_date": "2026-11-01", "minimum_due": 80_000, "unpaid": 80_000}])
    await waive(client, amount=8_000)
    found = await line(client)
    assert (found["due"], found["to_bring_current"], found["payable"]) == (80_000, 72_000, 72_000)


@pytest.mark.parametrize(
    ("language", "step", "note"),
    [("zh-CN", "减免", "银行已减免 100.00"), ("en", "Let off by the bank", "let off 100.00")],
)
async def test_the_document_shows_it(portfolio, client, language, step, note):
    await waive(client)
    content = (await client.get(f"{URL}.pdf", params={"language": language})).content
    text = "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)
    assert step in text
    assert note in text
    assert "4,900.00" in text
    assert "-100.00" in text


async def test_a_stranger_is_told_of_none(portfolio, client):
    await waive(client)
    await portfolio.assign(await portfolio.case_of(), owner="somebody.else")
    async with portfolio.as_(Role.COLLECTOR, subject="zhao.min") as stranger:
        assert (await stranger.get(URL)).status_code == 404
