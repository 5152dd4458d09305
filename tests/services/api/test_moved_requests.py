"""What waits for a second person goes where its account goes, and can be decided there; nobody is left waiting."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.application.bank import merged, report, updated
from tests.services.api.people import COLLECTOR, COMPLIANCE, SUPERVISOR, office

BALANCES = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
ACCOUNT = {"account_id": "A1", "currency": "CNY"}
PLAN = {
    "customer_id": "C1",
    "accounts": [ACCOUNT],
    "kind": "equal",
    "instalments": 24,
    "first_on": "2026-07-20",
    "shift": "none",
}
ASKED = {
    "settlements": {
        "customer_id": "C1", "accounts": [ACCOUNT], "discount": 90_000, "first_on": "2026-07-20", "shift": "none"
    },
    "waivers": {"customer_id": "C1", **ACCOUNT, "component": "penalty", "amount": 30_000, "cause": "goodwill"},
    "plans": PLAN,
}  # fmt: skip
GRANTED = {"settlements": "offered", "waivers": "granted", "plans": "approved"}
ENDED = {"settlements": "withdrawn", "waivers": "withdrawn", "plans": "cancelled"}
nouns = pytest.mark.parametrize("noun", sorted(ASKED))


def local(text):
    return datetime.fromisoformat(text + "+08:00")


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due="2026-02-20", balances=BALANCES))
        await opened.settle()
        opened.bank.latest = local("2027-01-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


@pytest.fixture
async def second(desk):
    async with desk.person(SUPERVISOR, COMPLIANCE, name="zhao.min") as person:
        yield person


async def waits(clerk, noun):
    """A proposal of the noun; its path, and that of the request."""
    made = await clerk.create(f"/v1/{noun}", **ASKED[noun])
    assert (made.status_code, made.json().get("state")) == (201, "proposed"), made.text
    (only,) = (await clerk.get("/v1/approvals", state="pending")).json()["items"]
    return made.headers["location"], f"/v1/approvals/{only['approval_id']}"


async def moved(desk, way):
    other = [report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002")]
    if way == "merger":
        await desk.bank.say(*other, merged("C1", "C2"))
    else:
        late = report("A1", "C2", sequence=2, due="2026-02-20", balances=BALANCES, cutoff="2026-06-26T02:00:00+08:00")
        await desk.bank.say(*other)
        answers = await desk.bank.say(late)
        assert answers == ["accepted"]
    await desk.settle()


@nouns
@pytest.mark.parametrize("way", ["merger", "report"])
async def test_it_is_granted_where_it_went(desk, clerk, second, noun, way):
    path, approval = await waits(clerk, noun)
    await moved(desk, way)
    decided = await second.edit(approval + "/decide", granted=True, reason="fine")
    assert decided.status_code == 200, decided.text
    found = (await clerk.get(path)).json()
    assert (found["customer_id"], found["state"]) == ("C2", GRANTED[noun])
    assert (await second.get(approval)).json()["customer_id"] == "C2"


@nouns
@pytest.mark.parametrize("way", ["merger", "report"])
async def test_it_is_called_off_there_when_nobody_decides(desk, clerk, noun, way):
    path, approval = await waits(clerk, noun)
    await moved(desk, way)
    await desk.move_to(local("2026-07-10T12:00"))
    assert (await clerk.get(path)).json()["state"] == ENDED[noun]
    assert (await clerk.get(approval)).json()["state"] == "expired"


@nouns
async def test_who_asked_takes_it_back_there(desk, clerk, noun):
    path, approval = await waits(clerk, noun)
    await moved(desk, "report")
    assert (await clerk.edit(approval + "/withdraw", reason="mistake")).status_code == 200
    assert (await clerk.get(path)).json()["state"] == ENDED[noun]


async def test_an_offer_that_ends_with_its_request_ends_once(desk, clerk):
    made = await clerk.create("/v1/settlements", **ASKED["settlements"], valid_until="2026-07-01")
    path = made.headers["location"]
    (only,) = (await clerk.get("/v1/approvals", state="pending")).json()["items"]
    await desk.move_to(local("2026-07-02T00:00"))
    found = (await clerk.get(path)).json()
    assert found["state"] in ("expired", "withdrawn")
    approval = (await clerk.get(f"/v1/approvals/{only['approval_id']}")).json()
    assert approval["state"] in ("expired", "withdrawn")
    assert await desk.values("select count(*) from timers where kind in ('settlement_look', 'approval_ends')") == [0]


async def test_the_hold_of_a_plan_protects_whoever_has_the_account_now(desk, clerk):
    made = await clerk.create("/v1/plans", **PLAN | {"instalments": 4})
    path = made.headers["location"]
    agreed = await clerk.edit(path + "/activate", agreed_on="2026-06-30", form="written")
    assert agreed.json()["state"] == "active"
    await moved(desk, "report")
    standing = await desk.rows("select customer_id, account_id from holds where released_at is null")
    assert standing == [("C2", "A1")]
    assert (await clerk.edit(path + "/cancel", reason="customer")).status_code == 200
    assert await desk.values("select count(*) from holds where released_at is null") == [0]
