"""Kafka at its edges: clients by our settings, topics as the table says, and what records may be made of."""

from __future__ import annotations

import inspect
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import NewTopic
from aiokafka.errors import LeaderNotAvailableError, NotControllerError

from shared.adapters.codec import Envelope, encode_binary, encode_structured
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop
from shared.adapters.kafka.pairing import EpochWatch
from shared.adapters.kafka.publisher import EPOCH, Parcel, Publisher
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.kafka.taking import inbound_events
from shared.adapters.kafka.topics import ALL, INBOUND, TopicClash, ensure_topics
from shared.adapters.postgres.epochs import Epochs
from shared.application.intake import CONSUMER as INTAKE
from tests.adapters.records import read_all, write
from tests.adapters.transports import (
    DELINQUENT,
    Office,
    OverKafka,
    kafka_settings,
    supervised,
    until,
    until_met,
)
from tests.application.bank import SOURCE, Bank, event, payment, report, reversal
from tests.conftest import Database
from tests.services.api.core_banking import core_banking

kafka_needed = pytest.mark.kafka
SOMEWHERE = KafkaSettings(bootstrap="127.0.0.1:1")


# What the library would do, and what would be lost by it.
CONSUMER_DEFAULTS = {
    "enable_auto_commit": (True, "what was handed out, and not finished"),
    "auto_offset_reset": ("latest", "everything up to now, when an offset is out of range or expired"),
    "isolation_level": ("read_uncommitted", "nothing, but what was taken back would be read"),
    "session_timeout_ms": (10_000, "the partitions, over a short pause of the process"),
    "rebalance_timeout_ms": (None, "the batch under way, when it takes as long as a session"),
    "fetch_max_bytes": (50 * 1024 * 1024, "the process, by a backlog"),
}


async def test_no_default_of_the_library_that_loses_something_is_ours() -> None:
    consumer = KafkaClients(SOMEWHERE, "tests").consumer("planner")
    library = inspect.signature(AIOKafkaConsumer.__init__).parameters
    for name, (default, loses) in CONSUMER_DEFAULTS.items():
        assert library[name].default == default, f"{name}: what we know of the library is out of date"
        assert getattr(consumer, f"_{name}") != default, f"with {name}={default} we lose {loses}"
    assert consumer._enable_auto_commit is False
    assert consumer._auto_offset_reset == "none"
    assert consumer._isolation_level == "read_committed"
    assert consumer._rebalance_timeout_ms < consumer._request_timeout_ms, "else a join times out for ever"
    assert consumer._heartbeat_interval_ms * 3 <= consumer._session_timeout_ms
    assert consumer._group_id == "arrears-planner"
    await consumer.stop()


async def test_an_event_is_acknowledged_by_all_replicas_and_written_once() -> None:
    library = inspect.signature(AIOKafkaProducer.__init__).parameters
    assert library["enable_idempotence"].default is False, "then acks=1: an event is lost with its leader"
    producer = KafkaClients(SOMEWHERE, "tests").producer()
    assert producer._sender._acks == -1
    assert producer._txn_manager is not None, "idempotent"
    assert producer._txn_manager.transactional_id is None, "no transactions: PostgreSQL is the truth"
    await producer.stop()


async def test_who_only_looks_belongs_to_no_group() -> None:
    onlooker = KafkaClients(SOMEWHERE, "tests").onlooker()
    assert onlooker._group_id is None
    assert onlooker._auto_offset_reset == "none"
    assert onlooker._isolation_level == "read_committed"
    await onlooker.stop()


@kafka_needed
async def test_topics_are_made_as_the_table_says_and_are_left_as_they_are(kafka: str) -> None:
    settings = kafka_settings(kafka, partitions=3)
    async with KafkaClients(settings, "tests").admin() as admin:
        for _ in range(2):
            await ensure_topics(admin, settings)
        found = {each["topic"]: len(each["partitions"]) for each in await admin.describe_topics()}
    assert {name: found.get(settings.topic(name)) for name in (topic.name for topic in ALL)} == {
        topic.name: 3 for topic in ALL
    }


@kafka_needed
async def test_topics_with_another_number_of_partitions_are_told(kafka: str) -> None:
    settings = kafka_settings(kafka)
    async with KafkaClients(settings, "tests").admin() as admin:
        await admin.create_topics([NewTopic(settings.topic("arrears.message"), 3, 1)])
        with pytest.raises(TopicClash, match=r"arrears\.message has 3 partitions, ARREARS_KAFKA_PARTITIONS says 2"):
            await ensure_topics(admin, settings)


@kafka_needed
async def test_a_topic_that_forgets_sooner_than_we_read_is_told_and_one_that_keeps_more_is_left(kafka: str) -> None:
    settings = kafka_settings(kafka)
    for_ever, an_hour = {"retention.ms": "-1"}, {"retention.ms": "3600000"}
    async with KafkaClients(settings, "tests").admin() as admin:
        await admin.create_topics([NewTopic(settings.topic("arrears.case"), 2, 1, topic_configs=for_ever)])
        await ensure_topics(admin, settings)
        shared = kafka_settings(kafka)
        await admin.create_topics([NewTopic(shared.topic("arrears.message"), 2, 1, topic_configs=an_hour)])
        with pytest.raises(TopicClash, match=r"arrears\.message keeps events for 3600000 ms"):
            await ensure_topics(admin, shared)


class Slow:
    """An admin who looked a moment ago, when there was nothing."""

    def __init__(self, admin: Any) -> None:
        self._admin = admin
        self._looks = 0

    async def _send_request(self, request: Any) -> Any:
        answer = await self._admin._send_request(request)
        self._looks += 1
        if self._looks == 1:
            told = answer.to_object()
            told["topics"] = [{"topic": each["topic"], "error_code": 3} for each in told["topics"]]
            return SimpleNamespace(to_object=lambda: told)
        return answer

    async def create_topics(self, topics: Any) -> Any:
        return await self._admin.create_topics(topics)


@kafka_needed
async def test_topics_that_another_process_made_meanwhile_are_looked_at_too(kafka: str) -> None:
    settings = kafka_settings(kafka)
    async with KafkaClients(settings, "tests").admin() as admin:
        await admin.create_topics([NewTopic(settings.topic("arrears.case"), 5, 1)])
        with pytest.raises(TopicClash, match=r"arrears\.case has 5 partitions"):
            await ensure_topics(Slow(admin), settings)


@kafka_needed
async def test_topics_that_are_missing_and_may_not_be_made_are_named(kafka: str) -> None:
    settings = kafka_settings(kafka, create_topics=False)
    async with KafkaClients(settings, "tests").admin() as admin:
        with pytest.raises(TopicClash, match=r"missing: .*arrears\.inbound.*ARREARS_KAFKA_CREATE_TOPICS=true"):
            await ensure_topics(admin, settings)
        assert not any(name.startswith(settings.topic_prefix) for name in await admin.list_topics())


async def test_a_cluster_that_is_not_ready_is_asked_again_and_not_given_up() -> None:
    class NotReady:
        code = 0

        async def _send_request(self, request: Any) -> Any:
            topics = [{"topic": "t", "error_code": self.code}] if self.code else []
            return SimpleNamespace(to_object=lambda: {"cluster_id": "c", "topics": topics})

        async def create_topics(self, topics: Sequence[Any]) -> Any:
            return SimpleNamespace(topic_errors=[(topics[0].name, NotControllerError.errno, None)])

    admin = NotReady()
    with pytest.raises(NotControllerError):
        await ensure_topics(admin, SOMEWHERE)
    admin.code = LeaderNotAvailableError.errno
    with pytest.raises(LeaderNotAvailableError):
        await ensure_topics(admin, SOMEWHERE)


def envelope(n: int, customer: str = "C1", kind: str = DELINQUENT) -> Envelope:
    data = json.dumps({"n": n}).encode()
    at = datetime(2026, 6, 30, tzinfo=UTC)
    return Envelope(id=str(uuid4()), source="arrears", type=kind, data=data, subject=customer, time=at)


@kafka_needed
async def test_an_event_goes_out_in_binary_mode_under_the_customers_key(office: Office, kafka: str) -> None:
    wire = OverKafka(office, (), kafka_settings(kafka))
    await wire.meet()
    publisher, sent = Publisher(wire.clients), envelope(7)
    shipped = await publisher.publish([Parcel(41, "arrears.account", "C1", sent)], 1, wire.epoch.current)
    await publisher.close()
    assert (shipped.sent, shipped.refused, shipped.error) == ([41], {}, None)
    (record,) = await read_all(wire.clients, "arrears.account")
    assert (record.partition, record.key, record.value) == (1, b"C1", b'{"n": 7}')
    headers = dict(record.headers)
    assert headers.pop(EPOCH) == str(wire.epoch.current).encode()
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": sent.id.encode(),
        "ce_source": b"arrears",
        "ce_type": DELINQUENT.encode(),
        "ce_subject": b"C1",
        "ce_time": b"2026-06-30T00:00:00Z",
        "content-type": b"application/json",
    }


@kafka_needed
async def test_both_modes_are_read_and_what_is_no_event_is_kept_raw_once(office: Office, kafka: str) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, partitions=1))
    await wire.meet()
    headers, value = encode_binary(envelope(1))
    structured = [("content-type", b"application/cloudevents+json")]
    records = [
        (headers, value),
        ([], b"\x00\xff no event"),
        (structured, encode_structured(envelope(2))),
        (headers, None),
        (structured, b'{"specversion": "1.0"'),
        ([*headers, ("ce_id", b"\xff")], value),
        (encode_binary(envelope(3))[0], b'{"n": 3}'),
    ]
    await write(wire.clients, "arrears.account", *records)
    for _ in range(2):
        await wire.start()
        await wire.settled()
        await wire.stop()
        await wire.forget_places()  # the second time, all is read again
    assert await office.noted("planner") == {"C1": [1, 2, 3]}
    kept = await office.pool.fetch("select origin, position, raw_enc, error from unreadable order by position")
    origin = f"{wire.settings.topic('arrears.account')}/0@{str(wire.epoch.current)[:8]}"
    assert [(row[0], row[1]) for row in kept] == [(origin, 1), (origin, 3), (origin, 4), (origin, 5)]
    assert [office.opened(row[2], f"planner/{row[0]}/{row[1]}") for row in kept] == [
        b"\x00\xff no event",
        b"",
        b'{"specversion": "1.0"',
        value,
    ]
    assert "content-type" not in kept[0][3]
    assert all(row[3] for row in kept), "and why"


def odd_cases() -> list[dict[str, Any]]:
    """Each answer that there is, in one order."""
    first, later = report("A1", "C1", sequence=5), report("A1", "C1", sequence=4)
    kind, data = report("A3", "C3")
    return [
        event(*first, event_id="accepted"),
        event(*first, event_id="accepted"),
        event(*report("A1", "C1", sequence=6), event_id="accepted"),
        event(*later, event_id="stale"),
        event(*payment("P9", "A9"), event_id="unmatched"),
        event(*payment("P1", "A1", amount=100), event_id="paid"),
        event(*payment("P1", "A1", amount=101), event_id="conflict"),
        event(*reversal("R1", "P1", "A1", amount=101), event_id="refused by the ledger"),
        event(kind, data | {"currency": "XXQ"}, event_id="rejected"),
        event(*report("A2", "C2"), event_id="parked"),
    ]


@kafka_needed
async def test_the_inbound_topic_has_the_answers_of_http_on_record(
    database: Database, other_database: Database, tmp_path: Path, kafka: str
) -> None:
    """One of them can not be applied at either; the topic holds what no answer could be given to, too."""
    answered: dict[str, str] = {}
    async with core_banking(other_database, tmp_path) as core:
        await forbid(other_database)
        for each in odd_cases():
            answer = await core.post(json.dumps(each).encode(), "application/json")
            found = await core.client.get(f"/v1/events/{quote(SOURCE, safe='')}/{quote(each['id'])}")
            said = found.json()["answer"] if found.status_code == 200 else answer.json()["type"].rsplit("-")[-1]
            answered[each["id"]] = said
    await forbid(database)
    bank = await Bank.open(database, tmp_path)
    async with inbound(bank, kafka_settings(kafka, partitions=1)) as clients:
        structured = [("content-type", b"application/cloudevents+json")]
        bodies = [json.dumps(each).encode() for each in odd_cases()]
        nested = b'{"specversion":"1.0","id":"n","source":"s","type":"payment.posted.v1","data":' + b'{"a":' * 9_000
        await write(clients, INBOUND, *((structured, body) for body in (*bodies[:4], nested, b"{}", *bodies[4:])))
        everything = "select from consumer_offsets where next_offset = $1"
        await until(lambda: bank.rows(everything, len(bodies) + 2), what="the last of them")
        rows = await bank.rows("select id, answer from inbox where consumer = $1", INTAKE)
        parked = await bank.rows("select event_id from parked where state = 'parked'")
        unread = await bank.rows("select error from unreadable where consumer = $1 order by position", INTAKE)
    recorded = {row["id"]: row["answer"] for row in rows} | {row["event_id"]: "parked" for row in parked}
    assert recorded == answered
    assert set(answered.values()) == {"accepted", "stale", "unmatched", "conflict", "rejected", "parked"}
    assert [row["error"] for row in unread] == ["nested too deeply", "Object missing required field `specversion`"]
    await bank.pool.close()


@asynccontextmanager
async def inbound(bank: Bank, settings: KafkaSettings) -> AsyncIterator[KafkaClients]:
    """Intake reads the inbound topic."""
    clients = KafkaClients(settings, "tests")
    epoch = EpochWatch(clients, Epochs(bank.pool))
    await until_met(epoch)
    take = inbound_events(bank.shelf)
    loop = ConsumerLoop(clients, bank.work, INTAKE, [settings.topic(INBOUND)], take, holder="intake-1")
    async with supervised({INTAKE: loop.run}):
        yield clients


async def forbid(database: Database) -> None:
    """An account that the database does not take, so that its event has to wait."""
    owner = await asyncpg.connect(database.owner_dsn)
    await owner.execute("alter table arrears.accounts add constraint no_a2 check (account_id <> 'A2')")
    await owner.close()
