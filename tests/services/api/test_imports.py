"""Files of events: streamed, taken in chunks, resumed after anything that can go wrong on the way."""

import asyncio
import hashlib
import json

import pytest
import uvicorn

from services.api.errors import PROBLEM_BASE
from shared.application import imports
from shared.application.principal import Role
from tests.application.bank import event, payment, report
from tests.services.api.core_banking import CoreBanking, core_banking

CSV_HEADER = b"payment_id,account_id,amount,currency,value_date,posted_at,channel\n"


@pytest.fixture
async def core(database, tmp_path):
    async with core_banking(database, tmp_path) as core:
        yield core


def line(number: int, **change) -> bytes:
    kind, data = report(f"A{number}", f"C{number}")
    return json.dumps(event(kind, data | change, event_id=f"e{number}")).encode() + b"\n"


def lines(*numbers: int) -> bytes:
    return b"".join(map(line, numbers))


def csv_line(number: int, amount: object = 100) -> bytes:
    return f"P{number},A{number},{amount},CNY,2026-06-26,2026-06-26T10:00:00+08:00,transfer\n".encode()


async def send_and_hang_up(core: CoreBanking, location: str, content: bytes, announced_bytes: int) -> None:
    """Over a real socket, to a real server."""
    server = uvicorn.Server(uvicorn.Config(core.app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    headers = {"host": "x", "authorization": core.client.headers["authorization"], "content-length": announced_bytes}
    head = f"PUT {location}/content HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    writer.write(head.encode() + b"\r\n" + content)
    await writer.drain()
    await until(core, "lines_done > 0")  # what the server has not read yet goes with the connection
    writer.close()
    await until(core, "state = 'interrupted'")
    server.should_exit = True
    await serving


async def until(core: CoreBanking, condition: str) -> None:
    async with asyncio.timeout(30):
        while not await core.pool.fetchval(f"select exists (select from imports where {condition})"):
            await asyncio.sleep(0.02)


async def accounts(core: CoreBanking) -> int:
    return await core.pool.fetchval("select count(*) from accounts")


def refused(answer, status: int, slug: str) -> str:
    assert answer.status_code == status, answer.text
    assert answer.json()["type"] == PROBLEM_BASE + slug
    return answer.json()["detail"]


async def test_a_file_goes_in_and_its_answers_are_counted(core):
    content = lines(1, 2) + b"\n" + line(3, currency="XXQ") + lines(1) + b"no event\n"
    answer = await core.take(content, lines=6, sha256=hashlib.sha256(content).hexdigest())
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["state"], done["lines_done"], done["bytes_done"], done["percent"]) == ("done", 6, len(content), 100)
    assert done["counts"] == {"accepted": 2, "duplicate": 1, "rejected": 2}
    rejections = (await core.client.get(f"/v1/imports/{done['id']}/rejections")).json()["items"]
    assert [(each["line"], each["field"]) for each in rejections] == [(4, "/data/currency"), (6, "")]


async def test_the_same_file_again_is_all_duplicate(core):
    await core.take(lines(1, 2, 3))
    assert (await core.take(lines(1, 2, 3))).json()["counts"] == {"duplicate": 3}


async def test_refused_lines_are_paged_and_imports_are_listed(core):
    done = (await core.take(b"x\n" * 5)).json()
    first = await core.client.get(f"/v1/imports/{done['id']}/rejections?limit=3")
    assert [each["line"] for each in first.json()["items"]] == [1, 2, 3]
    rest = await core.client.get(f"/v1/imports/{done['id']}/rejections?limit=3&cursor={first.json()['next']}")
    assert [each["line"] for each in rest.json()["items"]] == [4, 5]
    await core.announce(name="later")
    assert [each["name"] for each in (await core.client.get("/v1/imports")).json()["items"]] == ["later", "test"]
    created = (await core.client.get("/v1/imports?state=created")).json()["items"]
    assert [each["name"] for each in created] == ["later"]


async def test_a_line_of_ten_megabytes_is_refused_as_a_line(core):
    answer = await core.take(lines(1) + b"x" * 10_000_000 + b"\n" + lines(2))
    assert answer.json()["counts"] == {"accepted": 2, "rejected": 1}
    (refusal,) = (await core.client.get(f"/v1/imports/{answer.json()['id']}/rejections")).json()["items"]
    assert (refusal["line"], refusal["reason"]) == (2, "is larger than 65536 bytes")


async def test_a_dropped_connection_leaves_it_interrupted_and_the_next_try_resumes(core, monkeypatch):
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)
    content = lines(*range(1, 8))
    announced = await core.announce(lines=7)
    where = announced.headers["location"]
    cut = content[: len(lines(1, 2, 3)) + 20]
    await send_and_hang_up(core, where, cut, announced_bytes=len(content))
    state = (await core.client.get(where)).json()
    assert (state["state"], state["lines_done"], state["bytes_done"]) == ("interrupted", 3, len(lines(1, 2, 3)))
    assert state["reason"].startswith("the connection was lost")
    assert await accounts(core) == 3
    done = (await core.put(where, content)).json()
    assert (done["state"], done["lines_done"], done["counts"]) == ("done", 7, {"accepted": 7})


@pytest.mark.parametrize("way", ["header", "query"])
async def test_it_resumes_at_a_byte_too(core, way):
    where = (await core.announce(lines=4)).headers["location"]
    refused(await core.put(where, lines(1, 2) + line(3)[:30]), 422, "upload-truncated")
    done = len(lines(1, 2))
    refused(await core.put(f"{where}", lines(3), **{"content-range": f"bytes {done + 1}-*/*"}), 409, "wrong-offset")
    rest = lines(3, 4)
    if way == "header":
        answer = await core.put(where, rest, **{"content-range": f"bytes {done}-*/*"})
    else:
        answer = await core.client.put(f"{where}/content?from_byte={done}", content=rest)
    assert answer.json()["counts"] == {"accepted": 4}
    assert answer.json()["bytes_done"] == len(lines(1, 2, 3, 4))


async def test_with_a_digest_it_resumes_from_its_start_only_so_that_all_of_it_is_checked(core):
    announced = await core.announce(sha256=hashlib.sha256(lines(1, 2)).hexdigest())
    where = announced.headers["location"]
    refused(await core.put(where, lines(1) + line(2)[:30]), 422, "upload-truncated")
    at = {"content-range": f"bytes {len(lines(1))}-*/*"}
    assert "byte 0" in refused(await core.put(where, lines(3), **at), 409, "wrong-offset")
    assert (await core.put(where, lines(1, 2))).json()["state"] == "done"


@pytest.mark.parametrize("again", [b"", lines(1), lines(1) + line(2)[:30], lines(1, 2)[:-30]])
async def test_what_ends_before_the_place_where_it_stands_is_cut_off(core, again):
    where = (await core.announce()).headers["location"]
    refused(await core.put(where, lines(1, 2) + line(3)[:30]), 422, "upload-truncated")
    refused(await core.put(where, again), 422, "upload-truncated")
    assert (await core.client.get(where)).json()["lines_done"] == 2
    assert (await core.put(where, lines(1, 2, 3))).json()["counts"] == {"accepted": 3}


async def test_a_last_line_without_a_line_break_may_be_sent_again(core):
    where = (await core.announce(lines=3)).headers["location"]
    refused(await core.put(where, lines(1, 2)[:-1]), 422, "upload-truncated")
    assert (await core.client.get(where)).json()["lines_done"] == 2
    assert "after 2 of 3" in refused(await core.put(where, lines(1, 2)[:-1]), 422, "upload-truncated")


async def test_a_truncated_upload_is_told_and_loses_nothing(core):
    where = (await core.announce()).headers["location"]
    detail = refused(await core.put(where, lines(1) + line(2)[:-20]), 422, "upload-truncated")
    assert "line 2 is cut off" in detail
    state = (await core.client.get(where)).json()
    assert (state["state"], state["reason"], state["lines_done"]) == ("interrupted", "line 2 is cut off", 1)
    assert (await core.put(where, lines(1, 2))).json()["counts"] == {"accepted": 2}


async def test_fewer_lines_than_announced_is_a_truncated_upload(core):
    where = (await core.announce(lines=3)).headers["location"]
    assert "after 2 of 3 lines" in refused(await core.put(where, lines(1, 2)), 422, "upload-truncated")
    assert (await core.put(where, lines(1, 2, 3))).json()["state"] == "done"


async def test_the_last_line_needs_no_line_break(core):
    assert (await core.take(lines(1, 2)[:-1])).json()["counts"] == {"accepted": 2}


async def test_another_content_than_announced_is_told(core):
    answer = await core.take(lines(1), sha256="0" * 64)
    assert "SHA-256" in refused(answer, 422, "upload-mismatch")
    assert "1 lines were announced" in refused(await core.take(lines(2, 3), lines=1), 422, "upload-mismatch")


async def test_two_at_once_on_one_import(core):
    where = (await core.announce()).headers["location"]
    started, go_on = asyncio.Event(), asyncio.Event()

    async def slowly():
        yield lines(1)
        started.set()
        await go_on.wait()
        yield lines(2)

    first = asyncio.create_task(core.put(where, slowly()))
    await started.wait()
    refused(await core.put(where, lines(1)), 409, "import-running")
    go_on.set()
    assert (await first).json()["counts"] == {"accepted": 2}
    refused(await core.put(where, lines(1)), 409, "import-done")


async def test_a_receiver_that_fell_silent_is_taken_over_and_stops(core, owner):
    where = (await core.announce()).headers["location"]
    started, go_on = asyncio.Event(), asyncio.Event()

    async def silently():
        yield lines(1)
        started.set()
        await go_on.wait()
        yield lines(2)

    first = asyncio.create_task(core.put(where, silently()))
    await started.wait()
    await owner.execute("update imports set updated_at = updated_at - interval '1 hour'")
    assert (await core.client.get(where)).json()["state"] == "interrupted"
    assert (await core.put(where, lines(1, 2))).json()["state"] == "done"
    go_on.set()
    refused(await first, 409, "import-running")
    assert (await core.client.get(where)).json()["state"] == "done"


async def test_a_csv_file_goes_in(core):
    content = CSV_HEADER + csv_line(1) + csv_line(2, "a lot") + csv_line(3)
    about = {"format": "csv", "event_type": "payment.posted.v1", "source": "/core/csv"}
    answer = await core.take(content, lines=4, **about)
    assert answer.json()["counts"] == {"unmatched": 2, "rejected": 1}
    (refusal,) = (await core.client.get(f"/v1/imports/{answer.json()['id']}/rejections")).json()["items"]
    assert (refusal["line"], refusal["field"]) == (3, "amount")
    again = await core.take(content, **about)
    assert again.json()["counts"] == {"duplicate": 2, "rejected": 1}


async def test_a_csv_file_with_a_missing_column_is_refused_before_anything_is_taken(core):
    about = {"format": "csv", "event_type": "payment.posted.v1", "source": "/core/csv"}
    where = (await core.announce(**about)).headers["location"]
    content = CSV_HEADER.replace(b"amount,", b"sum,") + csv_line(1)
    answer = await core.put(where, content)
    refused(answer, 422, "csv-columns")
    assert [(error["in"], error["pointer"], error["reason"]) for error in answer.json()["errors"]] == [
        ("body", "/sum", "is not a column of payment.posted.v1"), ("body", "/amount", "is missing"),
    ]  # fmt: skip
    assert await core.pool.fetchval("select count(*) from payments") == 0
    assert (await core.put(where, CSV_HEADER + csv_line(1))).json()["state"] == "done"


async def test_a_csv_file_that_may_be_cut_is_not_taken_for_whole(core):
    about = {"format": "csv", "event_type": "payment.posted.v1", "source": "/core/csv"}
    where = (await core.announce(**about)).headers["location"]
    refused(await core.put(where, CSV_HEADER + csv_line(1) + csv_line(2)[:-4]), 422, "upload-truncated")
    assert (await core.put(where, CSV_HEADER + csv_line(1) + csv_line(2))).json()["counts"] == {"unmatched": 2}


async def test_events_of_one_customer_are_taken_in_the_order_of_the_file(core):
    facts = [
        report(unpaid=50_000),
        payment(amount=50_000),
        report(sequence=2, unpaid=7, cutoff="2026-06-29T02:00:00+08:00"),
    ]
    content = b"".join(
        json.dumps(event(kind, data, event_id=f"e{n}")).encode() + b"\n" for n, (kind, data) in enumerate(facts)
    )
    assert (await core.take(content)).json()["counts"] == {"accepted": 3}
    assert await core.pool.fetchval("select past_due from accounts") == 7
    kinds = await core.pool.fetch("select type from outbox where type like 'arrears.case.%' order by seq")
    assert [row[0] for row in kinds][:2] == ["arrears.case.opened.v1", "arrears.case.cured.v1"]


async def test_what_can_not_be_announced(core):
    for about in (
        {"format": "xml"},
        {"format": "csv"},
        {"event_type": "payment.posted.v1"},
        {"sha256": "x"},
        {"lines": -1},
        {"lines": "1"},
        {"name": ""},
        {"format": "csv", "event_type": "payment.posted.v1", "source": "a\u0007"},
    ):
        refused(await core.announce(**about), 422, "validation")
    assert (await core.client.post("/v1/imports", json={"name": "x"})).status_code == 400  # no Idempotency-Key


async def test_what_can_not_be_sent(core):
    unknown = "/v1/imports/7b0f1c1e-0000-4000-8000-000000000000"
    refused(await core.put(unknown, b""), 404, "not-found")
    assert (await core.client.get(unknown + "/rejections")).status_code == 404
    where = (await core.announce()).headers["location"]
    refused(await core.put(where, b"", **{"content-type": "image/png"}), 415, "unsupported-media-type")
    refused(await core.put(where, b"", **{"content-encoding": "gzip"}), 415, "unsupported-media-type")
    refused(await core.put(where, b"", **{"content-range": "bytes x"}), 400, "malformed-range")
    assert (await core.put(where, b"")).json()["counts"] == {}


async def test_who_may_do_what(core):
    where = (await core.announce()).headers["location"]
    async with core.as_role(Role.OPERATIONS) as operations:
        assert (await operations.get(where)).status_code == 200
        assert (await operations.put(where + "/content", content=b"")).status_code == 403
    async with core.as_role(Role.COLLECTOR) as collector:
        assert (await collector.get("/v1/imports")).status_code == 403
