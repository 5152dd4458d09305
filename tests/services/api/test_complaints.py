"""A complaint protects at once, runs against clocks that somebody hears, and ends with an answer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from shared.application.principal import Role
from tests.application.bank import NOW, merged, report, updated
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, SUPERVISOR, office

COMPLAINT = {"customer_id": "C1", "category": "contact_times", "channel": "phone", "text": "夜里打电话"}
RECEIVED = "arrears.complaint.received.v1"


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report())
        await opened.settle()
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


async def received(clerk, **more):
    answer = await clerk.create("/v1/complaints", **(COMPLAINT | more))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def local(text):
    return datetime.fromisoformat(text + "+08:00")


async def told(desk, kind="arrears.complaint"):
    return await desk.values("select type from outbox where aggregatetype = $1 order by seq", kind)


async def test_a_complaint_holds_its_customer_and_starts_its_clocks_in_one_step(desk, clerk):
    answer = await clerk.create("/v1/complaints", key="once", **COMPLAINT)
    assert answer.status_code == 201
    shown = answer.json()
    assert answer.headers["etag"] == '"1"'
    assert (shown["state"], shown["text"], shown["answer_on"]) == ("received", COMPLAINT["text"], "2026-07-15")
    assert await desk.rows("select kind, origin, account_id, placed_by from holds") == [
        ("complaint", shown["complaint_id"], None, "li.na")
    ]
    assert await desk.timers() == {
        "complaint_acknowledge/warning-0": local("2026-07-02T00:00"),
        "complaint_acknowledge/due-0": local("2026-07-03T00:00"),
        "complaint_answer/warning-0": local("2026-07-11T00:00"),
        "complaint_answer/warning-1": local("2026-07-15T00:00"),
        "complaint_answer/due-0": local("2026-07-16T00:00"),
    }
    assert (await told(desk), await told(desk, "arrears.hold")) == ([RECEIVED], ["arrears.hold.placed.v1"])
    again = await clerk.create("/v1/complaints", key="once", **COMPLAINT)
    assert (again.content, again.headers["idempotency-replayed"]) == (answer.content, "true")
    assert await desk.values("select count(*) from complaints") == [1]


async def test_the_text_is_sealed_at_rest_in_news_and_in_lists(desk, clerk):
    path = await received(clerk)
    assert COMPLAINT["text"].encode() not in (await desk.values("select text_enc from complaints"))[0]
    (listed,) = (await clerk.get("/v1/complaints")).json()["items"]
    assert "text" not in listed
    said = str(await desk.values("select payload::text from outbox")) + str(
        await desk.values("select data::text from case_events")
    )
    assert COMPLAINT["text"] not in said
    async with desk.person(AUDITOR) as auditor, desk.person(COMPLIANCE) as officer:
        assert (await auditor.get(path)).json()["text"] is None
        assert (await officer.get(path)).json()["text"] == COMPLAINT["text"]


async def test_a_complaint_about_one_account_holds_that_account(desk, clerk):
    await received(clerk, account_id="A1")
    assert await desk.values("select account_id from holds") == ["A1"]
    strange = await clerk.create("/v1/complaints", **COMPLAINT, account_id="A9")
    assert strange.status_code == 422
    assert strange.json()["errors"][0]["pointer"] == "/account_id"


async def test_from_receipt_to_resolution_each_step_stops_its_clock(desk, clerk):
    path = await received(clerk)
    acknowledged = await clerk.edit(path + "/acknowledge")
    assert (acknowledged.status_code, acknowledged.json()["state"]) == (200, "acknowledged")
    assert set(await desk.timers()) == {f"complaint_answer/{event}" for event in ("warning-0", "warning-1", "due-0")}
    await desk.settle()
    assert await desk.rows("select purpose, template from messages where step = 'complaint-acknowledgement'") == [
        ("answer", "complaint-received")
    ]
    answered = await clerk.edit(path + "/respond", response="我们道歉")
    assert answered.json()["response"] == "我们道歉"
    assert await desk.timers() == {}
    assert await desk.values("select count(*) from holds where released_at is null") == [1]
    resolved = await clerk.edit(path + "/resolve", outcome="upheld")
    assert (resolved.json()["state"], resolved.json()["outcome"]) == ("resolved", "upheld")
    assert await desk.rows("select released_at, released_by from holds") == [(NOW, "li.na")]
    assert await told(desk) == [f"arrears.complaint.{step}.v1" for step in
                                ("received", "acknowledged", "responded", "resolved")]  # fmt: skip
    assert await told(desk, "arrears.hold") == ["arrears.hold.placed.v1", "arrears.hold.released.v1"]


async def test_a_step_that_does_not_come_next_or_was_overtaken_is_refused(desk, clerk):
    path = await received(clerk)
    assert (await clerk.client.post(path + "/acknowledge")).status_code == 428
    skipped = await clerk.edit(path + "/resolve", outcome="upheld")
    assert (skipped.status_code, skipped.json()["type"].rpartition("/")[2]) == (409, "complaint-state")
    assert (await clerk.edit(path + "/acknowledge", version='"1"')).status_code == 200
    assert (await clerk.edit(path + "/acknowledge", version='"1"')).status_code == 412
    assert (await clerk.edit(path + "/acknowledge")).status_code == 409
    assert (await clerk.edit(path + "/respond", response="")).status_code == 422


async def test_the_clocks_warn_and_tell_of_what_was_missed(desk, clerk):
    path = await received(clerk)
    await desk.move_to(local("2026-07-02T00:00"))
    assert (await told(desk))[1:] == ["arrears.complaint.deadline_near.v1"]
    await clerk.edit(path + "/acknowledge")
    await desk.move_to(local("2026-07-03T00:00"))
    assert "arrears.complaint.deadline_missed.v1" not in await told(desk)
    await desk.move_to(local("2026-07-11T00:00"))
    await desk.move_to(local("2026-07-16T00:00"))
    said = await desk.rows(
        "select type, payload->>'clock' from outbox where type like 'arrears.complaint.deadline%' order by seq"
    )
    assert said == [
        ("arrears.complaint.deadline_near.v1", "acknowledge"),
        ("arrears.complaint.deadline_near.v1", "answer"),
        # Two warnings and the end fell into the same silence: only what counts now is told.
        ("arrears.complaint.deadline_missed.v1", "answer"),
    ]
    kinds = await desk.values(
        "select kind from case_events where actor = 'clock' and kind like 'complaint%' order by 1"
    )
    assert kinds == ["complaint.deadline_missed", "complaint.deadline_near", "complaint.deadline_near"]
    assert await desk.timers() == {}


async def test_a_letter_that_lay_about_is_late_from_the_start(desk, clerk):
    at = (NOW - timedelta(days=20)).isoformat()
    await received(clerk, channel="letter", received_at=at)
    await desk.settle()
    missed = await desk.values("select payload->>'clock' from outbox where type like '%missed.v1' order by 1")
    assert missed == ["acknowledge", "answer"]
    early = await clerk.create("/v1/complaints", **COMPLAINT, received_at=(NOW + timedelta(days=1)).isoformat())
    assert early.status_code == 422


async def test_an_escalated_complaint_stays_held_and_a_resolved_one_is_held_anew(desk, clerk):
    path = await received(clerk)
    await clerk.edit(path + "/respond", response="否")
    escalated = await clerk.edit(path + "/escalate", reason="not_satisfied", owner="chen.wei")
    assert (escalated.json()["state"], escalated.json()["owner"]) == ("escalated", "chen.wei")
    assert await desk.values("select released_at from holds") == [None]
    assert await desk.timers() == {}, "an answer was given"
    await clerk.edit(path + "/resolve", outcome="settled")
    assert (await clerk.edit(path + "/escalate", reason="regulator_asked")).status_code == 200
    in_force = await desk.values("select origin from holds where released_at is null")
    assert in_force == [path.rpartition("/")[2]]
    assert await desk.values("select count(*) from holds") == [2]


async def test_more_time_is_asked_by_one_and_granted_by_another_before_it_runs_out(desk, clerk):
    path = await received(clerk)
    asked = {"complexity": "complex", "requested_by": "li.na", "reason": "two branches involved"}
    assert (await clerk.edit(path + "/extend", **asked)).status_code == 403
    async with desk.person(SUPERVISOR, name="chen.wei") as boss:
        own = await boss.edit(path + "/extend", **(asked | {"requested_by": "chen.wei"}))
        assert own.json()["type"].endswith("/extension-refused")
        untold = await boss.edit(path + "/extend", **(asked | {"complexity": "very_complex"}))
        assert untold.status_code == 422
        granted = (await boss.edit(path + "/extend", **asked)).json()
        assert (granted["complexity"], granted["answer_on"]) == ("complex", "2026-07-30")
        assert granted["extension_approved_by"] == "chen.wei"
        assert (await desk.timers())["complaint_answer/due-0"] == local("2026-07-31T00:00")
        await desk.move_to(local("2026-08-01T09:00"))
        told_at = {"complexity": "very_complex", "complainant_told_at": NOW.isoformat()}
        late = await boss.edit(path + "/extend", **(asked | told_at))
        assert late.json()["type"].endswith("/extension-refused")


async def test_the_complaint_of_a_merged_customer_is_heard_at_the_one_that_stays(desk, clerk):
    await received(clerk)
    await desk.bank.say(updated("C2"), merged("C1", "C2"))
    await desk.move_to(local("2026-07-03T00:00"))
    assert await desk.values("select aggregateid from outbox where type like '%deadline_missed.v1'") == ["C2"]
    async with desk.person(SUPERVISOR) as boss:
        away = await boss.create("/v1/complaints", **COMPLAINT)
    assert away.json()["type"].endswith("/customer-merged")


async def test_what_is_not_theirs_is_not_there_for_collectors(desk, clerk):
    path = await received(clerk)
    await desk.deps.pool.execute("update cases set owner = 'zhao.lei', team = 'north'")
    assert (await clerk.get(path)).status_code == 404
    assert (await clerk.edit(path + "/acknowledge", version='"1"')).status_code == 404
    assert (await clerk.get("/v1/complaints")).json()["items"] == []
    assert (await clerk.create("/v1/complaints", **COMPLAINT)).status_code == 404
    async with desk.person(COLLECTOR, name="wu.di", teams=("north",)) as mate:
        assert (await mate.get(path)).status_code == 200
    async with desk.person(Role.OPERATIONS) as operator:
        assert (await operator.create("/v1/complaints", **COMPLAINT)).status_code == 403


async def test_a_refusal_leaves_nothing_behind(desk, clerk):
    assert (await clerk.create("/v1/complaints", **(COMPLAINT | {"customer_id": "C7"}))).status_code == 404
    assert (await clerk.create("/v1/complaints", **(COMPLAINT | {"category": "weather"}))).status_code == 422
    counts = await desk.rows("select (select count(*) from complaints), (select count(*) from holds),"
                             " (select count(*) from idempotency_keys)")  # fmt: skip
    assert counts == [(0, 0, 0)]


async def test_the_list_begins_with_what_is_due_first_and_is_filtered(desk, clerk):
    later = await received(clerk, complexity="complex", category="privacy")
    first = await received(clerk, owner="li.na")
    await clerk.edit(later + "/respond", response="好")
    found = (await clerk.get("/v1/complaints")).json()["items"]
    assert [f"/v1/complaints/{one['complaint_id']}" for one in found] == [first, later]
    for params, paths in [
        ({"state": "responded"}, [later]),
        ({"category": "privacy"}, [later]),
        ({"owner": "li.na"}, [first]),
        ({"answer_before": "2026-12-01T00:00:00+08:00"}, [first]),
        ({"open": False}, []),
        ({"customer_id": "C1", "open": True}, [first, later]),
    ]:
        found = (await clerk.get("/v1/complaints", **params)).json()["items"]
        assert [f"/v1/complaints/{one['complaint_id']}" for one in found] == paths, params
    page = (await clerk.get("/v1/complaints", limit=1)).json()
    following = (await clerk.get("/v1/complaints", limit=1, cursor=page["next"])).json()
    assert (len(page["items"]), len(following["items"]), following["next"]) == (1, 1, None)
