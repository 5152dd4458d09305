from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from shared.adapters.gateways.http_sms.signature import SignatureRefused, sign, verify
from tests.services.sandbox.running import Running, message


async def test_messages_are_taken_and_logged_before_the_answer(sandbox: Running) -> None:
    sent = message(text="【银行】尊敬的客户 <b>&") | {"group": "g-1"}
    answer = await sandbox.send(sent, headers={"X-Business-Time": "2026-03-01T10:00:00+08:00"})
    [item] = answer.json()["messages"]
    [entry] = await sandbox.log()
    assert (item["status"], item["provider_id"]) == ("accepted", entry["provider_id"])
    assert (entry["to"], entry["text"], entry["group"]) == (sent["to"], sent["text"], "g-1")
    assert (entry["business_at"], entry["copy"], entry["channel"]) == ("2026-03-01T02:00:00+00:00", 1, "sms")


async def test_a_second_message_under_a_reference_is_a_second_message(sandbox: Running) -> None:
    once = message()
    await sandbox.send(once)
    await sandbox.send(once)
    assert [entry["copy"] for entry in await sandbox.log()] == [1, 2]
    assert (await sandbox.stats())["second_copies"] == 1


async def test_an_idempotent_provider_answers_the_same_again(sandbox: Running) -> None:
    await sandbox.turn(sms={"idempotent": True})
    once = message()
    answers = await asyncio.gather(*(sandbox.send(once) for _ in range(5)))
    assert len({answer.json()["messages"][0]["provider_id"] for answer in answers}) == 1
    assert len(await sandbox.log()) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"key_id": "somebody"}, "unknown_key"),
        ({"secret": "wrong"}, "bad_signature"),
        ({"now": time.time() - 3600}, "bad_age"),
        ({"headers": {"X-Timestamp": "soon"}}, "bad_timestamp"),
    ],
)
async def test_an_unsigned_request_is_refused(sandbox: Running, changed: dict[str, object], code: str) -> None:
    answer = await sandbox.send(message(), **changed)
    assert (answer.status_code, answer.json()["code"]) == (401, code)
    assert await sandbox.log() == []


def test_the_signature_is_hmac_sha256_over_timestamp_dot_body() -> None:
    signature = sign("key", "1700000000", b'{"a":1}')
    assert signature == "a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
    verify("key", {"x-TIMESTAMP": "1700000000", "X-signature": signature.upper()}, b'{"a":1}', 1_700_000_899)
    for now, body in ((1_700_000_901, b'{"a":1}'), (1_699_999_099, b'{"a":1}'), (1_700_000_000, b'{"a":2}')):
        with pytest.raises(SignatureRefused):
            verify("key", {"X-Timestamp": "1700000000", "X-Signature": signature}, body, now)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"messages":[]}',
        b'{"messages":[{"reference":"a","to":"1","text":"\\ud800","valid_until":"2026-01-01T00:00:00Z"}]}',
        b'{"messages":[{"reference":"a","to":"1","text":"x","valid_until":"2026-01-01T00:00:00"}]}',
        b'{"messages":[{"reference":"","to":"1","text":"x","valid_until":"2026-01-01T00:00:00Z"}]}',
        b'{"messages":[{"reference":1,"to":"1","text":"x","valid_until":9223372036854775808}]}',
    ],
)
async def test_malformed_requests_are_refused_whole(sandbox: Running, body: bytes) -> None:
    answer = await sandbox.post("/sms/messages", body)
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed")


async def test_a_batch_is_at_most_two_hundred_messages(sandbox: Running) -> None:
    assert (await sandbox.send(*(message() for _ in range(200)))).status_code == 200
    assert (await sandbox.send(*(message() for _ in range(201)))).status_code == 400
    assert len(await sandbox.log()) == 200


async def test_a_body_that_is_too_long_is_refused(sandbox: Running) -> None:
    assert (await sandbox.post("/sms/messages", b"x" * (2 * 1024 * 1024 + 1))).status_code == 413


async def test_numbers_are_refused_by_their_last_digits(sandbox: Running) -> None:
    late = message() | {"valid_until": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()}
    sent = [message("+8613800000001"), message("+8613800000002"), message("+8613800000009"), late, message(text=" ")]
    answer = await sandbox.send(*sent)
    items = answer.json()["messages"]
    assert [item["code"] for item in items] == ["invalid_number", "blacklisted", None, "expired", "empty_text"]
    assert [item["reference"] for item in items] == [item["reference"] for item in sent]
    assert [entry["to"] for entry in await sandbox.log()] == ["+8613800000009"]


async def test_the_tables_of_refusals_can_be_replaced(sandbox: Running) -> None:
    await sandbox.turn(sms={"reject": {"99": "sensitive_word"}})
    answer = await sandbox.send(message("+8613800000001"), message("+8613800000099"))
    assert [item["code"] for item in answer.json()["messages"]] == [None, "sensitive_word"]


async def test_a_query_finds_what_was_taken_and_says_what_is_unknown(sandbox: Running) -> None:
    await sandbox.turn(receipts={"delay_ms": 60_000})
    known = message()
    await sandbox.send(known, headers={"X-Business-Time": "2026-03-01T10:00:00+00:00"})
    answer = (await sandbox.post("/sms/query", {"references": [known["reference"], "nobody"]})).json()
    assert answer["unknown"] == ["nobody"]
    [found] = answer["messages"]
    assert (found["reference"], found["status"]) == (known["reference"], "accepted")
    assert found["at"].startswith("2026-03-01T10:00:0")


async def test_a_query_reports_the_end_once_the_receipt_is_due(sandbox: Running) -> None:
    await sandbox.turn(receipts={"delay_ms": 0})
    reached, missed = message(), message("+8613800000003")
    await sandbox.send(reached, missed)
    asked = {"references": [reached["reference"], missed["reference"]]}
    found = (await sandbox.post("/sms/query", asked)).json()["messages"]
    assert [(item["status"], item["code"]) for item in found] == [
        ("delivered", None),
        ("undelivered", "absent_subscriber"),
    ]


async def test_a_message_is_hidden_from_queries_for_the_query_delay(sandbox: Running) -> None:
    await sandbox.turn(sms={"query_delay_ms": 60_000})
    sent = message()
    await sandbox.send(sent)
    asked = {"references": [sent["reference"]]}
    assert (await sandbox.post("/sms/query", asked)).json()["unknown"] == [sent["reference"]]
    await sandbox.turn(sms={"query_delay_ms": 0})
    assert (await sandbox.post("/sms/query", asked)).json()["unknown"] == []


async def test_too_many_messages_are_told_when_to_come_again(sandbox: Running) -> None:
    await sandbox.turn(sms={"throttle_per_second": 0.01})
    assert (await sandbox.send(*(message() for _ in range(8)))).status_code == 200
    refused = await sandbox.send(message())
    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) in range(750, 801), "less what has passed since"
    assert len(await sandbox.log()) == 8


async def test_a_slow_provider_answers_late(sandbox: Running) -> None:
    await sandbox.turn(sms={"delay_ms": 150})
    began = time.monotonic()
    await sandbox.send(message())
    assert time.monotonic() - began >= 0.15


async def test_a_failing_provider_may_or_may_not_have_the_messages(sandbox: Running) -> None:
    await sandbox.turn(sms={"fail_5xx": 1})
    assert (await sandbox.send(message())).status_code == 500
    assert await sandbox.log() == []
    await sandbox.turn(sms={"fail_5xx_takes": 1})
    assert (await sandbox.send(message())).status_code == 500
    assert len(await sandbox.log()) == 1


@pytest.mark.parametrize(("mode", "error"), [("hang", httpx.ReadTimeout), ("close", httpx.TransportError)])
async def test_a_message_is_taken_and_never_answered(sandbox: Running, mode: str, error: type[Exception]) -> None:
    await sandbox.turn(sms={"never_answer_next": 1, "never_answer_mode": mode})
    patient, sandbox.client.timeout = sandbox.client.timeout, httpx.Timeout(1 if mode == "hang" else 20)
    with pytest.raises(error):
        await sandbox.send(message())
    sandbox.client.timeout = patient
    assert len(await sandbox.log()) == 1
    assert (await sandbox.send(message())).status_code == 200


async def test_the_same_seed_makes_the_same_mistakes(sandbox: Running) -> None:
    references = [f"reference-{number}" for number in range(40)]

    async def mistakes(seed: int) -> list[int]:
        await sandbox.turn(seed=seed, sms={"fail_5xx": 0.5})
        return [(await sandbox.send(message(reference=reference))).status_code for reference in references]

    first, other, again = await mistakes(7), await mistakes(8), await mistakes(7)
    assert first == again != other
    assert 5 < first.count(500) < 35


async def test_a_provider_that_is_down_answers_nothing_but_503(sandbox: Running) -> None:
    await sandbox.turn(sms={"down": True})
    assert (await sandbox.send(message())).status_code == 503
    assert (await sandbox.post("/sms/query", {"references": ["a"]})).status_code == 503
    assert await sandbox.log() == []
