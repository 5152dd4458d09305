"""One key, one effect: however often and however closely together it is asked, and whatever fails in between."""

import asyncio

import pytest

from shared.adapters.postgres.pool import Pool
from shared.application.principal import Role
from tests.services.framing import client_of, make_app

WIDGETS = """
create table widgets (id bigint generated always as identity, name text not null check (name <> 'crash'));
grant select, insert on widgets to public;
"""


@pytest.fixture
async def pool(database, owner):
    await owner.execute(WIDGETS)
    pool = await Pool.open(database.dsn(), size=4)
    yield pool
    await pool.close()


@pytest.fixture
async def api(tmp_path, pool):
    app, issuer = make_app(tmp_path, pool)
    async with client_of(app, issuer.make_token(Role.COLLECTOR)) as client:
        client.issuer, client.gate = issuer, app.state.gate
        yield client


def post(api, key, name="x", amount=1, **headers):
    given = {"idempotency-key": key} if key is not None else {}
    return api.post("/v1/widgets", json={"name": name, "amount": amount}, headers=given | headers)


async def widgets(pool):
    return await pool.fetchval("select count(*) from widgets")


async def test_the_same_request_again_gets_the_same_answer(api, pool):
    first = await post(api, "k1")
    again = await post(api, "k1")
    assert first.status_code == again.status_code == 201
    assert again.content == first.content
    for header in ("location", "content-type"):
        assert again.headers[header] == first.headers[header]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert await widgets(pool) == 1


async def test_spelling_does_not_matter_but_content_does(api, pool):
    await post(api, '"k1"')
    spelled = await api.post(
        "/v1/widgets",
        content=b'{ "amount": 1, "name": "\\u0078" }',
        headers={"idempotency-key": "k1", "content-type": "application/json"},
    )
    assert spelled.status_code == 201
    other = await post(api, "k1", amount=2)
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")
    assert await widgets(pool) == 1


async def test_while_the_first_is_running_the_second_is_told_so(api, pool):
    first = asyncio.create_task(post(api, "k1", name="slow"))
    await api.gate.reached.wait()
    second = await post(api, "k1", name="slow")
    assert second.status_code == 409
    assert second.json()["type"].endswith("/idempotency-key-in-use")
    assert second.headers["retry-after"] == "1"
    api.gate.open.set()
    assert (await first).status_code == 201
    assert (await post(api, "k1", name="slow")).status_code == 201
    assert await widgets(pool) == 1


async def test_of_many_at_once_one_has_the_effect(api, pool):
    answers = await asyncio.gather(*(post(api, "k1") for _ in range(30)))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await widgets(pool) == 1


async def test_a_refusal_or_a_crash_leaves_nothing_behind(api, pool):
    assert (await post(api, "k1", name="refused")).status_code == 409
    assert (await post(api, "k2", name="crash")).status_code == 500
    assert (await post(api, "k3", name="")).status_code == 422
    assert await pool.fetchval("select count(*) from idempotency_keys") == 0
    assert {(await post(api, key)).status_code for key in ("k1", "k2", "k3")} == {201}


async def test_a_client_that_hangs_up_leaves_all_or_nothing(api, pool):
    request = asyncio.create_task(post(api, "k1", name="slow"))
    await api.gate.reached.wait()
    request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    assert await widgets(pool) == await pool.fetchval("select count(*) from idempotency_keys") == 0
    api.gate.open.set()
    assert (await post(api, "k1", name="slow")).status_code == 201


async def test_a_connection_cut_before_the_commit_leaves_nothing_and_says_later(api, pool, owner):
    request = asyncio.create_task(post(api, "k1", name="slow"))
    await api.gate.reached.wait()
    await owner.execute(  # and wait until it is gone
        "select pg_terminate_backend(pid, 20000) from pg_stat_activity"
        " where datname = current_database() and application_name = 'arrears' and state like 'idle in%'"
    )
    api.gate.open.set()
    answer = await request
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert (await post(api, "k1", name="slow")).status_code == 201
    assert await widgets(pool) == 1


async def test_keys_belong_to_their_caller(api, pool):
    await post(api, "k1")
    other = api.issuer.make_token(Role.COLLECTOR, subject="somebody-else")
    answer = await post(api, "k1", name="other", authorization=f"Bearer {other}")
    assert (answer.status_code, answer.json()["name"]) == (201, "other")
    assert await widgets(pool) == 2


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        (None, "missing"),
        ("", "malformed"),
        ('""', "malformed"),
        ("x" * 256, "malformed"),
        ("a\tb", "malformed"),
        ("é".encode("latin-1"), "malformed"),
    ],
)
async def test_a_missing_or_malformed_key_is_a_bad_request(api, key, problem):
    answer = await post(api, key)
    assert answer.status_code == 400
    assert answer.json()["type"].endswith(f"/idempotency-key-{problem}")
    assert (await post(api, "x" * 255)).status_code == 201


async def test_the_stored_answer_is_unreadable_in_the_database(api, pool):
    await post(api, "k1", name="王小明")
    stored = await pool.fetchrow("select body, fingerprint from idempotency_keys")
    assert "王小明".encode() not in stored["body"]
    assert (await post(api, "k1", name="王小明")).json()["name"] == "王小明"


async def test_what_the_database_can_not_store_is_the_callers_problem(api):
    answer = await api.get("/v1/gadgets/unstorable")
    assert answer.status_code == 422
    assert answer.json()["type"].endswith("/not-storable")


async def test_the_pool_serves_in_order_and_reads_json(pool):
    order = []

    async def take(number):
        async with pool.acquire() as connection:
            order.append(number)
            await connection.execute("select pg_sleep(0.005)")

    await asyncio.gather(*(take(number) for number in range(20)))
    assert order == sorted(order)
    assert await pool.fetchval("select $1::jsonb", {"a": [1, "值"]}) == {"a": [1, "值"]}
    assert await pool.fetchval("select $1::jsonb", b'{"raw":true}') == {"raw": True}
    assert await pool.fetchval("select $1::jsonb", None) is None


async def test_ready_means_the_database_answers(api, pool):
    assert (await api.get("/readyz")).json() == {"status": "ready", "checks": {"database": True}}
    await pool.close()
    assert (await api.get("/readyz")).status_code == 503


async def test_an_abandoned_transaction_does_not_leak_into_the_next_lease(pool):
    async def fail():
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("insert into widgets (name) values ('left')")
            raise RuntimeError

    await asyncio.gather(*(fail() for _ in range(pool.size)), return_exceptions=True)
    assert await widgets(pool) == 0
    assert pool.free == pool.size
