"""An instalment in a year whose holidays were not announced is moved off them once they are, before it is reminded of
or judged; whoever reads the plan, the row or the news sees the same day."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.application.bank import merged, payment, report, updated
from tests.services.api.people import COLLECTOR, SUPERVISOR, office

TERMS = {
    "customer_id": "C1",
    "accounts": [{"account_id": "A1", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 8,
    "first_on": "2026-07-20",
    "shift": "following",
}
SIGNED = {"agreed_on": "2026-06-30", "form": "written"}
SATURDAY, MONDAY = "2027-02-20", "2027-02-22"


def local(text):
    return datetime.fromisoformat(text + "+08:00")


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report())
        await opened.settle()
        opened.bank.latest = local("2028-01-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR, SUPERVISOR) as person:
        yield person


async def active(desk, clerk):
    """A plan of which all but the last instalment, on a Saturday of 2027, are paid."""
    proposed = await clerk.create("/v1/plans", **TERMS)
    assert proposed.status_code == 201, proposed.text
    path = proposed.headers["location"]
    assert (await clerk.edit(path + "/activate", **SIGNED)).status_code == 200
    (schedule,) = (await clerk.get(path)).json()["schedules"]
    amounts = [each["amount"] for each in schedule["instalments"]]
    await desk.move_to(local("2026-07-10T12:00"))
    await desk.bank.say(payment("P1", amount=sum(amounts[:-1]), posted="2026-07-10T10:00:00+08:00"))
    await desk.settle()
    return path


async def announce(desk, year="2027"):
    document = (await desk.values("select document from calendars where name = 'cn' order by version desc limit 1"))[0]
    years = {**document["years"], year: {"holidays": [], "workdays": []}}
    version = document["version"] + 1
    await desk.deps.pool.execute(
        "insert into calendars (name, version, document, loaded_at) values ('cn', $1, $2, now())",
        version,
        {**document, "version": version, "years": years},
    )
    await desk.deps.shelf.renew()


async def last_day(desk, clerk, path):
    """As the API and the table have it."""
    (schedule,) = (await clerk.get(path)).json()["schedules"]
    (row,) = await desk.values("select due_on from instalments where number = 8")
    shown = schedule["instalments"][-1]["due_on"]
    assert shown == row.isoformat()
    return shown


async def told(desk, word):
    return await desk.values("select payload from outbox where type = $1", f"arrears.plan.{word}.v1")


async def test_it_is_moved_before_the_customer_is_reminded(desk, clerk):
    path = await active(desk, clerk)
    assert await last_day(desk, clerk, path) == SATURDAY
    await desk.move_to(local("2026-12-01T12:00"))
    await announce(desk)
    await desk.move_to(local("2027-02-17T12:00"))
    assert await last_day(desk, clerk, path) == MONDAY
    moved = await desk.values("select data->>'due_on' from case_events where kind = 'plan.instalment_moved'")
    assert moved == [MONDAY]
    assert await told(desk, "instalment_due") == []
    await desk.move_to(local("2027-02-19T10:00"))
    due = await desk.values("select data->>'due_on' from case_events where kind = 'plan.instalment_due'")
    assert due == [MONDAY]


async def test_a_late_clock_judges_by_the_days_that_a_punctual_one_would_have_known(desk, clerk):
    path = await active(desk, clerk)
    await announce(desk)
    await desk.move_to(local("2027-02-24T12:00"))  # the grace of a Saturday would be over
    assert await last_day(desk, clerk, path) == MONDAY
    assert (await told(desk, "instalment_missed"), (await clerk.get(path)).json()["state"]) == ([], "active")


async def test_without_an_announcement_it_stays_and_is_looked_at_in_vain(desk, clerk):
    path = await active(desk, clerk)
    await desk.move_to(local("2027-02-20T12:00"))
    assert await last_day(desk, clerk, path) == SATURDAY
    assert (await clerk.get(path)).json()["state"] == "active"


async def test_an_approved_plan_of_a_customer_who_was_merged_still_lapses(desk, clerk):
    path = (await clerk.create("/v1/plans", **TERMS)).headers["location"]
    assert (await clerk.get(path)).json()["state"] == "approved"
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.settle()
    await desk.move_to(local("2026-09-01T12:00"))
    found = (await clerk.get(path)).json()
    assert (found["customer_id"], found["state"], found["reason"]) == ("C2", "cancelled", "expired")
