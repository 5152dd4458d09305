"""Notes add to a case, an assignment says whose it is, a deferral is a fact the planner plans around."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from tests.application.bank import report, updated
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, SUPERVISOR, office


def local(text):
    return datetime.fromisoformat(text + "+08:00")


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
        await opened.move_to(local("2026-07-02T00:30"))
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR, teams=("south",)) as person:
        yield person


@pytest.fixture
async def case(desk):
    (case_id,) = await desk.values("select case_id from cases")
    return f"/v1/cases/{case_id}"


@pytest.fixture
async def step(desk):
    (follow_up_id,) = await desk.values("select follow_up_id from follow_ups")
    return f"/v1/follow-ups/{follow_up_id}"


async def test_a_note_is_written_once_sealed_and_read_where_it_says(desk, clerk, case):
    text = "晚上六点以后可以打电话"
    made = await clerk.create(case + "/notes", key="n1", text=text)
    again = await clerk.create(case + "/notes", key="n1", text=text)
    assert (made.status_code, again.content) == (201, made.content)
    assert (await clerk.get(made.headers["location"])).json()["text"] == text
    (listed,) = (await clerk.get(case + "/notes")).json()["items"]
    assert (listed["text"], listed["author"]) == (text, "li.na")
    ((stored, told),) = await desk.rows(
        "select n.text_enc, e.data::text from notes n join case_events e on e.kind = 'note.written'"
    )
    assert text.encode() not in stored
    assert text not in told
    async with desk.person(AUDITOR) as auditor:
        assert (await auditor.create(case + "/notes", text=text)).status_code == 403


async def test_notes_of_another_case_or_team_are_not_found(desk, clerk, case):
    made = await clerk.create(case + "/notes", text="x")
    await desk.deps.pool.execute("update cases set team = 'north'")
    assert (await clerk.get(made.headers["location"])).status_code == 404
    assert (await clerk.create(case + "/notes", text="x")).status_code == 404
    other = made.headers["location"].replace(case, "/v1/cases/00000000-0000-0000-0000-000000000000")
    async with desk.person(COMPLIANCE) as officer:
        assert (await officer.get(other)).status_code == 404


async def test_a_collector_takes_a_case_hands_it_on_to_their_team_and_no_further(desk, clerk, case):
    for refused in ({"owner": "zhao.lei", "team": None}, {"owner": None, "team": "north"}):
        assert (await clerk.edit(case + "/assignment", "PUT", **refused)).status_code == 403
    taken = await clerk.edit(case + "/assignment", "PUT", owner="li.na", team="south")
    assert (taken.status_code, taken.json()["owner"], taken.json()["team"]) == (200, "li.na", "south")
    async with desk.person(COLLECTOR, name="wu.di") as stranger:
        assert (await stranger.get(case)).status_code == 404
        answer = await stranger.edit(case + "/assignment", "PUT", version="*", owner="wu.di", team=None)
        assert answer.status_code == 404
    async with desk.person(SUPERVISOR) as boss:
        given = await boss.edit(case + "/assignment", "PUT", owner="zhao.lei", team="north")
        assert given.status_code == 200
    assert (await clerk.get(case)).status_code == 404
    told = await desk.values(
        "select payload->>'owner' from outbox where type = 'arrears.case.assigned.v1' order by seq"
    )
    assert told == ["li.na", "zhao.lei"]


async def test_of_two_who_take_a_case_at_once_one_gets_it(desk, clerk, case):
    version = (await clerk.get(case)).headers["etag"]
    async with desk.person(COLLECTOR, name="wu.di", teams=("south",)) as other:
        answers = await asyncio.gather(
            clerk.edit(case + "/assignment", "PUT", version=version, owner="li.na", team="south"),
            other.edit(case + "/assignment", "PUT", version=version, owner="wu.di", team="south"),
        )
    assert sorted(answer.status_code for answer in answers) == [200, 412]


async def test_a_deferred_step_comes_when_it_was_put_off_to(desk, clerk, step):
    until = local("2026-07-03T15:00")
    deferred = await clerk.edit(step + "/defer", until=until.isoformat(), reason="salary_day")
    assert deferred.status_code == 200
    assert (deferred.json()["state"], deferred.json()["actor"]) == ("deferred", "li.na")
    await desk.settle()
    assert await desk.values("select due_at from timers where kind = 'follow_up'") == [until]
    await desk.move_to(local("2026-07-03T14:59"))
    assert await desk.values("select count(*) from messages") == [0]
    await desk.move_to(until)
    assert await desk.rows("select step, state from follow_ups where state = 'issued'") == [("m1-first-sms", "issued")]
    decided = await clerk.edit(step + "/cancel", reason="too_late")
    assert (decided.status_code, decided.json()["type"].rpartition("/")[2]) == (409, "follow-up-decided")


async def test_a_deferral_can_be_moved_to_an_earlier_day(desk, clerk, step):
    await clerk.edit(step + "/defer", until="2026-07-10T15:00:00+08:00", reason="salary_day")
    await desk.settle()
    await clerk.edit(step + "/defer", until="2026-07-04T15:00:00+08:00", reason="customer_request")
    await desk.settle()
    await desk.move_to(local("2026-07-04T15:00"))
    assert await desk.values("select step from messages") == ["m1-first-sms"]


async def test_a_cancelled_step_is_not_taken_and_the_ladder_goes_on(desk, clerk, step):
    cancelled = await clerk.edit(step + "/cancel", reason="paid_by_phone")
    assert (cancelled.status_code, cancelled.json()["state"], cancelled.json()["reason"]) == (
        200, "cancelled", "paid_by_phone"
    )  # fmt: skip
    await desk.settle()
    assert await desk.values("select step from follow_ups where state = 'planned'") == ["m1-second-sms"]
    await desk.move_to(local("2026-07-05T10:20"))
    assert dict(await desk.rows("select step, state from follow_ups where state <> 'planned'")) == {
        "m1-first-sms": "cancelled",
        "m1-second-sms": "issued",
    }


@pytest.mark.parametrize(
    "until", ["2026-07-01T00:00:00+08:00", "2026-07-02T09:59:00+08:00", "2027-01-01T00:00:00+08:00", "tomorrow"]
)
async def test_a_deferral_is_later_but_not_for_ever(clerk, step, until):
    answer = await clerk.edit(step + "/defer", until=until, reason="salary_day")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/until")


async def test_only_those_of_the_case_put_its_steps_off(desk, clerk, step):
    body = {"until": "2026-07-03T15:00:00+08:00", "reason": "salary_day"}
    assert (await clerk.client.post(step + "/defer", json=body)).status_code == 428
    async with desk.person(AUDITOR) as auditor:
        assert (await auditor.edit(step + "/defer", **body)).status_code == 403
    await desk.deps.pool.execute("update cases set team = 'north'")
    assert (await clerk.edit(step + "/defer", version="*", **body)).status_code == 404
