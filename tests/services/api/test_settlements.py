"""A settlement is offered, signed, paid or not, and judged again when the past changes; some need two people."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.application.bank import closing, merged, payment, report, reversal, updated
from tests.services.api.people import COLLECTOR, COMPLIANCE, SUPERVISOR, office

# 500,000 is owed since February: a tenth of it, all charges, is what a collector may give up alone.
BALANCES = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
OLD = {"due": "2026-02-20", "balances": BALANCES}
OFFER = {
    "customer_id": "C1",
    "accounts": [{"account_id": "A1", "currency": "CNY"}],
    "discount": 50_000,
    "first_on": "2026-07-20",
    "shift": "none",
}


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(**OLD))
        await opened.settle()
        opened.bank.latest = local("2027-01-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


def local(text):
    return datetime.fromisoformat(text + "+08:00")


def paid(payment_id, on, amount, *, posted=None):
    kind, data = payment(payment_id, amount=amount, posted=f"{posted or on}T10:00:00+08:00")
    return kind, data | {"value_date": on}


async def offered(clerk, **more):
    made = await clerk.create("/v1/settlements", **(OFFER | more))
    assert (made.status_code, made.json()["state"]) == (201, "offered"), made.text
    return made.headers["location"]


async def signed(clerk, **more):
    path = await offered(clerk, **more)
    for step, state in (("accept", "accepted"), ("activate", "active")):
        done = await clerk.edit(f"{path}/{step}")
        assert (done.status_code, done.json()["state"]) == (200, state), done.text
    return path


async def sums(clerk, path):
    shown = (await clerk.get(path)).json()
    return shown["state"], shown["received"], shown["given_up"], shown["back"]


async def told(desk):
    found = await desk.values("select type from outbox where type like 'arrears.settlement.%' order by seq")
    return [kind.removeprefix("arrears.settlement.").removesuffix(".v1") for kind in found]


async def holds(desk):
    """Of each hold, in their order, whether it stands."""
    return await desk.values("select released_at is null from holds where kind = 'plan' order by placed_at, hold_id")


async def coming(desk):
    return await desk.values("select due_at from timers where kind = 'follow_up'")


async def looks(desk):
    return await desk.values("select count(*) from timers where kind in ('settlement_look', 'approval_ends')")


async def waiting(person):
    (only,) = (await person.get("/v1/approvals", state="pending")).json()["items"]
    return f"/v1/approvals/{only['approval_id']}"


def code(answer):
    return answer.status_code, answer.json()["errors"][0]["code"]


async def test_within_the_limit_it_is_offered_at_once_and_says_what_is_given_up(desk, clerk):
    made = (await clerk.create("/v1/settlements", **OFFER)).json()
    assert (made["state"], made["instrument"], made["approved_by"]) == ("offered", "lump_sum", "li.na")
    assert (made["owed"], made["pays"], made["discount"]) == (500_000, 450_000, 50_000)
    assert [(each["component"], each["amount"]) for each in made["gives_up"]] == [
        ("penalty", 30_000), ("fees", 10_000), ("interest", 10_000)
    ]  # fmt: skip
    assert (made["given_up"], made["valid_until"]) == (0, "2026-07-14")
    assert made["oldest_due"] == [{"account_id": "A1", "due_on": "2026-02-20"}]
    assert await holds(desk) == [], "an offer stops nothing"
    assert await told(desk) == ["proposed", "offered"]


async def test_what_is_paid_may_be_named_instead_and_only_one_of_the_two(desk, clerk):
    both = await clerk.create("/v1/settlements", **OFFER, pays=450_000)
    assert both.status_code == 422
    pays = {name: value for name, value in OFFER.items() if name != "discount"} | {"pays": 460_000}
    assert (await clerk.create("/v1/settlements", **pays)).json()["discount"] == 40_000


async def test_paid_as_agreed_the_rest_is_given_up_and_nobody_asks_for_it_before_the_bank_has_booked_it(desk, clerk):
    path = await signed(clerk)
    await desk.settle()
    assert (await holds(desk), await coming(desk)) == ([True], [])
    await desk.move_to(local("2026-07-20T12:00"))
    await desk.bank.say(paid("P1", "2026-07-20", 450_000))
    await desk.settle()
    assert await sums(clerk, path) == ("fulfilled", 450_000, 50_000, 0)
    assert await told(desk) == ["proposed", "offered", "accepted", "activated", "fulfilled"]
    left = BALANCES | {"principal": 0, "interest": 50_000, "fees": 0, "penalty": 0}
    await desk.bank.say(report(sequence=2, cutoff="2026-07-25T02:00:00+08:00", balances=left, due="2026-07-20"))
    await desk.settle()
    assert (await holds(desk), await coming(desk)) == ([True], [])
    again = await clerk.create("/v1/settlements", **(OFFER | {"discount": 5_000, "first_on": "2026-08-20"}))
    assert code(again) == (422, "account-settled")
    await desk.bank.say(closing(sequence=3))
    await desk.settle()
    assert await holds(desk) == [False]
    assert await looks(desk) == [0]


async def test_a_report_that_shows_nothing_owed_lets_the_account_go_and_what_is_owed_later_is_new(desk, clerk):
    await signed(clerk)
    await desk.move_to(local("2026-07-01T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", 450_000))
    await desk.move_to(local("2026-08-01T12:00"))
    nothing = dict.fromkeys(BALANCES, 0)
    await desk.bank.say(report(sequence=2, unpaid=0, cutoff="2026-07-25T02:00:00+08:00", balances=nothing))
    assert await holds(desk) == [False]
    await desk.bank.say(report(sequence=3, due="2026-07-20", cutoff="2026-07-30T02:00:00+08:00"))
    await desk.settle()
    assert await holds(desk) == [False]
    assert len(await coming(desk)) == 1


async def test_breached_the_debt_is_back_with_its_history_and_a_back_dated_payment_fulfils_it_in_time(desk, clerk):
    path = await signed(clerk)
    await desk.move_to(local("2026-07-01T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", 100_000))
    await desk.move_to(local("2026-07-24T12:00"))
    assert await sums(clerk, path) == ("breached", 100_000, 0, 400_000)
    assert (await clerk.get(path)).json()["oldest_due"] == [{"account_id": "A1", "due_on": "2026-02-20"}]
    assert (await holds(desk), (await told(desk))[-1]) == ([False], "breached")
    second = await clerk.create("/v1/settlements", **(OFFER | {"discount": 40_000, "first_on": "2026-08-20"}))
    assert code(second) == (422, "breached-before")
    await desk.bank.say(paid("P2", "2026-07-23", 350_000, posted="2026-07-24"))
    await desk.settle()
    assert await sums(clerk, path) == ("fulfilled", 450_000, 50_000, 0)
    assert (await holds(desk), await coming(desk)) == ([False, True], [])
    reasons = await desk.rows(
        "select kind, data ->> 'reason' from case_events where kind in ('settlement.breached', 'settlement.fulfilled')"
        " order by entry"
    )
    assert reasons == [
        ("settlement.breached", "timer.settlement_look"), ("settlement.fulfilled", "payment.posted.v1")
    ]  # fmt: skip


async def test_after_a_breach_collection_goes_on_where_the_days_past_due_stand(desk, clerk):
    account = ("select bucket, oldest_due::text from accounts",)
    before = await desk.rows(*account)
    await signed(clerk)
    await desk.settle()
    assert await coming(desk) == []
    await desk.move_to(local("2026-07-24T12:00"))
    ((bucket, oldest),) = await desk.rows(*account)
    assert (bucket >= before[0][0], oldest) == (True, "2026-02-20")
    assert len(await coming(desk)) == 1


async def test_a_payment_that_came_back_takes_the_end_back_and_later_breaches_it(desk, clerk):
    path = await signed(clerk)
    await desk.move_to(local("2026-07-01T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", 450_000))
    assert (await sums(clerk, path))[0] == "fulfilled"
    await desk.bank.say(reversal(amount=450_000, at="2026-07-01T11:00:00+08:00"))
    assert await sums(clerk, path) == ("active", 0, 0, 0)
    assert await holds(desk) == [True]
    await desk.move_to(local("2026-08-01T12:00"))
    assert await sums(clerk, path) == ("breached", 0, 0, 500_000)
    assert (await told(desk))[-3:] == ["fulfilled", "resumed", "breached"]


async def test_a_late_clock_breaches_on_the_day_on_which_a_punctual_one_would(desk, clerk):
    path = await signed(clerk, instalments=3)
    await desk.move_to(local("2026-07-01T12:00"))
    await desk.bank.say(paid("P1", "2026-07-01", 150_000))
    await desk.move_to(local("2026-12-01T12:00"))
    shown = (await clerk.get(path)).json()
    assert (shown["instrument"], shown["state"], shown["ended_on"]) == ("plan", "breached", "2026-08-24")
    assert (await told(desk)).count("breached") == 1


async def test_over_the_limit_a_second_person_decides_and_nobody_decides_about_their_own(desk):
    async with desk.person(SUPERVISOR, COLLECTOR, name="wang.fang") as proposer:
        made = await proposer.create("/v1/settlements", **(OFFER | {"discount": 120_000}))
        assert (made.status_code, made.json()["state"], made.json()["approvers"]) == (201, "proposed", ["compliance"])
        path = made.headers["location"]
        assert (await proposer.edit(path + "/accept")).json()["type"].rpartition("/")[2] == "settlement-state"
        async with desk.person(SUPERVISOR, COMPLIANCE, name="wang.fang") as same:
            own = await same.edit(await waiting(same) + "/decide", granted=True, reason="seems right")
            assert own.status_code == 403
        async with desk.person(SUPERVISOR, name="chen.jie") as other:
            role = await other.edit(await waiting(other) + "/decide", granted=True, reason="seems right")
            assert role.status_code == 403
        async with desk.person(COMPLIANCE, name="zhao.min") as second:
            decided = await second.edit(await waiting(second) + "/decide", granted=True, reason="fits the case")
        assert (decided.status_code, decided.json()["subject"]) == (200, "settlement"), decided.text
        shown = (await proposer.get(path)).json()
        assert (shown["state"], shown["approved_by"], shown["approvers"]) == ("offered", "zhao.min", [])
    assert await told(desk) == ["proposed", "offered"]


@pytest.mark.parametrize("way", ["refuse", "expire", "take back", "withdraw", "end of the offer"])
async def test_what_is_not_approved_is_never_offered(desk, clerk, way):
    last = "2026-07-01" if way == "end of the offer" else None
    made = await clerk.create("/v1/settlements", **(OFFER | {"discount": 60_000, "valid_until": last}))
    path, approval = made.headers["location"], await waiting(clerk)
    if way == "refuse":
        async with desk.person(SUPERVISOR, name="zhao.min") as second:
            await second.edit(approval + "/decide", granted=False, reason="can pay all of it")
    elif way == "take back":
        await clerk.edit(approval + "/withdraw", reason="mistake")
    elif way == "withdraw":
        await clerk.edit(path + "/withdraw", reason="mistake")
    else:
        await desk.move_to(local("2026-07-05T12:00"))
    assert (await clerk.get(path)).json()["state"] in ("withdrawn", "expired")
    assert (await clerk.get(approval)).json()["state"] != "pending"
    assert "offered" not in await told(desk)
    await desk.settle()
    assert await looks(desk) == [0]


async def test_an_offer_that_nobody_takes_up_expires_and_one_that_nobody_signs_ends(desk, clerk):
    path = await offered(clerk)
    await desk.move_to(local("2026-07-15T00:00"))
    assert (await clerk.get(path)).json()["state"] == "expired"
    path = await offered(clerk)
    await clerk.edit(path + "/accept")
    assert await holds(desk) == [True]
    await desk.move_to(local("2026-07-21T00:00"))
    shown = (await clerk.get(path)).json()
    assert (shown["state"], shown["reason"]) == ("withdrawn", "not_signed")
    assert (await holds(desk), await looks(desk)) == ([False], [0])


async def test_an_account_is_in_a_plan_or_in_a_settlement_not_in_both(desk, clerk):
    terms = {"customer_id": "C1", "accounts": OFFER["accounts"], "kind": "equal", "instalments": 4}
    terms |= {"first_on": "2026-07-20", "shift": "none"}
    plan = await clerk.create("/v1/plans", **terms)
    assert code(await clerk.create("/v1/settlements", **OFFER)) == (422, "account-in-plan")
    await clerk.edit(plan.headers["location"] + "/cancel", reason="mistake")
    path = await offered(clerk)
    assert code(await clerk.create("/v1/settlements", **OFFER)) == (422, "account-in-settlement")
    assert code(await clerk.create("/v1/plans", **terms)) == (422, "account-in-settlement")
    withdrawn = await clerk.edit(path + "/withdraw", reason="customer_request")
    assert withdrawn.json()["state"] == "withdrawn"
    assert (await clerk.create("/v1/plans", **terms)).status_code == 201


async def test_what_the_policy_forbids_is_refused_with_its_code(desk, clerk):
    for changes, expected in (
        ({"discount": 500_000}, "no-discount"),
        ({"discount": 400_000}, "over-every-limit"),
        ({"first_on": "2026-09-20"}, "first-too-late"),
        ({"valid_until": "2026-07-15"}, "offer-too-long"),
        ({"instalments": 13}, "too-long"),
    ):
        assert code(await clerk.create("/v1/settlements", **(OFFER | changes))) == (422, expected)
    unknown = await clerk.create("/v1/settlements", **(OFFER | {"accounts": [{"account_id": "A9", "currency": "CNY"}]}))
    assert unknown.status_code == 422
    waived = await clerk.create("/v1/settlements", **OFFER, waive=["breached-before"])
    assert waived.status_code == 403
    assert await told(desk) == []


async def test_a_merger_takes_a_settlement_its_hold_and_its_money_along(desk, clerk):
    path = await signed(clerk)
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.settle()
    assert (await clerk.get(path)).json()["customer_id"] == "C2"
    assert await desk.values("select customer_id from holds where kind = 'plan' and released_at is null") == ["C2"]
    assert await desk.values("select scope from timers where kind = 'settlement_look'") == ["C2"]
    await desk.move_to(local("2026-07-20T12:00"))
    await desk.bank.say(paid("P1", "2026-07-20", 450_000))
    assert (await sums(clerk, path))[0] == "fulfilled"


async def test_settlements_are_listed_by_state(desk, clerk):
    path = await signed(clerk)
    listed = (await clerk.get("/v1/settlements", state="active", customer_id="C1")).json()["items"]
    assert [each["settlement_id"] for each in listed] == [path.rpartition("/")[2]]
    assert (await clerk.get("/v1/settlements", instrument="plan")).json()["items"] == []
