"""An opt-out is noted once, announced, and not taken back lightly."""

from __future__ import annotations

import pytest

from tests.application.bank import report, updated
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, office

SMS = "/v1/customers/C1/preferences/sms"


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report())
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


async def test_nothing_said_is_no_opt_out(clerk):
    shown = (await clerk.get("/v1/customers/C1/preferences")).json()
    assert {one["channel"]: one["opted_out"] for one in shown["channels"]} == dict.fromkeys(
        ("sms", "email", "phone", "voice_bot", "letter", "visit"), False
    )
    assert (await clerk.get(SMS)).headers["etag"] == '"0"'


async def test_an_opt_out_is_noted_with_its_source_and_told(desk, clerk):
    answer = await clerk.edit(SMS, "PUT", opted_out=True, source="sms_reply")
    assert (answer.status_code, answer.headers["etag"]) == (200, '"1"')
    assert answer.json() | {"changed_at": None} == {
        "channel": "sms", "opted_out": True, "source": "sms_reply", "changed_at": None, "row_version": 1
    }  # fmt: skip
    assert await desk.rows("select customer_id, channel, opted_out, actor from preferences") == [
        ("C1", "sms", True, "li.na")
    ]
    assert await desk.values("select payload->>'channel' from outbox where type like '%preference_changed.v1'") == [
        "sms"
    ]
    again = await clerk.edit(SMS, "PUT", opted_out=True, source="customer")
    assert (again.status_code, again.headers["etag"], again.json()["source"]) == (200, '"1"', "sms_reply")
    assert await desk.values("select count(*) from outbox where type like '%preference_changed.v1'") == [1]


async def test_taking_it_back_is_for_those_above_a_collector(desk, clerk):
    await clerk.edit(SMS, "PUT", opted_out=True, source="customer")
    assert (await clerk.edit(SMS, "PUT", opted_out=False, source="customer")).status_code == 403
    async with desk.person(COMPLIANCE) as officer:
        back = await officer.edit(SMS, "PUT", opted_out=False, source="customer")
    assert (back.status_code, back.json()["opted_out"], back.json()["row_version"]) == (200, False, 2)


async def test_who_edits_what_somebody_changed_is_told_so(desk, clerk):
    body = {"opted_out": True, "source": "customer"}
    assert (await clerk.client.put(SMS, json=body)).status_code == 428
    assert (await clerk.edit(SMS, "PUT", version='"0"', **body)).status_code == 200
    assert (await clerk.edit(SMS, "PUT", version='"0"', **body)).status_code == 412
    assert (await clerk.edit(SMS.replace("sms", "pigeon"), "PUT", **body)).status_code == 422
    assert (await clerk.edit(SMS.replace("C1", "C7"), "PUT", version="*", **body)).status_code == 404


async def test_another_teams_customer_is_not_there(desk, clerk):
    await desk.deps.pool.execute("update cases set team = 'north'")
    assert (await clerk.get("/v1/customers/C1/preferences")).status_code == 404
    assert (await clerk.edit(SMS, "PUT", version='"0"', opted_out=True, source="customer")).status_code == 404
    async with desk.person(AUDITOR) as auditor:
        assert (await auditor.get(SMS)).status_code == 200
        assert (await auditor.edit(SMS, "PUT", opted_out=True, source="customer")).status_code == 403
