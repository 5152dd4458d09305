"""A hold stops the ladder, its end lets it go on, and not everybody may lift every hold."""

from __future__ import annotations

from datetime import datetime

import pytest

from shared.application.principal import Role
from tests.application.bank import NOW, report, updated
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, SUPERVISOR, office

HOLD = {"customer_id": "C1", "kind": "hardship", "reason": "lost_employment"}
FIRST_SMS = "m1-first-sms"


def local(text):
    return datetime.fromisoformat(text + "+08:00")


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        # Noon of 30 June, two days past due: the case opens on 2 July, its first step is due that day at ten.
        await opened.bank.say(updated(), report(due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
        await opened.settle()
        yield opened


@pytest.fixture
async def clerk(desk):
    await desk.move_to(local("2026-07-02T00:30"))
    async with desk.person(COLLECTOR) as person:
        yield person


async def placed(person, **more):
    answer = await person.create("/v1/holds", **(HOLD | more))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def steps(desk):
    return dict(await desk.rows("select step, state from follow_ups"))


async def coming(desk):
    return await desk.rows("select kind, due_at from timers where kind = 'follow_up'")


async def test_a_hold_stops_the_ladder_and_its_release_resumes_it(desk, clerk):
    assert await steps(desk) == {FIRST_SMS: "planned"}
    assert await coming(desk) == [("follow_up", local("2026-07-02T10:00"))]
    path = await placed(clerk)
    await desk.settle()
    assert (await steps(desk), await coming(desk)) == ({}, [])
    await desk.move_to(local("2026-07-03T12:00"))
    assert await desk.values("select count(*) from messages") == [0]
    released = await clerk.edit(path + "/release", reason="employed_again")
    assert (released.status_code, released.json()["released_by"]) == (200, "li.na")
    await desk.settle()
    assert await steps(desk) == {FIRST_SMS: "issued", "m1-second-sms": "planned"}
    assert await desk.values("select step from messages") == [FIRST_SMS]
    kinds = await desk.values("select kind from case_events where kind like 'hold%' order by entry")
    assert kinds == ["hold.placed", "hold.released"]


async def test_a_hold_that_ends_by_itself_lets_the_ladder_go_on_from_there(desk, clerk):
    end = local("2026-07-04T09:00")
    await placed(clerk, ends_at=end.isoformat())
    await desk.settle()
    assert await desk.timers() == {"hold_end": end}
    assert await coming(desk) == [("follow_up", end)], "the step waits for the end of the hold"
    await desk.move_to(local("2026-07-04T08:59"))
    assert await steps(desk) == {FIRST_SMS: "planned"}
    await desk.move_to(end)
    assert (await steps(desk))[FIRST_SMS] == "issued"
    assert await desk.values("select type from outbox where aggregatetype = 'arrears.hold' order by seq") == [
        "arrears.hold.placed.v1", "arrears.hold.ended.v1"
    ]  # fmt: skip
    assert await desk.timers() == {}


async def test_a_hold_on_one_of_two_accounts_leaves_the_ladder_running(desk, clerk):
    await desk.bank.say(report("A2", due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
    await placed(clerk, kind="dispute", reason="unknown_purchase", account_id="A1")
    await desk.settle()
    assert await steps(desk) == {FIRST_SMS: "planned"}
    await placed(clerk, kind="dispute", reason="unknown_purchase", account_id="A2")
    await desk.settle()
    assert await steps(desk) == {}


async def test_a_released_hold_with_an_end_is_not_heard_of_again(desk, clerk):
    path = await placed(clerk, ends_at=local("2026-07-04T09:00").isoformat())
    await clerk.edit(path + "/release", reason="mistake")
    assert await desk.timers() == {}
    assert (await clerk.edit(path + "/release", version='"1"', reason="mistake")).status_code == 412
    over = await clerk.edit(path + "/release", reason="mistake")
    assert (over.status_code, over.json()["type"].rpartition("/")[2]) == (409, "hold-over")


async def test_the_hold_of_a_complaint_goes_with_the_complaint(desk, clerk):
    by_hand = await clerk.create("/v1/holds", **(HOLD | {"kind": "complaint"}))
    assert (by_hand.status_code, by_hand.json()["errors"][0]["pointer"]) == (422, "/kind")
    complaint = {"customer_id": "C1", "category": "amount", "channel": "email", "text": "Too much."}
    made = (await clerk.create("/v1/complaints", **complaint)).json()
    await desk.settle()
    assert await steps(desk) == {}
    refused = await clerk.edit(f"/v1/holds/{made['hold_id']}/release", reason="in_the_way")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "hold-of-a-process")


@pytest.mark.parametrize("kind", ["deceased", "do_not_contact", "police_no_contact", "legal_only"])
async def test_grave_holds_are_placed_and_released_above_a_collector(desk, clerk, kind):
    assert (await clerk.create("/v1/holds", **(HOLD | {"kind": kind}))).status_code == 403
    async with desk.person(COMPLIANCE, name="officer") as officer:
        path = await placed(officer, kind=kind)
    assert (await clerk.edit(path + "/release", reason="mistake")).status_code == 403
    async with desk.person(SUPERVISOR) as boss:
        assert (await boss.edit(path + "/release", reason="mistake")).status_code == 200


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"ends_at": NOW.isoformat()}, "/ends_at"),
        ({"ends_at": "2026-08-01T00:00:00"}, "/ends_at"),
        ({"ends_at": "9999-12-31T23:59:59+00:00"}, "/ends_at"),
        ({"kind": "siesta"}, "/kind"),
        ({"reason": "because Mr Wang, 13812345678, said so"}, "/reason"),
        ({"customer_id": "C\u00001"}, None),
        ({"account_id": "A9"}, "/account_id"),
    ],
)
async def test_a_hold_that_makes_no_sense_is_refused_by_its_field(desk, clerk, wrong, pointer):
    answer = await clerk.create("/v1/holds", **(HOLD | wrong))
    if pointer is None:
        assert answer.status_code == 400
        return
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert "13812345678" not in answer.text


async def test_holds_are_listed_newest_first_to_those_who_may_see_them(desk, clerk):
    first = await placed(clerk)
    await desk.move_to(local("2026-07-02T01:00"))
    second = await placed(clerk, kind="dispute", account_id="A1")
    await clerk.edit(first + "/release", reason="mistake")
    for params, paths in [
        ({}, [second, first]),
        ({"in_force": True}, [second]),
        ({"in_force": False}, [first]),
        ({"kind": "hardship"}, [first]),
        ({"account_id": "A1", "customer_id": "C1"}, [second]),
        ({"customer_id": "C2"}, []),
    ]:
        found = (await clerk.get("/v1/holds", **params)).json()["items"]
        assert [f"/v1/holds/{one['hold_id']}" for one in found] == paths, params
    await desk.deps.pool.execute("update cases set owner = 'zhao.lei'")
    assert (await clerk.get("/v1/holds")).json()["items"] == []
    assert (await clerk.get(second)).status_code == 404
    assert (await clerk.edit(second + "/release", version='"1"', reason="mistake")).status_code == 404
    async with desk.person(AUDITOR) as auditor:
        assert len((await auditor.get("/v1/holds")).json()["items"]) == 2
        assert (await auditor.create("/v1/holds", **HOLD)).status_code == 403
    async with desk.person(Role.CORE_BANKING) as bank:
        assert (await bank.get("/v1/holds")).status_code == 403


async def test_what_is_disputed_of_an_account_stays_so_when_the_core_gives_it_to_another_customer(desk, clerk):
    end = local("2026-07-04T09:00")
    await placed(clerk, kind="dispute", reason="not_mine", account_id="A1", ends_at=end.isoformat())
    await placed(clerk)  # of the person, who keeps it
    reports = [  # in one batch it goes on to a third
        report("A1", customer, due="2026-06-28", sequence=sequence, cutoff=f"2026-07-01T0{sequence}:00:00+08:00")
        for sequence, customer in ((2, "C3"), (3, "C2"))
    ]
    await desk.bank.say(updated("C2", mobile="+8613800000002"), *reports)
    await desk.settle()
    assert set(await desk.rows("select kind, customer_id from holds")) == {("dispute", "C2"), ("hardship", "C1")}
    await desk.move_to(local("2026-07-03T12:00"))
    assert await desk.values("select count(*) from messages") == [0]
    await desk.move_to(local("2026-07-04T12:00"))
    assert await desk.rows("select customer_id, kind from case_events where kind = 'hold.ended'") == [
        ("C2", "hold.ended")
    ]
    assert await desk.values("select customer_id from messages") == ["C2"]
