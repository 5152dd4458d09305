"""``POST /v1/events``: each event answered on its own, whatever is in it, and never by a fault of ours."""

import json
from urllib.parse import quote

import pytest

from shared.application.principal import Role
from tests.application.bank import SOURCE, event, payment, report, reversal
from tests.services.api.core_banking import core_banking

SINGLE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


@pytest.fixture
async def core(database, tmp_path):
    async with core_banking(database, tmp_path) as core:
        yield core


def dump(value) -> bytes:
    return json.dumps(value).encode()


def good(number: int = 1, **change):
    kind, data = report(f"A{number}", f"C{number}")
    return event(kind, data | change, event_id=f"e{number}")


async def test_a_batch_is_answered_item_by_item_in_its_order(core):
    wrong = good(2, currency="XXQ", credit_limit=-1)
    answer = await core.post(dump([good(1), wrong, "no event", good(1), good(3)]))
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["index"] for item in items] == [0, 1, 2, 3, 4]
    assert [item["answer"] for item in items] == ["accepted", "rejected", "rejected", "duplicate", "accepted"]
    assert {problem["field"] for problem in items[1]["problems"]} == {"/data/currency", "/data/credit_limit"}
    assert (items[1]["id"], items[1]["source"]) == ("e2", SOURCE)
    assert (items[2]["id"], items[2]["reason"]) == (None, "the event can not be taken")
    assert await core.pool.fetchval("select count(*) from accounts") == 2


async def test_a_single_event_and_its_answers(core):
    answer = await core.post(dump(good()), SINGLE)
    assert (answer.status_code, answer.json()["answer"]) == (200, "accepted")
    assert (await core.post(dump(good()), SINGLE)).json()["answer"] == "duplicate"
    kind, data = payment(account="unknown")
    unmatched = await core.post(dump(event(kind, data, event_id="p")), SINGLE)
    assert (unmatched.status_code, unmatched.json()["answer"]) == (200, "unmatched")
    conflict = await core.post(dump(good(credit_limit=7)), SINGLE)
    assert (conflict.status_code, conflict.json()["type"].rsplit("/", 1)[1]) == (409, "event-conflict")
    rejected = await core.post(dump(good(2, currency="XXQ")), SINGLE)
    assert (rejected.status_code, rejected.json()["type"].rsplit("/", 1)[1]) == (422, "event-rejected")
    assert rejected.json()["errors"][0]["pointer"] == "/data/currency"


async def test_a_single_event_that_only_the_ledger_refuses(core):
    facts = [report(), payment(amount=100), reversal(amount=101)]
    events = [event(kind, data, event_id=f"e{n}") for n, (kind, data) in enumerate(facts)]
    answers = [await core.post(dump(each), SINGLE) for each in events]
    assert [answer.status_code for answer in answers] == [200, 200, 422]
    assert "more would be reversed than was paid" in answers[2].json()["detail"]


async def test_a_single_event_that_is_parked_is_answered_202(core, owner):
    await owner.execute("alter table accounts add constraint no_a1 check (account_id <> 'A1')")
    answer = await core.post(dump(good()), SINGLE)
    assert (answer.status_code, answer.json()["answer"]) == (202, "parked")
    found = await core.client.get(f"/v1/events/{quote(SOURCE, safe='')}/e1")
    assert found.json()["answer"] == "parked"


async def test_plain_json_is_read_by_what_it_is(core):
    assert "items" in (await core.post(dump([good(1)]), "application/json")).json()
    assert (await core.post(dump(good(2)), "application/json")).json()["answer"] == "accepted"


@pytest.mark.parametrize("address", [quote(SOURCE, safe=""), SOURCE.lstrip("/")], ids=["encoded", "plain"])
async def test_the_answer_on_record(core, address):
    await core.post(dump([good()]))
    found = await core.client.get(f"/v1/events/{address}/e1")
    if address == SOURCE.lstrip("/"):
        assert found.status_code == 404  # the source starts with a slash
        return
    assert found.json() | {"received_at": None} == {
        "source": SOURCE, "id": "e1", "answer": "accepted", "reason": None, "customer_id": "C1", "received_at": None,
    }  # fmt: skip
    assert (await core.client.get(f"/v1/events/{address}/e2")).status_code == 404


async def test_an_id_with_a_slash_is_found_too(core):
    await core.post(dump([good() | {"id": "2026/06/1"}]))
    found = await core.client.get(f"/v1/events/{quote(SOURCE, safe='')}/{quote('2026/06/1', safe='')}")
    assert found.json()["id"] == "2026/06/1"


MALFORMED = {
    "empty": b"",
    "cut off": b'[{"specversion":',
    "no JSON": b"hello",
    "not UTF-8": b'[{"id": "\xff"}]',
    "NaN": b"[NaN]",
    "an object for a batch": b"{}",
    "nested without end": b"[" * 100_000,
}


async def test_what_is_no_batch_is_a_clear_problem(core):
    for name, body in MALFORMED.items():
        answer = await core.post(body)
        if answer.status_code == 200:  # readable as an array, each item refused
            assert {item["answer"] for item in answer.json()["items"]} == {"rejected"}, name
        else:
            assert answer.status_code == 400, name


async def test_what_is_no_event_is_a_clear_problem(core):
    for body in (b"", b"{", b"[]", b"1", b"null", b'"x"', b"\xff", b"{" * 100_000, b'{"a":' * 50_000):
        answer = await core.post(body, SINGLE)
        assert answer.status_code in (400, 413, 422), body[:10]


RAW = dump(good()).decode()
ODD = {
    "NUL in a text": RAW.replace('"card"', '"ca\\u0000rd"'),
    "NUL in the id": RAW.replace('"e1"', '"e\\u0000"'),
    "a lone surrogate": RAW.replace('"card"', '"\\ud800"'),
    "2^63": RAW.replace("1000000", str(2**63)),
    "2^64 as sequence": RAW.replace('"sequence": 1', f'"sequence": {2**64}'),
    "a number of 5000 digits": RAW.replace("1000000", "9" * 5000),
    "a fraction": RAW.replace("1000000", "1000000.5"),
    "an exponent": RAW.replace("1000000", "1e400"),
    "negative": RAW.replace("1000000", "-1"),
    "text for a number": RAW.replace("1000000", '"1000000"'),
    "unknown currency": RAW.replace('"CNY"', '"ZZZ"'),
    "year 9999": RAW.replace("2026-06-20", "9999-12-31"),
    "year 0": RAW.replace("2026-06-20", "0000-01-01"),
    "no such day": RAW.replace("2026-06-20", "2026-02-30"),
    "the future": RAW.replace("2026-06-25T", "2036-06-25T"),
    "the first instant": RAW.replace("2026-06-25T02:00:00+08:00", "0001-01-01T00:00:00+23:59"),
    "the last instant": RAW.replace("2026-06-25T02:00:00+08:00", "9999-12-31T23:59:59-23:59"),
    "no offset": RAW.replace("02:00:00+08:00", "02:00:00"),
    "another version": RAW.replace('"1.0"', '"0.3"'),
    "unknown type": RAW.replace("delinquency.reported.v1", "delinquency.reported.v2"),
    "data is a list": RAW.replace('"data": {', '"data": [], "more": {'),
    "no data": RAW.replace('"data": {', '"dataa": {'),
}


async def test_odd_content_is_refused_alone_and_never_our_fault(core):
    for number, (name, raw) in enumerate(ODD.items(), 2):
        assert raw != RAW, name
        answer = await core.post(f"[{raw}, {dump(good(number)).decode()}]".encode())
        assert answer.status_code == 200, (name, answer.text)
        odd, other = answer.json()["items"]
        assert (odd["answer"], other["answer"]) == ("rejected", "accepted"), name
        assert odd["problems"], name
        single = await core.post(raw.encode(), SINGLE)
        assert single.status_code in (400, 422), (name, single.text)


async def test_limits(core):
    large = dump(good() | {"extension": "x" * 66_000})
    answer = await core.post(b"[" + large + b"," + dump(good(2)) + b"]")
    assert [item["answer"] for item in answer.json()["items"]] == ["rejected", "accepted"]
    assert (await core.post(large, SINGLE)).status_code == 413
    assert (await core.post(b" " * (8 * 1024 * 1024 + 1))).status_code == 413
    many = await core.post(dump([good()] * 1001))
    assert (many.status_code, many.json()["type"].rsplit("/", 1)[1]) == (422, "too-many-events")
    assert (await core.post(b"[]")).json() == {"items": []}


async def test_who_takes_the_wrong_one_of_two_media_types_is_told_the_right_one(core):
    wrong = [
        (dump([good(1), good(2)]), SINGLE, 422, "event-rejected", BATCH),
        (b" \n[" + dump(good(1)), SINGLE, 400, "malformed-json", BATCH),
        (dump([good(number) for number in range(900)]), SINGLE, 413, "too-large", BATCH),
        (dump(good(1)), BATCH, 400, "malformed-batch", SINGLE),
        (b'{"n": NaN}', BATCH, 400, "malformed-batch", SINGLE),
    ]
    for content, sent_as, status, kind, right in wrong:
        answer = await core.post(content, sent_as)
        assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (status, kind)
        assert right in answer.json()["detail"].replace(",", " ").rstrip(".").split(), (kind, answer.json()["detail"])
    for content, sent_as in ((b"{}", SINGLE), (b"[{", BATCH), (b"x", BATCH)):
        assert "cloudevents" not in (await core.post(content, sent_as)).json()["detail"]
    assert await core.pool.fetchval("select count(*) from accounts") == 0


async def test_only_the_core_sends_and_operations_may_look(core):
    assert (await core.post(dump([]), "text/plain")).status_code == 415
    async with core.as_role(Role.OPERATIONS) as operations:
        answer = await operations.post("/v1/events", content=b"[]", headers={"content-type": BATCH})
        assert answer.status_code == 403
        assert (await operations.get(f"/v1/events/{quote(SOURCE, safe='')}/e1")).status_code == 404
    async with core.as_role(Role.COLLECTOR) as collector:
        assert (await collector.get(f"/v1/events/{quote(SOURCE, safe='')}/e1")).status_code == 403
