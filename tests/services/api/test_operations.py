"""Operations see how much waits where, never a zero that is not one; what was given up is decided on record."""

import json
from datetime import timedelta

import asyncpg
import pytest

from shared.adapters.postgres.views import operations
from shared.application.principal import Role
from shared.domain.message import AttemptState


async def queues_of(client):
    return {each["name"]: each for each in (await client.get("/v1/ops/queues")).json()["queues"]}


async def given_up(portfolio, customer_id="C-1", state="dead", consumer="intake"):
    key = f"{consumer}/core/e-{customer_id}-{state}"
    sealed = portfolio.deps.cipher.encrypt_bytes("parked", "envelope", key, b"{}")
    return await portfolio.deps.pool.fetchval(
        """
        insert into parked (consumer, customer_id, source, event_id, type, envelope_enc, tries, not_before, error,
                            state, parked_at)
        values ($1, $2, 'core', $3, 'payment.posted.v1', $4, 8, clock_timestamp() + interval '1 hour', 'UnknownVersion',
                $5, $6) returning entry
        """,
        consumer,
        customer_id,
        f"e-{customer_id}-{state}",
        sealed,
        state,
        portfolio.now - timedelta(minutes=5),
    )


async def test_queues_are_measured_by_depth_and_age(portfolio):
    await portfolio.overdue()
    await portfolio.plan()
    await portfolio.remind(told=AttemptState.IN_DOUBT)
    await given_up(portfolio)
    await portfolio.move_to(portfolio.now + timedelta(seconds=90))
    async with portfolio.as_(Role.OPERATIONS) as client:
        queues = await queues_of(client)
    assert queues["outbox"]["depth"] > 0
    assert queues["outbox"]["oldest_seconds"] == 90
    assert queues["outbox"]["per_minute"] == 0
    assert queues["attempts in doubt"]["depth"] == 1
    assert queues["attempts sending"] == {
        "name": "attempts sending",
        "state": "measured",
        "depth": 0,
        "oldest_seconds": None,
        "per_minute": None,
        "last_error": None,
    }
    dead = queues["dead at intake"]
    assert (dead["depth"], dead["oldest_seconds"], dead["last_error"]) == (1, 390, "UnknownVersion")


async def sent(portfolio, event_id):
    """An event of C-1, as the core-banking system sends it."""
    data = {
        "payment_id": event_id,
        "account_id": "A-1",
        "amount": 100,
        "currency": "CNY",
        "value_date": f"{portfolio.now:%Y-%m-%d}",
        "posted_at": portfolio.now.isoformat(),
        "channel": "transfer",
    }
    event = {"specversion": "1.0", "id": event_id, "source": "core", "type": "payment.posted.v1", "data": data}
    async with portfolio.as_(Role.CORE_BANKING) as client:
        headers = {"content-type": "application/cloudevents+json"}
        return (await client.post("/v1/events", content=json.dumps(event), headers=headers)).json()["answer"]


async def test_what_waits_behind_a_failure_is_shown_with_the_cause_of_that_failure(portfolio):
    await portfolio.overdue()
    front = await given_up(portfolio)
    assert await sent(portfolio, "P-1") == "parked"
    async with portfolio.as_(Role.OPERATIONS) as client:
        queues = await queues_of(client)
        (waiting,) = (await client.get("/v1/ops/dead-letters?state=parked")).json()["items"]
        (dead,) = (await client.get("/v1/ops/dead-letters?state=dead")).json()["items"]
    assert (queues["parked at intake"]["depth"], queues["parked at intake"]["last_error"]) == (1, "UnknownVersion")
    assert (waiting["event_id"], waiting["error"], waiting["waits_for"]) == ("P-1", "UnknownVersion", front)
    assert (dead["entry"], dead["error"], dead["waits_for"]) == (front, "UnknownVersion", None)


async def test_what_comes_to_the_front_and_was_not_tried_yet_has_no_error_of_the_queue(portfolio):
    await portfolio.overdue()
    front = await given_up(portfolio)
    assert await sent(portfolio, "P-1") == "parked"
    async with portfolio.as_(Role.OPERATIONS) as client:
        await client.post(f"/v1/ops/dead-letters/{front}/discard", json={"reason": "a test event of theirs"})
        queues = await queues_of(client)
        (waiting,) = (await client.get("/v1/ops/dead-letters?state=parked")).json()["items"]
    assert (queues["parked at intake"]["depth"], queues["parked at intake"]["last_error"]) == (1, None)
    assert (waiting["error"], waiting["waits_for"]) == ("queued behind another", None)


async def test_a_measurement_that_fails_is_unknown_and_spoils_no_other(portfolio, owner):
    await owner.execute("alter table parked rename to parked_elsewhere")
    async with portfolio.as_(Role.OPERATIONS) as client:
        queues = await queues_of(client)
    assert queues["parked"]["state"] == "unknown"
    assert queues["parked"]["depth"] is None
    assert queues["parked"]["last_error"] == "UndefinedTableError"
    assert "dead at intake" not in queues
    assert queues["outbox"]["state"] == "measured"


async def test_without_a_database_every_queue_is_unknown():
    class Gone:
        async def fetch(self, statement):
            raise asyncpg.PostgresConnectionError

    assert {queue.known for queue in await operations.measure_queues(Gone())} == {False}


async def test_a_dead_letter_is_replayed_on_record(portfolio, owner):
    await portfolio.overdue()
    entry = await given_up(portfolio)
    async with portfolio.as_(Role.OPERATIONS, subject="ops.sun") as client:
        (letter,) = (await client.get("/v1/ops/dead-letters?customer_id=C-1")).json()["items"]
        assert (letter["entry"], letter["state"], letter["behind"]) == (entry, "dead", 0)
        assert "envelope" not in str(letter)
        answer = await client.post(f"/v1/ops/dead-letters/{entry}/replay", json={"reason": "policy is loaded now"})
        assert answer.json()["state"] == "parked"
        assert (await client.get("/v1/ops/dead-letters")).json()["items"] == []
    row = await owner.fetchrow("select state, tries, not_before <= clock_timestamp() as due from parked")
    assert tuple(row) == ("parked", 0, True)
    audited = await owner.fetchrow("select actor, action, subject, detail::text from audit")
    assert tuple(audited)[:3] == ("ops.sun", "dead_letter.replayed", f"dead-letter/{entry}")
    assert "policy is loaded now" in audited["detail"]


async def test_a_dead_letter_is_discarded_once_and_only_when_given_up(portfolio, owner):
    await portfolio.overdue()
    dead, parked = await given_up(portfolio), await given_up(portfolio, state="parked")
    async with portfolio.as_(Role.OPERATIONS, subject="ops.sun") as client:
        body = {"reason": "a test event of theirs"}
        assert (await client.post(f"/v1/ops/dead-letters/{dead}/discard", json=body)).json()["state"] == "discarded"
        for path in (f"{dead}/discard", f"{dead}/replay", f"{parked}/discard"):
            assert (await client.post(f"/v1/ops/dead-letters/{path}", json=body)).status_code == 409, path
        assert (await client.post("/v1/ops/dead-letters/999/discard", json=body)).status_code == 404
        assert (await client.post(f"/v1/ops/dead-letters/{2**63}/discard", json=body)).status_code == 422
        assert (await client.post(f"/v1/ops/dead-letters/{dead}/discard", json={})).status_code == 422
        gone = (await client.get("/v1/ops/dead-letters?state=discarded")).json()["items"]
        assert [each["ended_by"] for each in gone] == ["ops.sun"]
    assert await owner.fetchval("select count(*) from audit") == 1


@pytest.mark.parametrize("role", [Role.COLLECTOR, Role.SUPERVISOR, Role.AUDITOR, Role.ADMIN, Role.COMPLIANCE])
async def test_only_operations_decide_dead_letters(portfolio, role):
    entry = await given_up(portfolio)
    async with portfolio.as_(role) as client:
        for act in ("replay", "discard"):
            answer = await client.post(f"/v1/ops/dead-letters/{entry}/{act}", json={"reason": "because"})
            assert answer.status_code == 403


async def test_workers_and_gateways_are_shown_as_they_are(portfolio):
    await portfolio.deps.pool.execute(
        "insert into workers (instance, service, started_at, beat_at, dead)"
        " values ('notifier-1', 'notifier', now() - interval '1 hour', clock_timestamp() - interval '70 s', false)"
    )
    await portfolio.overdue()
    await portfolio.plan()
    await portfolio.remind(told=AttemptState.IN_DOUBT)
    async with portfolio.as_(Role.SUPERVISOR) as client:
        (worker,) = (await client.get("/v1/ops/workers?service=notifier")).json()["items"]
        assert worker["silent_seconds"] >= 70
        gateways = (await client.get("/v1/ops/gateways")).json()["gateways"]
    assert {each["channel"] for each in gateways} == {"sms", "email"}
    assert sum(each["in_doubt"] for each in gateways) == 1
    email = next(each for each in gateways if each["channel"] == "email")
    assert email["query_for_seconds"] is None  # a mail server can not be asked
