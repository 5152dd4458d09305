"""Bad input against the real application on a real database: each story ends in a clear problem, nothing is lost,
nothing personal is told, and it is never our fault.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from services.api.app import create_app
from services.api.deps import make_deps
from services.api.dev_issuer import ISSUER, DevIssuer
from services.api.settings import ApiSettings
from services.api.wire import BoundedHttp
from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.wall_clock import wall_seconds
from shared.application.principal import Role
from tests.application.bank import event, payment, profile, report, reversal
from tests.conftest import Database
from tests.services.api.bad_requests import BAD, SECRET, Bad
from tests.services.api.core_banking import CoreBanking, core_banking
from tests.services.api.test_events import ODD
from tests.services.framing import client_of

NAME, MOBILE, MAIL = "欧阳娜娜", "+8613800009999", "ouyang@example.com"
POINTS = [{"kind": "mobile", "value": MOBILE, "source": "contract"}, {"kind": "email", "value": MAIL, "source": "core"}]
TELLTALE = (NAME, MOBILE, MOBILE[3:], MAIL, SECRET, "Traceback", 'File "', "asyncpg", "pydantic", "select ", "postgres")
COUNTED = ("customers", "accounts", "payments", "cases", "holds", "complaints", "imports", "audit", "idempotency_keys")


@pytest.fixture
async def core(database: Database, tmp_path: Path) -> AsyncIterator[CoreBanking]:
    """With one customer who is behind, and gateways to be called back by."""
    async with core_banking(database, tmp_path) as core:
        kind, data = report("A1", "C1")
        about = {"customer": profile(name=NAME) | {"contact_points": POINTS}}
        answer = await core.post(dump([event(kind, data | about, event_id="e0")]))
        assert answer.json()["items"][0]["answer"] == "accepted", answer.text
        yield core


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()


async def test_each_is_told_what_is_wrong_and_where_and_nothing_changes(core: CoreBanking, tmp_path: Path) -> None:
    deps = make_deps(
        ApiSettings(environment="development", home=tmp_path, manual_clock=True),
        core.pool,
        gateways=build_gateways(GatewaySettings()),
    )
    app, before, wrong = create_app(deps), await counts(core), []
    for bad in BAD:
        async with client_of(app, core.issuer.make_token(bad.role)) as client:
            request: dict[str, Any] = {"content": bad.content} if bad.json is None else {"json": bad.json}
            answer = await client.request(bad.method, bad.path, headers=dict(bad.headers), **request)
        if complaint := what_is_wrong_with(answer, bad):
            wrong.append(f"{bad.story}: {complaint}: {answer.status_code} {answer.text[:300]}")
    assert not wrong, "\n".join(wrong)
    assert await counts(core) == before
    for gateway in deps.gateways.values():
        await gateway.aclose()


def what_is_wrong_with(answer: httpx.Response, bad: Bad) -> str | None:
    if answer.headers.get("content-type") != "application/problem+json":
        return "no problem"
    problem = answer.json()
    if not {"type", "title", "status", "detail", "instance", "trace_id"} <= set(problem):
        return "not all that a problem has"
    if (answer.status_code, problem["status"], problem["type"].rsplit("/", 1)[1]) != (bad.status, bad.status, bad.slug):
        return f"expected {bad.status} {bad.slug}"
    if bad.where is not None and bad.where not in [error["pointer"] for error in problem.get("errors", ())]:
        return f"does not say that it is at '{bad.where}'"
    told = [word for word in TELLTALE if word in answer.text or word in str(answer.headers)]
    return f"tells {told}" if told else None


async def counts(core: CoreBanking) -> dict[str, int]:
    return {table: await core.pool.fetchval(f"select count(*) from {table}") for table in COUNTED}


def b64(value: Any) -> str:
    return base64.urlsafe_b64encode(dump(value)).rstrip(b"=").decode()


def forged(core: CoreBanking, home: Path) -> dict[str, str]:
    """Tokens that prove nothing, by what is wrong with them."""
    now = int(wall_seconds())
    claims = {"iss": ISSUER, "aud": "arrears", "sub": "eve", "iat": now, "exp": now + 600, "roles": ["supervisor"]}
    good = core.issuer.make_token(Role.SUPERVISOR)
    header, body, signature = good.split(".")
    kid = core.issuer._key.kid
    own = core.issuer._key

    def signed(key: Any = own, alg: str = "ES256", **change: Any) -> str:
        kept = {name: value for name, value in (claims | change).items() if value is not None}
        return jwt.encode({"alg": alg, "kid": kid}, kept, key, algorithms=[alg])

    none = f"{b64({'alg': 'none', 'kid': kid})}.{b64(claims)}."
    public = json.dumps(own.as_dict(private=False))
    return {
        "nothing": "x",
        "dots": "...",
        "not ASCII": "héllo",
        "too long": "a" * 20_000,
        "cut": good[:-5],
        "signature of another": f"{header}.{body}.{signature[::-1]}",
        "another body": f"{header}.{signed().split('.')[1]}.{signature}",
        "no algorithm": none,
        "no algorithm, signature kept": none + signature,
        "another key under our kid": signed(ECKey.generate_key("P-256")),
        "our public key as a shared secret": signed(OctKey.import_key(public), "HS256"),
        "expired": core.issuer.make_token(Role.SUPERVISOR, seconds=-3600),
        "not yet": signed(nbf=now + 3600),
        "another audience": DevIssuer(home, audience="another").make_token(Role.SUPERVISOR),
        "another issuer": signed(iss="https://evil.example"),
        "never expires": signed(exp=None),
        "expires as text": signed(exp="tomorrow"),
        "nobody": signed(sub=None),
        "a list for a subject": signed(sub=["a"]),
        "a number for a subject": signed(sub=7),
        "expires after the end of time": signed(exp=10**400),
        "NUL in the subject": signed(sub="a\0b"),
    }


async def test_a_token_that_proves_nothing_opens_nothing(core: CoreBanking, tmp_path: Path) -> None:
    for story, token in forged(core, tmp_path).items():
        async with client_of(core.app) as client:
            answer = await client.get("/v1/cases", headers={b"authorization": f"Bearer {token}".encode()})
        assert answer.status_code == 401, (story, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer"), story
        assert token[:40] not in answer.text or len(token) < 5, story


async def test_roles_that_are_no_list_of_texts_open_nothing(core: CoreBanking, tmp_path: Path) -> None:
    now = int(wall_seconds())
    claims = {"iss": ISSUER, "aud": "arrears", "sub": "eve", "iat": now, "exp": now + 600}
    header = {"alg": "ES256", "kid": core.issuer._key.kid}
    for roles in (None, 7, {"supervisor": True}, [["supervisor"]], ["SUPERVISOR"], [None], "root", []):
        token = jwt.encode(header, claims | {"roles": roles}, core.issuer._key, algorithms=["ES256"])
        async with client_of(core.app, token) as client:
            assert (await client.get("/v1/cases")).status_code == 403, roles


async def test_in_a_batch_the_good_are_taken_whatever_is_beside_them(core: CoreBanking) -> None:
    good = [dump(event(*payment(f"P{n}", amount=1 + n), event_id=f"p{n}")) for n in range(len(ODD))]
    pairs = zip(good, (raw.encode() for raw in ODD.values()), strict=True)
    answer = await core.post(b"[" + b",".join(one for pair in pairs for one in pair) + b"]")
    assert answer.status_code == 200, answer.text
    items = answer.json()["items"]
    assert [item["answer"] for item in items] == ["accepted", "rejected"] * len(good)
    assert all(item["problems"] for item in items[1::2])
    assert await core.pool.fetchval("select count(*) from payments") == len(good)
    assert not [word for word in TELLTALE if word in answer.text]


async def test_amounts_that_only_the_ledger_can_refuse_are_refused_alone(core: CoreBanking) -> None:
    facts = [
        payment("P1", amount=100),
        reversal("R1", "P1", amount=101),
        payment("P2", amount=10**15),
        payment("P3", amount=10**15 + 1),
        payment("P4", amount=0),
        payment("P5", currency="USD"),
        report("A1", "C2", sequence=2),
    ]
    answer = await core.post(dump([event(*fact, event_id=f"f{n}") for n, fact in enumerate(facts)]))
    items = {item["id"]: item for item in answer.json()["items"]}
    assert items["f0"]["answer"] == "accepted"
    for number in (1, 3, 4):
        assert items[f"f{number}"]["answer"] == "rejected", items[f"f{number}"]
    assert items["f5"]["answer"] == "unmatched", items["f5"]
    assert answer.status_code == 200


BROKEN_LINES = {
    "no JSON": b"hello",
    "half a line": b'{"specversion": "1.0", "id": "e',
    "not UTF-8": b'{"id": "\xff"}',
    "an array": b"[]",
    "a number": b"1",
    "NUL": b"\x00\x00\x00",
    "a lone surrogate": rb'{"specversion": "1.0", "id": "\ud800", "source": "s", "type": "t", "data": {}}',
    "nested without end": b"[" * 100_000,
    "ten megabytes": b'{"id": "' + b"x" * (10 << 20) + b'"}',
    "a carriage return in it": b'{"id":\r 1}',
} | {name: raw.encode() for name, raw in ODD.items()}  # fmt: skip


async def test_in_a_file_the_good_lines_are_taken_and_the_counts_agree(core: CoreBanking) -> None:
    lines = []
    for number, broken in enumerate(BROKEN_LINES.values()):
        lines += [dump(event(*payment(f"P{number}", amount=1 + number), event_id=f"p{number}")), broken]
    answer = await core.take(b"\n".join(lines) + b"\n", lines=len(lines))
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert done["counts"] == {"accepted": len(BROKEN_LINES), "rejected": len(BROKEN_LINES)}
    assert (done["state"], done["lines_done"]) == ("done", len(lines))
    assert await core.pool.fetchval("select count(*) from payments") == len(BROKEN_LINES)
    refused = (await core.client.get(f"/v1/imports/{done['id']}/rejections?limit=200")).json()["items"]
    assert {each["line"] for each in refused} == {2 * n + 2 for n in range(len(BROKEN_LINES))}
    assert all(each["reason"] for each in refused)
    assert not [word for word in TELLTALE if word in str(refused)]


CSV_ABOUT = {"format": "csv", "event_type": "payment.posted.v1", "source": "/core/csv"}
CSV_HEADER = b"payment_id,account_id,amount,currency,value_date,posted_at,channel\n"
CSV_ODD = {
    "too few cells": b"P1,A1,100,CNY\n",
    "too many cells": b"P2,A1,100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer,more,and more\n",
    "negative": b"P3,A1,-100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n",
    "a fraction": b"P4,A1,100.5,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n",
    "2^63": b"P5,A1,9223372036854775808,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n",
    "digits of another script": "P6,A1,١٠٠,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n".encode(),
    "no such day": b"P7,A1,100,CNY,2026-02-30,2026-06-26T10:00:00+08:00,transfer\n",
    "an unknown currency": b"P8,A1,100,ZZZ,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n",
    "not UTF-8": b"P9,A1,100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,\xff\xfe\n",
    "NUL": b"P\x0010,A1,100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n",
    "an empty line": b",,,,,,\n",
}


async def test_in_a_csv_file_the_good_lines_are_taken_and_the_counts_agree(core: CoreBanking) -> None:
    content = CSV_HEADER
    for number, odd in enumerate(CSV_ODD.values()):
        content += odd + f"G{number},A1,100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n".encode()
    answer = await core.take(content, **CSV_ABOUT)
    assert answer.status_code == 200, answer.text
    assert answer.json()["counts"] == {"accepted": len(CSV_ODD), "rejected": len(CSV_ODD)}
    refused = (await core.client.get(f"/v1/imports/{answer.json()['id']}/rejections")).json()["items"]
    assert {each["line"] for each in refused} == {2 * n + 2 for n in range(len(CSV_ODD))}


CSV_HEADERS = {
    "a missing column": CSV_HEADER.replace(b"amount,", b""),
    "an unknown column": CSV_HEADER.replace(b"amount,", b"amount,colour,"),
    "a column twice": CSV_HEADER.replace(b"amount,", b"amount,amount,"),
    "another separator": CSV_HEADER.replace(b",", b";"),
    "not UTF-8": b"\xff\xfe" + CSV_HEADER,
    "NUL": CSV_HEADER.replace(b"amount", b"amo\0unt"),
    "a header without end": b"x" * (2 << 20) + b"\n",
    "an open quote": b'"' + CSV_HEADER,
    "no header": b"P1,A1,100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n",
}


async def test_a_csv_file_whose_header_is_wrong_is_refused_as_a_whole(core: CoreBanking) -> None:
    for story, header in CSV_HEADERS.items():
        answer = await core.take(header + b"P1,A1,100,CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n", **CSV_ABOUT)
        assert answer.status_code in (400, 422), (story, answer.text)
        assert answer.headers["content-type"] == "application/problem+json", story
    assert await core.pool.fetchval("select count(*) from payments") == 0


async def test_what_only_a_socket_can_send(core: CoreBanking) -> None:
    """Requests that no library would write: headers without end, a body cut off, bytes that are no text."""
    server = uvicorn.Server(uvicorn.Config(core.app, port=0, log_config=None, lifespan="off", http=BoundedHttp))
    running = asyncio.create_task(server._serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    bearer = b"authorization: Bearer " + core.issuer.make_token(Role.CORE_BANKING).encode() + b"\r\n"
    for story, raw, statuses in (
        ("no HTTP", b"hello\r\n\r\n", {400}),
        ("headers without end", b"GET /healthz HTTP/1.1\r\nhost: a\r\nx: " + b"x" * (2 << 20) + b"\r\n\r\n",
         {431, None}),
        ("bytes in the path", b"GET /v1/customers/\xff\xfe HTTP/1.1\r\nhost: a\r\n" + bearer + b"\r\n", {400, 403}),
        ("bytes in the query", b"GET /v1/imports?state=\xff HTTP/1.1\r\nhost: a\r\n" + bearer + b"\r\n", {400, 422}),
        ("bytes in a header", b"GET /v1/imports HTTP/1.1\r\nhost: a\r\nif-none-match: \xff\xfe\r\n" + bearer + b"\r\n",
         {200}),
        ("a length that is none", b"POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-length: many\r\n\r\n", {400}),
        ("a negative length", b"POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n", {400}),
        ("a traceparent of bytes", b"GET /v1/imports HTTP/1.1\r\nhost: a\r\ntraceparent: \xff\r\n" + bearer + b"\r\n",
         {200}),
    ):  # fmt: skip
        assert await _status(port, raw) in statuses, story
    taken = await core.announce()
    where = taken.headers["location"]
    line = dump(event(*payment("P1"), event_id="p1")) + b"\n"
    cut = (
        f"PUT {where}/content HTTP/1.1\r\nhost: a\r\ncontent-type: application/x-ndjson\r\n".encode()
        + bearer + b"content-length: 100000\r\n\r\n" + line + line[:40]
    )  # fmt: skip
    await _status(port, cut, cut=True)
    while (state := (await core.client.get(where)).json()["state"]) in ("created", "receiving"):
        await asyncio.sleep(0.02)
    assert state == "interrupted"
    done = (await core.client.get(where)).json()["lines_done"]  # what was still on its way to us may be cut off too
    assert await core.pool.fetchval("select count(*) from payments") == done
    assert sum((await core.put(where, line)).json()["counts"].values()) == 1
    assert await core.pool.fetchval("select count(*) from payments") == 1
    server.should_exit = True
    await running


async def _status(port: int, raw: bytes, *, cut: bool = False) -> int | None:
    """Send, and hang up when it is to be ``cut``; the status that came back, if any."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    first = b""
    with contextlib.suppress(ConnectionError):  # whoever hangs up on us in the middle does not wait for the rest
        writer.write(raw)
        await writer.drain()
        if cut:
            writer.write_eof()
        async with asyncio.timeout(30):
            first = await reader.readline()
    writer.close()
    return int(first.split()[1]) if first else None
