"""STOP by text: whoever sends it, and however the provider writes their number, has opted out."""

from __future__ import annotations

import time

import orjson
import pytest

from shared.adapters.gateways.http_sms.signature import signed_headers
from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import DEVELOPMENT_KEY_ID, DEVELOPMENT_SECRET, GatewaySettings
from shared.adapters.normalisation import readings
from shared.application.gateway import Reply
from shared.application.preferences import take_replies
from tests.application.bank import updated
from tests.services.api.people import COLLECTOR, MORNING
from tests.services.api.test_contacts import asked


async def stop(desk, text, sender="13800000001"):
    body = orjson.dumps({"replies": [{"from": sender, "text": text, "at": MORNING.isoformat()}]})
    headers = signed_headers(DEVELOPMENT_SECRET, DEVELOPMENT_KEY_ID, body, time.time())
    async with desk.person(COLLECTOR) as provider:
        return await provider.client.post("/v1/callbacks/http_sms", content=body, headers=headers)


async def test_who_answers_stop_has_opted_out_of_texts_before_the_provider_is_answered(desk, caller):
    gateways = build_gateways(GatewaySettings(), lambda at: at)
    desk.deps.gateways.update(gateways)
    taken = await stop(desk, "谢谢")
    assert taken.json() == {"received": 1, "moved": 0, "opted_out": 0}
    taken = await stop(desk, "退订")
    assert (taken.status_code, taken.json()["opted_out"]) == (200, 1)
    assert (await stop(desk, "T")).json()["opted_out"] == 0, "again changes nothing"
    seen = (await caller.get("/v1/customers/C1/preferences/sms")).json()
    assert (seen["opted_out"], seen["source"]) == (True, "sms_reply")
    refused = await asked(caller, desk, channel="sms")
    assert "cn-opt-out" in {rule["rule_id"] for rule in refused["decision"]["fired"]}
    assert (await asked(caller, desk))["state"] == "granted", "a text is not a call"
    for gateway in gateways.values():
        await gateway.aclose()


async def test_a_stop_from_a_number_that_is_nobodys_stops_nothing(desk):
    for sender in ("+8613900000000", "10086", "not a number"):
        assert await take_replies(desk.deps.work, [Reply(sender, "STOP", MORNING)], readings) == 0


async def opted_out(desk) -> list[str]:
    rows = await desk.bank.rows("select customer_id from preferences where opted_out order by 1")
    return [row["customer_id"] for row in rows]


async def lives(desk, customer, jurisdiction, mobile):
    assert await desk.bank.say(updated(customer, jurisdiction=jurisdiction, mobile=mobile)) == ["accepted"]


async def stopped(desk, sender, text="STOP"):
    return await take_replies(desk.deps.work, [Reply(sender, text, MORNING)], readings)


@pytest.mark.parametrize("sender", ["+12025550123", "12025550123", "2025550123", "(202) 555-0123"])
async def test_a_number_is_read_as_dialled_where_who_has_it_lives(desk, sender):
    await lives(desk, "C8", "CN", "+862025550123")  # what the same ten digits are in China, but nobody dials them so
    await lives(desk, "C9", "US", "(202) 555-0123")
    assert await stopped(desk, sender) >= 1
    assert "C9" in await opted_out(desk)
    assert ("C8" in await opted_out(desk)) == (sender in ("2025550123", "(202) 555-0123"))


@pytest.mark.parametrize(
    ("jurisdiction", "mobile", "sender"),
    [
        ("GB", "07911 123456", "07911123456"),
        ("GB", "07911 123456", "447911123456"),
        ("SG", "8123 4567", "81234567"),
        ("HK", "+8613900001777", "13900001777"),  # who moved, and kept the number
        ("CN", "+447911123456", "447911123456"),
    ],
)
async def test_stop_finds_whom_we_write_to_in_whatever_country(desk, jurisdiction, mobile, sender):
    await lives(desk, "C9", jurisdiction, mobile)
    assert await stopped(desk, sender) == 1
    assert await opted_out(desk) == ["C9"]


async def test_all_who_share_the_number_are_out_wherever_they_live(desk):
    await lives(desk, "C8", "HK", "+8613900001777")
    await lives(desk, "C9", "CN", "139 0000 1777")
    assert await stopped(desk, "13900001777", "退订") == 2
    assert await opted_out(desk) == ["C8", "C9"]


async def test_a_stranger_whose_number_is_read_so_elsewhere_is_left_alone(desk):
    await lives(desk, "C8", "US", "+912025550123")  # an Indian number, which nobody dials so in the United States
    await lives(desk, "C9", "US", "(202) 555-0123")
    assert await stopped(desk, "2025550123") == 1
    assert await opted_out(desk) == ["C9"]
