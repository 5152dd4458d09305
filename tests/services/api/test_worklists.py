"""Work for people: worst first, taken once, not while a hold protects the customer, done with an outcome."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest

from shared.adapters.postgres.views.clauses import EVERYTHING, Scope
from shared.adapters.postgres.views.worklists import WorkFilter, list_work
from shared.application.worklists import CHANNELS, CONTACTS, OUTCOMES
from shared.domain.contact_outcome import OUTCOMES as POSSIBLE
from tests.application.bank import report, updated
from tests.services.api.people import AUDITOR, COLLECTOR, SUPERVISOR, office

MANY = """
with made as (
    insert into cases (case_id, customer_id, ordinal, state, bucket, policy_version, opened_at, team, updated_at)
    select gen_random_uuid(), 'X' || n, 1, 'open', 'M1', 1, now(), 'team-' || n % 20, now()
    from generate_series(1, 20000) n returning case_id, customer_id, team
)
insert into work_items (item_id, follow_up_id, case_id, customer_id, kind, step, bucket, past_due, priority, due_on,
                        state, team, created_at)
select gen_random_uuid(), gen_random_uuid(), case_id, customer_id,
       (array['call', 'visit', 'letter', 'legal'])[1 + k % 4],
       'step', 'M1', '{"CNY": 1}', k % 7, date '2026-06-01' + (hashtext(customer_id) & 63) + k % 30,
       case when k % 9 = 0 then 'taken' else 'open' end, team, now()
from made, generate_series(1, 10) k
"""


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        # Ten days past due at noon of 30 June: the call is the newest step due.
        await opened.bank.say(updated(), report())
        await opened.settle()
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


@pytest.fixture
async def call(desk):
    (item_id,) = await desk.values("select item_id from work_items")
    return f"/v1/worklists/{item_id}"


async def test_a_call_is_taken_done_and_closes_its_follow_up(desk, clerk, call):
    (listed,) = (await clerk.get("/v1/worklists")).json()["items"]
    assert (listed["kind"], listed["state"], listed["past_due"]) == ("call", "open", {"CNY": 50_000})
    taken = await clerk.edit(call + "/take")
    assert (taken.status_code, taken.json()["assignee"]) == (200, "li.na")
    done = await clerk.edit(call + "/complete", outcome="promise_to_pay", note="周五付")
    assert (done.status_code, done.json()["state"], done.json()["note"]) == (200, "done", "周五付")
    assert await desk.values("select state from follow_ups where kind = 'call'") == ["done"]
    assert "周五付".encode() not in (await desk.values("select note_enc from work_items"))[0]
    assert (await clerk.get("/v1/worklists")).json()["items"] == []
    assert len((await clerk.get("/v1/worklists", state="done")).json()["items"]) == 1
    told = await desk.values("select type from outbox where type like 'arrears.case.work%' order by seq")
    assert told == ["arrears.case.work_taken.v1", "arrears.case.work_completed.v1"]
    async with desk.person(AUDITOR) as auditor:
        assert (await auditor.get(call)).json()["note"] is None


async def contacts(desk):
    made = await desk.rows("select channel, outcome, permitted, permit_id is not null from contact_attempts")
    return made, await desk.rows("select channel, state, made_by from contact_ledger")


@pytest.mark.parametrize(
    ("outcome", "contact"), [("refused", "right_party"), ("no_response", "no_answer"), ("wrong_person", "other_person")]
)
async def test_a_call_that_was_made_counts_though_nobody_told_of_it(desk, clerk, call, outcome, contact):
    await clerk.edit(call + "/take")
    assert (await clerk.edit(call + "/complete", outcome=outcome)).status_code == 200
    assert await contacts(desk) == ([("phone", contact, False, False)], [("phone", "committed", "attempt")])
    permit = await clerk.create("/v1/contact-permits", customer_id="C1", channel="phone", purpose="answer")
    assert len(permit.json()["decision"]["facts"]["history"]) == 1, "the gate sees it"


async def test_a_call_entered_later_counts_when_it_was_made(desk, clerk, call):
    await clerk.edit(call + "/take")
    tomorrow = await clerk.edit(call + "/complete", outcome="answered", at="2026-07-01T10:00:00+08:00")
    assert (tomorrow.status_code, tomorrow.json()["errors"][0]["pointer"]) == (422, "/at")
    assert await desk.values("select state from work_items") == ["taken"], "nothing of it was kept"
    await clerk.edit(call + "/complete", outcome="answered", at="2026-06-29T23:30:00+08:00")
    made = await desk.rows("select local_date::text, at from contact_ledger")
    assert made == [("2026-06-29", datetime.fromisoformat("2026-06-29T23:30:00+08:00"))]


async def test_the_call_uses_the_permit_that_was_asked_for_it(desk, clerk, call):
    (point,) = await desk.values("select point_id from contact_points where kind = 'mobile'")
    await clerk.edit(call + "/take")
    asked = await clerk.create(
        "/v1/contact-permits", customer_id="C1", channel="phone", contact_point_id=str(point), purpose="dunning"
    )
    assert asked.json()["state"] == "granted", asked.text
    await clerk.edit(call + "/complete", outcome="answered")
    assert await contacts(desk) == ([("phone", "right_party", True, True)], [("phone", "committed", "permit")])
    assert await desk.values("select state from contact_permits") == ["used"]


async def test_a_call_that_was_told_of_is_not_counted_twice(desk, clerk, call):
    await clerk.edit(call + "/take")
    told = {"customer_id": "C1", "channel": "phone", "outcome": "right_party", "effective_talk": True}
    assert (await clerk.create("/v1/contact-attempts", **told)).status_code == 201
    await clerk.edit(call + "/complete", outcome="promise_to_pay")
    assert await contacts(desk) == ([("phone", "right_party", False, False)], [("phone", "committed", "attempt")])


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_way_in_which_a_contact_ends_is_one_that_its_channel_can(kind):
    assert {CONTACTS[outcome] for outcome in OUTCOMES[kind]} <= POSSIBLE[CHANNELS[kind]]


async def test_of_two_who_take_an_item_at_once_one_gets_it(desk, clerk, call):
    async with desk.person(COLLECTOR, name="wu.di") as other:
        answers = await asyncio.gather(*(one.edit(call + "/take", version='"1"') for one in (clerk, other)))
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        assert [(await one.edit(call + "/take")).status_code for one in (clerk, other)] == [409, 409]


async def test_only_who_took_it_or_a_supervisor_goes_on_with_it(desk, clerk, call):
    assert (await clerk.edit(call + "/complete", outcome="refused")).status_code == 409
    await clerk.edit(call + "/take")
    async with desk.person(COLLECTOR, name="wu.di") as other:
        assert (await other.edit(call + "/complete", outcome="refused")).status_code == 403
        assert (await other.edit(call + "/release")).status_code == 403
        async with desk.person(SUPERVISOR, name="chen.wei") as boss:
            back = await boss.edit(call + "/release")
        assert (back.json()["state"], back.json()["assignee"], back.json()["taken_at"]) == ("open", None, None)
        assert (await other.edit(call + "/take")).status_code == 200


async def test_nobody_is_called_while_a_hold_protects_them(desk, clerk, call):
    hold = {"customer_id": "C1", "kind": "hardship", "reason": "illness"}
    made = await clerk.create("/v1/holds", **hold)
    refused = await clerk.edit(call + "/take")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "customer-held")
    await clerk.edit(made.headers["location"] + "/release", reason="recovered")
    assert (await clerk.edit(call + "/take")).status_code == 200


async def test_a_call_does_not_end_as_a_letter_does(clerk, call):
    await clerk.edit(call + "/take")
    for outcome in ("returned", "dinner"):
        answer = await clerk.edit(call + "/complete", outcome=outcome)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/outcome")


async def test_a_case_that_is_given_away_takes_its_work_along(desk, clerk, call):
    (case_id,) = await desk.values("select case_id from cases")
    async with desk.person(SUPERVISOR) as boss:
        await boss.edit(f"/v1/cases/{case_id}/assignment", "PUT", owner=None, team="north")
    assert await desk.values("select team from work_items") == ["north"]
    assert (await clerk.get(call)).status_code == 404
    assert (await clerk.get("/v1/worklists")).json()["items"] == []
    assert (await clerk.edit(call + "/take", version="*")).status_code == 404
    async with desk.person(COLLECTOR, name="wu.di", teams=("north",)) as mate:
        assert len((await mate.get("/v1/worklists", team="north")).json()["items"]) == 1


async def test_the_worst_bucket_comes_first_and_every_filter_narrows(desk, clerk):
    await desk.bank.say(updated("C2"), report("A2", "C2", due="2026-03-20", unpaid=600_000))
    await desk.settle()
    found = (await clerk.get("/v1/worklists")).json()["items"]
    assert [(one["customer_id"], one["bucket"]) for one in found] == [("C2", "M4"), ("C1", "M1")]
    await clerk.edit(f"/v1/worklists/{found[1]['item_id']}/take")
    for params, customers in [
        ({"state": "taken"}, ["C1"]),
        ({"state": "open"}, ["C2"]),
        ({"assignee": "li.na"}, ["C1"]),
        ({"bucket": "M4"}, ["C2"]),
        ({"kind": found[0]["kind"]}, [one["customer_id"] for one in found if one["kind"] == found[0]["kind"]]),
        ({"customer_id": "C2"}, ["C2"]),
        ({"case_id": found[1]["case_id"]}, ["C1"]),
        ({"due_before": "2026-06-30"}, []),
        ({"team": "south"}, []),
    ]:
        items = (await clerk.get("/v1/worklists", **params)).json()["items"]
        assert [one["customer_id"] for one in items] == customers, params


@pytest.mark.slow
async def test_a_page_of_200_000_items_is_read_off_the_index(desk, owner):
    await owner.execute(MANY)
    await owner.execute("analyze work_items; analyze cases")
    south = Scope("li.na", ("team-3",))
    for wanted, scope in [
        (WorkFilter(), EVERYTHING),
        (WorkFilter(kind="visit"), EVERYTHING),
        (WorkFilter(kind="call", state="open"), south),
        (WorkFilter(), south),
    ]:
        seen = []

        class Explaining:
            async def fetchrow(self, statement, *args, seen=seen):
                async with desk.deps.pool.acquire() as connection:
                    for how in ("analyze, buffers", "generic_plan"):  # the second is what a busy connection settles on
                        plan = await connection.fetch(f"explain ({how}) {statement}", *args)
                        seen.append("\n".join(row[0] for row in plan))
                    return await connection.fetchrow(statement, *args)

        after = None
        for _ in range(3):
            listed = await list_work(Explaining(), wanted, scope, after=after, limit=51)
            assert len(listed.docs) == 51
            after = listed.last
        for plan in seen:
            assert "ix_work_items_" in plan, plan
            assert "Seq Scan" not in plan, plan
            assert "Sort Key" not in plan, plan
