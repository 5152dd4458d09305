"""Every no is a problem document, nothing that was sent is repeated, and bad input is never our fault."""

import json

import pytest

from services.api.errors import MEDIA_TYPE, PROBLEM_BASE
from shared.application.principal import Role
from tests.services.framing import client_of, make_app


@pytest.fixture
async def client(tmp_path):
    app, issuer = make_app(tmp_path)
    async with client_of(app, issuer.make_token(Role.COLLECTOR)) as client:
        yield client


def problem(answer, status, slug):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    document = answer.json()
    assert document["type"] == PROBLEM_BASE + slug
    assert document["status"] == status
    assert document["trace_id"] == answer.headers["trace-id"]
    assert document["instance"] == answer.request.url.path.replace("\0", "")
    return document


GOOD = {"name": "x", "amount": 1}


async def put(client, content, **headers):
    if not isinstance(content, bytes):
        content = json.dumps(content).encode()
    return await client.put(
        "/v1/widgets/1", content=content, headers={"content-type": "application/json", "if-match": '"7"'} | headers
    )


async def test_a_refusal_of_a_use_case_carries_its_meaning(client):
    problem(await client.get("/v1/widgets/none"), 404, "not-found")
    document = problem(await put(client, GOOD | {"name": "odd"}), 422, "invalid")
    assert document["errors"] == [{"in": "body", "pointer": "/name", "reason": "is odd", "code": "invalid"}]


async def test_unknown_paths_and_methods_are_problems(client):
    problem(await client.get("/v1/nothing"), 404, "not-found")
    problem(await client.get("/v1/widgets/1/2/3"), 404, "not-found")
    problem(await client.get("/nothing"), 404, "not-found")
    answer = await client.delete("/v1/widgets/1")
    problem(answer, 405, "method-not-allowed")
    assert "GET" in answer.headers["allow"] or "PUT" in answer.headers["allow"]


async def test_each_field_that_is_wrong_is_named_without_its_value(client):
    answer = await put(client, {"name": "", "amount": -5, "currency": "yuan13812345678", "rank": "7"})
    document = problem(answer, 422, "validation")
    assert {error["pointer"] for error in document["errors"]} == {"/name", "/amount", "/currency", "/rank"}
    assert "13812345678" not in answer.text
    answer = await client.get("/v1/widgets", params={"limit": 1000})
    assert problem(answer, 422, "validation")["errors"][0] | {"reason": ""} == {
        "in": "query", "pointer": "limit", "reason": "", "code": "less_than_equal",
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b'{"name": "\xff\xfe", "amount": 1}',
        b'{"name": "\\ud800", "amount": 1}',
        b'{"name": "a\\u0000b", "amount": 1}',
        b'{"name": "x", "amount": NaN}',
        b"[" * 100_000,
        b'{"a":' * 50_000,
    ],
)
async def test_what_is_no_json_is_malformed(client, body):
    problem(await put(client, body), 400, "malformed-json")


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 2**63},
        {"amount": 10**40},
        {"rank": 2**63},
        {"rank": -(2**63) - 1},
        {"amount": 1.5},
        {"amount": True},
        {"amount": "1"},
        {"amount": None},
        {"name": ["x"]},
        {"name": "x" * 201},
    ],
)
async def test_values_of_the_wrong_kind_or_size_are_refused(client, change):
    problem(await put(client, GOOD | change), 422, "validation")


async def test_the_largest_integer_passes(client):
    assert (await put(client, GOOD | {"rank": 2**63 - 1})).status_code == 200
    assert (await client.get(f"/v1/gadgets/numbers/{2**63 - 1}")).status_code == 200
    problem(await client.get(f"/v1/gadgets/numbers/{2**63}"), 422, "validation")


@pytest.mark.parametrize("path", ["/v1/widgets/a%00b", "/v1/widgets?name=%00", "/v1/widgets?cursor=%00"])
async def test_nul_in_a_url_is_refused(client, path):
    problem(await client.get(path), 400, "malformed-request")


async def test_invalid_utf8_in_a_url_is_refused(client):
    problem(await client.get("/v1/widgets/%ff%fe"), 422, "validation")
    answer = await client.get("/v1/widgets?name=%ff")
    assert answer.status_code == 200  # read as the replacement character


async def test_a_body_that_is_not_json_is_named_so(client):
    problem(await put(client, b"<x/>", **{"content-type": "text/xml"}), 415, "unsupported-media-type")


async def test_a_body_too_large_is_refused_before_and_while_it_is_read(client):
    problem(await put(client, b" " * (1024 * 1024 + 1)), 413, "too-large")

    async def chunks():
        for _ in range(20):
            yield b" " * 100_000

    answer = await client.put(
        "/v1/widgets/1", content=chunks(), headers={"content-type": "application/json", "if-match": '"7"'}
    )
    problem(answer, 413, "too-large")


async def test_a_failure_nobody_foresaw_tells_its_trace_only(client):
    answer = await client.get("/v1/gadgets/broken", headers={"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"})
    document = problem(answer, 500, "internal")
    assert document["trace_id"] == "ab" * 16
    assert "secret" not in answer.text


async def test_every_answer_carries_the_security_headers_and_a_trace(client):
    for answer in (await client.get("/healthz"), await client.get("/v1/none"), await client.get("/v1/widgets/1")):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert len(answer.headers["trace-id"]) == 32


async def test_a_malformed_traceparent_begins_a_new_trace(client):
    for bad in ("x", f"00-{'0' * 32}-{'cd' * 8}-01", f"00-{'AB' * 16}-{'cd' * 8}-01"):
        answer = await client.get("/healthz", headers={"traceparent": bad})
        assert answer.headers["trace-id"] not in bad
