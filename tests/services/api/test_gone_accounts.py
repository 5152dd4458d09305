"""Nothing is agreed on an account that the bank has closed, nor goes on being offered on one."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.application.bank import closing, report, updated
from tests.services.api.people import COLLECTOR, SUPERVISOR, office

BALANCES = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
ACCOUNT = {"account_id": "A1", "currency": "CNY"}
OFFER = {"customer_id": "C1", "accounts": [ACCOUNT], "discount": 20_000, "first_on": "2026-07-20", "shift": "none"}
PLAN = {
    "customer_id": "C1", "accounts": [ACCOUNT], "kind": "equal", "instalments": 4, "first_on": "2026-07-20",
    "shift": "none",
}  # fmt: skip
WAIVER = {"customer_id": "C1", **ACCOUNT, "component": "penalty", "amount": 1_000, "cause": "goodwill"}


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due="2026-02-20", balances=BALANCES))
        await opened.settle()
        opened.bank.latest = datetime.fromisoformat("2027-01-01T00:00+08:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR, SUPERVISOR) as person:
        yield person


@pytest.mark.parametrize(("path", "body"), [("plans", PLAN), ("settlements", OFFER), ("waivers", WAIVER)])
async def test_nothing_is_agreed_on_it(desk, clerk, path, body):
    await desk.bank.say(closing("A1"))
    await desk.settle()
    answer = await clerk.create(f"/v1/{path}", **body)
    assert answer.status_code == 422, answer.text


def problem(answer):
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


async def test_an_offer_on_it_is_not_taken_up(desk, clerk):
    path = (await clerk.create("/v1/settlements", **OFFER)).headers["location"]
    await desk.bank.say(closing("A1"))
    assert problem(await clerk.edit(path + "/accept")) == (409, "settlement-state")
    assert (await clerk.edit(path + "/withdraw", reason="mistake")).json()["state"] == "withdrawn"


async def test_what_was_accepted_before_it_was_closed_is_not_signed(desk, clerk):
    path = (await clerk.create("/v1/settlements", **OFFER)).headers["location"]
    assert (await clerk.edit(path + "/accept")).json()["state"] == "accepted"
    await desk.bank.say(closing("A1"))
    assert problem(await clerk.edit(path + "/activate")) == (409, "settlement-state")


async def test_a_plan_of_it_is_not_agreed(desk, clerk):
    path = (await clerk.create("/v1/plans", **PLAN)).headers["location"]
    await desk.bank.say(closing("A1"))
    agreed = await clerk.edit(path + "/activate", agreed_on="2026-06-30", form="written")
    assert problem(agreed) == (409, "plan-state")


async def test_a_waiver_on_it_is_not_granted(desk, clerk):
    asked = WAIVER | {"component": "interest", "amount": 60_000}
    async with desk.person(COLLECTOR, name="wu.fang") as other:
        assert (await other.create("/v1/waivers", **asked)).json()["state"] == "proposed"
    (only,) = (await clerk.get("/v1/approvals", state="pending")).json()["items"]
    await desk.bank.say(closing("A1"))
    late = await clerk.edit(f"/v1/approvals/{only['approval_id']}/decide", granted=True, reason="fine")
    assert late.status_code == 422, late.text
    refused = await clerk.edit(f"/v1/approvals/{only['approval_id']}/decide", granted=False, reason="closed")
    assert refused.status_code == 200
