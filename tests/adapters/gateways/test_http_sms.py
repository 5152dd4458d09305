from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import pytest

from shared.adapters.gateways.http_sms.errors import BY_CODE
from shared.adapters.gateways.http_sms.gateway import HttpSmsGateway
from shared.adapters.gateways.http_sms.signature import signed_headers
from shared.adapters.gateways.settings import DEVELOPMENT_KEY_ID, DEVELOPMENT_SECRET, GatewaySettings
from shared.application.gateway import (
    CallbackRefused,
    ErrorClass,
    Outcome,
    OutcomeKind,
    ReceiptStatus,
    Submission,
)
from tests.adapters.gateways.scripted import CLOSE, SILENCE, HttpScript, http_answer, serving
from tests.services.sandbox.running import Running, submission


def always() -> bool:
    return True


def gateway_at(
    url: str, business_time: Callable[[], datetime | None] = lambda: None, **settings: object
) -> HttpSmsGateway:
    patient = {"sms_connect_timeout": 20, "sms_answer_timeout": 20}
    return HttpSmsGateway(GatewaySettings(sms_url=url, **(patient | settings)), business_time)


async def scripted(answer: bytes, batch: list[Submission], **settings: object) -> tuple[list[Outcome], HttpScript]:
    script = HttpScript(answer)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serving(script))
        gateway = gateway_at(f"http://127.0.0.1:{port}", **settings)
        stack.push_async_callback(gateway.aclose)
        return await gateway.submit(batch, always), script


async def test_a_batch_is_accepted_and_answered_in_order(sandbox: Running) -> None:
    gateway = gateway_at(sandbox.url, lambda: datetime(2026, 3, 1, 10, tzinfo=UTC))
    batch = [submission(body=f"第{number}条") for number in range(200)]
    outcomes = await gateway.submit(batch, always)
    log = await sandbox.log()
    assert {outcome.kind for outcome in outcomes} == {OutcomeKind.ACCEPTED}
    assert [outcome.provider_id for outcome in outcomes] == [entry["provider_id"] for entry in log]
    assert [(entry["reference"], entry["group"], entry["text"]) for entry in log] == [
        (item.reference, item.message_group, item.body) for item in batch
    ]
    assert {entry["business_at"] for entry in log} == {"2026-03-01T10:00:00+00:00"}
    await gateway.aclose()


async def test_without_business_time_no_header_is_sent() -> None:
    _, script = await scripted(http_answer(500), [submission()])
    assert b"x-business-time" not in script.requests[0].lower()


async def test_each_message_has_its_own_outcome(sandbox: Running) -> None:
    gateway = gateway_at(sandbox.url)
    outcomes = await gateway.submit(
        [submission(), submission("+8613800000001"), submission("+8613800000004"), submission(body="  ")], always
    )
    assert [(outcome.kind, outcome.error, outcome.code) for outcome in outcomes] == [
        (OutcomeKind.ACCEPTED, None, None),
        (OutcomeKind.REJECTED, ErrorClass.ADDRESS, "invalid_number"),
        (OutcomeKind.NOT_SENT, ErrorClass.THROTTLED, "frequency_limit"),
        (OutcomeKind.REJECTED, ErrorClass.CONTENT, "empty_text"),
    ]
    await gateway.aclose()


@pytest.mark.parametrize(
    ("answer", "kind", "error", "code"),
    [
        (http_answer(500), OutcomeKind.IN_DOUBT, None, "http_500"),
        (http_answer(503, b'{"code":"too_many_requests"}'), OutcomeKind.IN_DOUBT, None, "too_many_requests"),
        (http_answer(408), OutcomeKind.IN_DOUBT, None, "http_408"),
        (http_answer(409), OutcomeKind.IN_DOUBT, None, "http_409"),
        (http_answer(400, b'{"code":"malformed"}'), OutcomeKind.REJECTED, ErrorClass.CONTENT, "malformed"),
        (http_answer(400, b'{"code":"internal_timeout"}'), OutcomeKind.IN_DOUBT, None, "internal_timeout"),
        (http_answer(400, b'{"code":"no_balance"}'), OutcomeKind.REJECTED, ErrorClass.ROUTE, "no_balance"),
        (http_answer(401), OutcomeKind.REJECTED, ErrorClass.ROUTE, "http_401"),
        (http_answer(404, b"<html>"), OutcomeKind.REJECTED, ErrorClass.ROUTE, "http_404"),
        (
            http_answer(307, b"", "Location: http://127.0.0.1:1/\r\n"),
            OutcomeKind.REJECTED,
            ErrorClass.ROUTE,
            "http_307",
        ),
        (http_answer(200, b"not json"), OutcomeKind.IN_DOUBT, None, "unreadable_answer"),
        (http_answer(200, b'{"messages":[]}'), OutcomeKind.IN_DOUBT, None, "no_answer_for_item"),
        (b"nonsense\r\n\r\n", OutcomeKind.IN_DOUBT, None, "RemoteProtocolError"),
        (b"HTTP/1.1 200 X\r\nContent-Length: 99\r\n\r\n{", OutcomeKind.IN_DOUBT, None, "ReadTimeout"),
        (CLOSE, OutcomeKind.IN_DOUBT, None, "RemoteProtocolError"),
        (SILENCE, OutcomeKind.IN_DOUBT, None, "ReadTimeout"),
    ],
)
async def test_an_answer_to_the_whole_batch_is_everyones(
    answer: bytes, kind: OutcomeKind, error: ErrorClass | None, code: str
) -> None:
    patience = 1 if code == "ReadTimeout" else 20
    outcomes, script = await scripted(answer, [submission(), submission()], sms_answer_timeout=patience)
    assert outcomes == [Outcome(kind, error, None, code)] * 2
    assert len(script.requests) == 1, "one call is one try"


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("999999999", 86_400), ("soon", None), ("-1", None)])
async def test_a_throttled_batch_says_when_to_come_again(header: str, seconds: int | None) -> None:
    outcomes, _ = await scripted(http_answer(429, b"{}", f"Retry-After: {header}\r\n"), [submission()])
    assert outcomes == [Outcome(OutcomeKind.NOT_SENT, ErrorClass.THROTTLED, None, "http_429", seconds)]


async def test_an_unknown_status_is_a_doubt_and_an_unknown_code_a_refusal() -> None:
    odd, refused = submission(), submission()
    body = json.dumps(
        {
            "messages": [
                {"reference": refused.reference, "status": "rejected", "code": "new_rule"},
                {"reference": odd.reference, "status": "maybe"},
            ]
        }
    ).encode()
    outcomes, _ = await scripted(http_answer(200, body), [odd, refused])
    assert [(outcome.kind, outcome.error) for outcome in outcomes] == [
        (OutcomeKind.IN_DOUBT, None),
        (OutcomeKind.REJECTED, ErrorClass.CONTENT),
    ]


async def test_a_provider_that_cannot_be_reached_never_had_the_batch() -> None:
    async with serving(HttpScript(CLOSE)) as port:
        pass
    gateway = gateway_at(f"http://127.0.0.1:{port}")
    assert await gateway.submit([submission()], always) == [
        Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, None, "ConnectError")
    ]
    await gateway.aclose()


async def test_a_failed_tls_handshake_never_had_the_batch() -> None:
    async def no_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.write(b"HTTP/1.1 400 no\r\n\r\n")

    async with serving(no_tls) as port:
        gateway = gateway_at(f"https://127.0.0.1:{port}")
        [outcome] = await gateway.submit([submission()], always)
        await gateway.aclose()
    assert (outcome.kind, outcome.error) == (OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)


async def test_the_guard_is_asked_after_the_connection_stands_and_before_the_first_byte() -> None:
    script = HttpScript(http_answer(500))
    async with serving(script) as port:
        gateway = gateway_at(f"http://127.0.0.1:{port}")
        outcomes = await gateway.submit([submission()], lambda: False)
        await asyncio.sleep(0.05)
        await gateway.aclose()
    assert outcomes == [Outcome(OutcomeKind.NOT_SENT, code="not_allowed")]
    assert script.requests == []


async def test_a_batch_above_the_providers_is_a_fault_of_ours(sandbox: Running) -> None:
    gateway = gateway_at(sandbox.url, sms_batch_size=1)
    with pytest.raises(ValueError, match="batch of 2"):
        await gateway.submit([submission(), submission()], always)
    assert await gateway.submit([], always) == []
    await gateway.aclose()


async def test_a_text_that_is_no_unicode_is_refused_and_the_others_go(sandbox: Running) -> None:
    gateway = gateway_at(sandbox.url)
    outcomes = await gateway.submit([submission(), submission(body="\ud800"), submission(body="好")], always)
    assert [outcome.kind for outcome in outcomes] == [
        OutcomeKind.ACCEPTED,
        OutcomeKind.REJECTED,
        OutcomeKind.ACCEPTED,
    ]
    assert [entry["text"] for entry in await sandbox.log()] == ["您好", "好"]
    await gateway.aclose()


async def test_a_doubt_is_resolved_by_asking(sandbox: Running) -> None:
    await sandbox.turn(sms={"never_answer_next": 1}, receipts={"delay_ms": 0})
    gateway = gateway_at(sandbox.url, sms_answer_timeout=1)
    doubtful, never_sent = submission(), submission()
    [outcome] = await gateway.submit([doubtful], always)
    assert outcome.kind is OutcomeKind.IN_DOUBT
    found = await gateway.query([doubtful.reference, never_sent.reference])
    known = found[doubtful.reference]
    assert known is not None
    assert known.status is ReceiptStatus.DELIVERED
    assert found[never_sent.reference] is None
    await gateway.aclose()


async def test_many_references_are_asked_for_in_batches(sandbox: Running) -> None:
    gateway = gateway_at(sandbox.url)
    found = await gateway.query([f"reference-{number}" for number in range(450)])
    assert len(found) == 450
    assert (await sandbox.stats())["sms"]["queries"] == 3
    await gateway.aclose()


async def test_what_could_not_be_asked_is_absent(sandbox: Running) -> None:
    gateway = gateway_at(sandbox.url)
    await sandbox.turn(sms={"down": True})
    assert await gateway.query(["a", "b"]) == {}
    await gateway.aclose()


@pytest.mark.parametrize(
    "body", [b"{}", b'{"messages":[],"unknown":["other"]}', b'{"messages":[{"reference":"a"}],"unknown":[]}', b"x"]
)
async def test_an_answer_that_does_not_speak_of_a_reference_says_nothing_of_it(body: bytes) -> None:
    async with serving(HttpScript(http_answer(200, body))) as port:
        gateway = gateway_at(f"http://127.0.0.1:{port}")
        assert await gateway.query(["a"]) == {}
        await gateway.aclose()


def receipt_body(**changed: object) -> bytes:
    receipt = {"reference": "r-1", "status": "delivered", "at": "2026-03-01T10:00:00+08:00", "provider_id": "p"}
    return json.dumps({"receipts": [receipt | changed]}).encode()


def callback_headers(body: bytes, now: float | None = None, secret: str = DEVELOPMENT_SECRET) -> dict[str, str]:
    return signed_headers(secret, DEVELOPMENT_KEY_ID, body, time.time() if now is None else now)


def test_a_signed_callback_is_read() -> None:
    gateway = gateway_at("http://127.0.0.1:1")
    body = receipt_body(status="undelivered", code="blacklisted", unknown_field=1)
    [receipt] = gateway.callback(body, {name.lower(): value for name, value in callback_headers(body).items()}).receipts
    assert (receipt.reference, receipt.status, receipt.error) == (
        "r-1",
        ReceiptStatus.UNDELIVERED,
        ErrorClass.ADDRESS,
    )
    assert receipt.at == datetime(2026, 3, 1, 2, tzinfo=UTC)


def test_callbacks_may_have_a_secret_of_their_own() -> None:
    gateway = gateway_at("http://127.0.0.1:1", sms_callback_secret="other")
    body = receipt_body()
    assert gateway.callback(body, callback_headers(body, secret="other")).receipts
    with pytest.raises(CallbackRefused):
        gateway.callback(body, callback_headers(body))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"receipts":{}}',
        receipt_body(status="sent"),
        receipt_body(at="2026-03-01T10:00:00"),
        receipt_body(at=1_700_000_000),
        receipt_body(reference=""),
        receipt_body(reference="r" * 65),
        receipt_body(reference=None),
    ],
)
def test_a_callback_of_the_wrong_form_is_refused_without_its_content(body: bytes) -> None:
    gateway = gateway_at("http://127.0.0.1:1")
    with pytest.raises(CallbackRefused, match="not what was agreed"):
        gateway.callback(body, callback_headers(body))


def test_a_callback_that_is_not_signed_or_too_old_is_refused() -> None:
    gateway = gateway_at("http://127.0.0.1:1")
    body = receipt_body()
    for headers in (
        {},
        callback_headers(body, time.time() - 901),
        callback_headers(body, secret="wrong"),
        callback_headers(body + b" "),
        callback_headers(body) | {"X-Signature": "ü"},
    ):
        with pytest.raises(CallbackRefused):
            gateway.callback(body, headers)


def test_the_error_table_never_calls_a_doubt_unsent() -> None:
    for kind, error in BY_CODE.values():
        assert (kind is OutcomeKind.IN_DOUBT) == (error is None)
