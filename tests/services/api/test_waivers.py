"""Charges are let off: at once within a limit, by a second person above it, and never more than is owed."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.application.bank import merged, payment, report, updated
from tests.services.api.people import COLLECTOR, SUPERVISOR, office

BALANCES = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
PENALTY = {
    "customer_id": "C1",
    "account_id": "A1",
    "currency": "CNY",
    "component": "penalty",
    "amount": 10_000,
    "cause": "bank_error",
}
TERMS = {
    "customer_id": "C1",
    "accounts": [{"account_id": "A1", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 4,
    "first_on": "2026-07-20",
    "shift": "none",
}


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due="2026-02-20", balances=BALANCES))
        await opened.settle()
        opened.bank.latest = datetime.fromisoformat("2027-01-01T00:00+08:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


async def waive(clerk, **more):
    made = await clerk.create("/v1/waivers", **(PENALTY | more))
    assert made.status_code == 201, made.text
    return made.headers["location"], made.json()


async def owed(clerk):
    """By component, as a plan would be quoted on it."""
    (debt,) = (await clerk.client.post("/v1/plans/quotes", json=TERMS)).json()["debts"]
    return {name: debt[name] for name in BALANCES}


async def waiting(person):
    (only,) = (await person.get("/v1/approvals", state="pending")).json()["items"]
    return f"/v1/approvals/{only['approval_id']}"


async def told(desk):
    found = await desk.values("select type from outbox where type like 'arrears.waiver.%' order by seq")
    return [kind.removeprefix("arrears.waiver.").removesuffix(".v1") for kind in found]


def code(answer):
    return answer.status_code, answer.json()["errors"][0]["code"]


async def test_a_small_waiver_counts_at_once_and_the_next_report_is_taken_to_show_it(desk, clerk):
    path, made = await waive(clerk)
    assert (made["state"], made["granted_by"], made["owed"], made["reason"]) == (
        "granted", "li.na", 30_000, "within_limit"
    )  # fmt: skip
    assert await told(desk) == ["proposed", "granted"]
    assert (await owed(clerk))["penalty"] == 20_000
    booked = BALANCES | {"penalty": 20_000}
    await desk.bank.say(report(sequence=2, cutoff="2026-07-25T02:00:00+08:00", balances=booked))
    assert (await owed(clerk))["penalty"] == 20_000
    assert (await clerk.get(path)).json()["state"] == "granted"
    kinds = await desk.values("select kind from case_events where kind like 'waiver.%' order by entry")
    assert kinds == ["waiver.proposed", "waiver.granted"]


async def test_small_steps_add_up_to_the_limit_and_beyond_it_a_second_person_decides(desk, clerk):
    await waive(clerk, amount=6_000)
    path, second = await waive(clerk, amount=6_000)
    assert (second["state"], second["approvers"]) == ("proposed", ["supervisor", "compliance"])
    assert (await owed(clerk))["penalty"] == 24_000
    assert code(await clerk.create("/v1/waivers", **PENALTY)) == (422, "proposed-already")
    async with desk.person(SUPERVISOR, name="li.na") as same:
        assert (await same.edit(await waiting(same) + "/decide", granted=True, reason="fine")).status_code == 403
    async with desk.person(SUPERVISOR, name="zhao.min") as other:
        decided = await other.edit(await waiting(other) + "/decide", granted=True, reason="our mistake")
        assert (decided.status_code, decided.json()["subject"]) == (200, "waiver")
    shown = (await clerk.get(path)).json()
    assert (shown["state"], shown["granted_by"]) == ("granted", "zhao.min")
    assert (await owed(clerk))["penalty"] == 18_000


async def test_what_was_paid_before_the_second_person_decided_is_not_waived_as_well(desk, clerk):
    path, _ = await waive(clerk, amount=30_000)
    await desk.bank.say(payment("P1", amount=500_000, posted="2026-07-01T10:00:00+08:00"))
    async with desk.person(SUPERVISOR, name="zhao.min") as other:
        late = await other.edit(await waiting(other) + "/decide", granted=True, reason="our mistake")
        assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (409, "approval-state")
        assert (await clerk.get(path)).json()["state"] == "proposed"
        refused = await other.edit(await waiting(other) + "/decide", granted=False, reason="paid meanwhile")
        assert refused.status_code == 200
    assert (await clerk.get(path)).json()["state"] == "withdrawn"


@pytest.mark.parametrize("agreed", ["plan", "settlement"])
async def test_what_was_agreed_meanwhile_is_left_as_it_was_agreed(desk, clerk, agreed):
    """Else the customer would pay in instalments what the bank has let off."""
    path, _ = await waive(clerk, amount=30_000)
    approval = await waiting(clerk)
    if agreed == "plan":
        made = await clerk.create("/v1/plans", **TERMS)
    else:
        offer = {"customer_id": "C1", "accounts": TERMS["accounts"], "discount": 20_000, "first_on": "2026-07-20"}
        made = await clerk.create("/v1/settlements", **offer)
    assert made.status_code == 201, made.text
    async with desk.person(SUPERVISOR, name="zhao.min") as other:
        late = await other.edit(approval + "/decide", granted=True, reason="our mistake")
        assert (late.status_code, late.json()["type"].rpartition("/")[2]) == (409, "approval-state")
        assert (await clerk.get(path)).json()["state"] == "proposed"
        assert (await other.edit(approval + "/decide", granted=False, reason="in a plan")).status_code == 200


@pytest.mark.parametrize("way", ["withdraw", "take back", "expire"])
async def test_what_is_not_approved_is_not_let_off(desk, clerk, way):
    path, _ = await waive(clerk, amount=30_000)
    approval = await waiting(clerk)
    if way == "withdraw":
        assert (await clerk.edit(path + "/withdraw", reason="mistake")).json()["state"] == "withdrawn"
    elif way == "take back":
        await clerk.edit(approval + "/withdraw", reason="mistake")
    else:
        await desk.move_to(datetime.fromisoformat("2026-07-06T00:00+08:00"))
    assert (await clerk.get(path)).json()["state"] == "withdrawn"
    assert (await clerk.get(approval)).json()["state"] != "pending"
    assert await told(desk) == ["proposed", "withdrawn"]
    again = await clerk.edit(path + "/withdraw", reason="mistake")
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "waiver-state")
    assert (await owed(clerk))["penalty"] == 30_000


async def test_what_can_not_be_waived_is_refused_with_its_code(clerk):
    for changes, expected in (
        ({"amount": 30_001}, "amount"),
        ({"component": "principal"}, "component"),
    ):
        assert code(await clerk.create("/v1/waivers", **(PENALTY | changes))) == (422, expected)
    assert (await clerk.create("/v1/waivers", **(PENALTY | {"account_id": "A9"}))).status_code == 422
    assert (await clerk.create("/v1/waivers", **(PENALTY | {"cause": "because"}))).status_code == 422


async def test_an_account_of_which_something_was_agreed_is_left_as_it_was_agreed(desk, clerk):
    plan = await clerk.create("/v1/plans", **TERMS)
    assert code(await clerk.create("/v1/waivers", **PENALTY)) == (422, "account-in-plan")
    await clerk.edit(plan.headers["location"] + "/cancel", reason="mistake")
    offer = {"customer_id": "C1", "accounts": TERMS["accounts"], "discount": 20_000, "first_on": "2026-07-20"}
    settlement = await clerk.create("/v1/settlements", **offer)
    assert code(await clerk.create("/v1/waivers", **PENALTY)) == (422, "account-in-settlement")
    await clerk.edit(settlement.headers["location"] + "/withdraw", reason="mistake")
    await waive(clerk)


async def test_a_settlement_after_a_waiver_is_of_what_is_left(clerk):
    await waive(clerk)
    offer = {"customer_id": "C1", "accounts": TERMS["accounts"], "discount": 40_000, "first_on": "2026-07-20"}
    made = (await clerk.create("/v1/settlements", **offer)).json()
    assert (made["owed"], made["gives_up"][0]) == (
        490_000, {"account_id": "A1", "component": "penalty", "amount": 20_000}
    )  # fmt: skip


async def test_a_merger_takes_waivers_along_and_they_are_listed(desk, clerk):
    path, _ = await waive(clerk)
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.settle()
    assert (await clerk.get(path)).json()["customer_id"] == "C2"
    of_c2 = TERMS | {"customer_id": "C2"}
    (debt,) = (await clerk.client.post("/v1/plans/quotes", json=of_c2)).json()["debts"]
    assert debt["penalty"] == 20_000
    listed = (await clerk.get("/v1/waivers", customer_id="C2", component="penalty", state="granted")).json()["items"]
    assert [each["waiver_id"] for each in listed] == [path.rpartition("/")[2]]
    assert (await clerk.get("/v1/waivers", account_id="A2")).json()["items"] == []
