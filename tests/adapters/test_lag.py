"""How far behind consumers are: right where it can be measured, and unknown, never zero, where it can not."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError, UnknownTopicOrPartitionError

from shared.adapters.kafka import lag as lags
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.lag import Astray, LagWatch, PartitionLag
from shared.adapters.kafka.pairing import committed_offsets
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.postgres.positions import Positions
from tests.adapters.records import drop_before
from tests.adapters.transports import DELINQUENT, Office, OverKafka, kafka_settings

TOPIC = "arrears.account"
NOWHERE = KafkaSettings(bootstrap="127.0.0.1:1")


@pytest.fixture
async def wire(office: Office, kafka: str) -> OverKafka:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka))
    await wire.meet()
    return wire


@pytest.fixture
async def lag(wire: OverKafka) -> AsyncIterator[LagWatch]:
    watch = LagWatch(wire.clients, Positions(wire.office.pool))
    yield watch
    await watch.close()


async def write_aged(wire: OverKafka, partition: int, *ages: int) -> None:
    """Records that were written so many seconds ago."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    producer = AIOKafkaProducer(bootstrap_servers=wire.settings.bootstrap, enable_idempotence=True)
    await producer.start()
    for age in ages:
        await producer.send_and_wait(
            wire.settings.topic(TOPIC), b"x", partition=partition, timestamp_ms=now - age * 1000
        )
    await producer.stop()


async def place(office: Office, wire: OverKafka, partition: int, offset: int | None, error: str | None = None) -> None:
    await office.pool.execute(
        "insert into consumer_offsets (consumer, topic, partition, next_offset, fence, holder, last_error,"
        " last_error_at) values ('planner', $1, $2, $3, 1, '', $4::text, case when $4::text is not null then now() end)"
        " on conflict (consumer, topic, partition) do update set next_offset = excluded.next_offset",
        *(wire.settings.topic(TOPIC), partition, offset, error),
    )


def figures(each: PartitionLag) -> tuple[Any, ...]:
    return each.partition, each.depth, each.lag, each.oldest_seconds, each.last_error


@pytest.mark.kafka
async def test_the_figures_of_a_known_backlog_are_right(office: Office, wire: OverKafka, lag: LagWatch) -> None:
    await write_aged(wire, 0, 500, 400, 300, 200, 100)
    await write_aged(wire, 1, 90, 80)
    await drop_before(wire.clients, TOPIC, 0, 1)
    await place(office, wire, 0, 3, "TimeoutError")
    await place(office, wire, 1, 2)
    reading = await lag.measure()
    assert reading.error is None
    first, second = reading.partitions
    assert (first.consumer, first.topic) == ("planner", wire.settings.topic(TOPIC))
    assert figures(first)[:3] == (0, 4, 2)
    assert first.oldest_seconds in range(200, 260)
    assert first.last_error == "TimeoutError"
    assert first.last_error_at is not None
    assert figures(second) == (1, 2, 0, None, None)
    assert [each.per_minute for each in reading.partitions] == [None, None], "of one look there is no speed"
    assert await lag.behind() == 2


@pytest.mark.kafka
async def test_what_nobody_has_begun_to_read_is_behind_from_what_is_kept_on(
    office: Office, wire: OverKafka, lag: LagWatch
) -> None:
    await write_aged(wire, 0, 30, 20, 10)
    await drop_before(wire.clients, TOPIC, 0, 1)
    await place(office, wire, 0, None)
    first, second = (await lag.measure()).partitions
    assert figures(first)[:3] == (0, 2, 2)
    assert first.oldest_seconds in range(20, 80)
    assert figures(second)[:3] == (1, 0, 0)
    await place(office, wire, 0, 0)  # and what was dropped by age is not counted, nor what was read of it
    assert [each.lag for each in (await lag.measure()).partitions] == [2, 0]


@pytest.mark.kafka
async def test_speed_is_what_was_processed_between_two_looks(
    office: Office, wire: OverKafka, lag: LagWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write_aged(wire, 0, *([5] * 9))
    await place(office, wire, 0, 1)
    instant = [1_000.0]
    monkeypatch.setattr(lags, "monotonic", lambda: instant[0])
    await lag.measure()
    await place(office, wire, 0, 7)
    instant[0] += 30.0
    first, second = (await lag.measure()).partitions
    assert (first.per_minute, second.per_minute) == (12, None)
    await place(office, wire, 0, 3)  # set back, by a restored database
    instant[0] += 30.0
    assert (await lag.measure()).partitions[0].per_minute == 0


@pytest.mark.kafka
async def test_at_a_log_that_is_another_one_nobody_can_say(office: Office, wire: OverKafka, lag: LagWatch) -> None:
    await write_aged(wire, 0, 5)
    await place(office, wire, 0, 40)
    first, second = (await lag.measure()).partitions
    assert figures(first) == (0, 1, None, None, None)
    assert figures(second)[:3] == (1, 0, 0)
    with pytest.raises(Astray):
        await lag.behind()


async def test_without_a_broker_all_is_unknown(office: Office) -> None:
    watch = LagWatch(KafkaClients(NOWHERE, "tests"), Positions(office.pool))
    reading = await watch.measure()
    assert (reading.error, reading.partitions) == ("KafkaConnectionError", ())
    with pytest.raises(KafkaError):
        await watch.behind()


@pytest.mark.kafka
async def test_after_a_good_look_a_failed_one_takes_the_figures_away_and_not_the_rows(
    office: Office, wire: OverKafka, lag: LagWatch
) -> None:
    await write_aged(wire, 0, 50)
    lag._latest = await lag.measure()
    assert samples(lag) == {"arrears_consumer_lag": [1, 0], "arrears_consumer_oldest_seconds": 1, "known": 1.0}
    lag._clients = KafkaClients(NOWHERE, "tests")
    await lag.close()
    lag._latest = await lag.measure()
    assert lag.latest().error == "KafkaConnectionError"
    assert [figures(each) for each in lag.latest().partitions] == [(0, *[None] * 4), (1, *[None] * 4)]
    assert samples(lag) == {"arrears_consumer_lag": [], "arrears_consumer_oldest_seconds": 0, "known": 0.0}


def samples(watch: LagWatch) -> dict[str, Any]:
    families = {family.name: family.samples for family in watch.collect()}
    assert all(set(sample.labels) == {"consumer", "topic", "partition"} for sample in families["arrears_consumer_lag"])
    return {
        "arrears_consumer_lag": [sample.value for sample in families["arrears_consumer_lag"]],
        "arrears_consumer_oldest_seconds": len(families["arrears_consumer_oldest_seconds"]),
        "known": families["arrears_consumer_lag_known"][0].value,
    }


async def test_before_the_first_look_nothing_is_shown_but_that() -> None:
    watch = LagWatch(KafkaClients(NOWHERE, "tests"), SimpleNamespace())
    assert watch.latest() is None
    assert samples(watch) == {"arrears_consumer_lag": [], "arrears_consumer_oldest_seconds": 0, "known": 0.0}


async def test_without_a_database_all_is_unknown() -> None:
    class Gone:
        async def read(self) -> Any:
            raise ConnectionRefusedError

    reading = await LagWatch(KafkaClients(NOWHERE, "tests"), Gone()).measure()
    assert (reading.error, reading.partitions) == ("ConnectionRefusedError", ())


@pytest.mark.kafka
async def test_a_topic_that_is_not_there_is_unknown(
    office: Office, wire: OverKafka, lag: LagWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lags, "PATIENCE", 1.0)
    await office.pool.execute("update consumer_types set topic = 'no-such-topic'")
    assert (await lag.measure()).error == "TimeoutError"


@pytest.mark.kafka
async def test_ages_that_take_too_long_are_unknown_and_the_lags_are_not(
    office: Office, wire: OverKafka, lag: LagWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lags, "PEEKS", 0.0)
    await write_aged(wire, 0, 50)
    assert figures((await lag.measure()).partitions[0])[:4] == (0, 1, 1, None)


class Refusing:
    """An admin to whom the broker answers with an error, of the group or of a partition."""

    def __init__(self, *topics: Any, group: int = 0) -> None:
        self.answer = SimpleNamespace(error_code=group, topics=list(topics))

    async def find_coordinator(self, group: str) -> int:
        return 1

    async def _send_request_to_node(self, node: int, request: Any) -> Any:
        return self.answer


async def test_a_group_that_the_broker_will_not_speak_of_is_no_group_at_zero() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        await committed_offsets(Refusing(group=GroupAuthorizationFailedError.errno), "arrears-planner")
    partition = ("t", [(0, 7, "", 0), (1, -1, "", UnknownTopicOrPartitionError.errno)])
    with pytest.raises(UnknownTopicOrPartitionError):
        await committed_offsets(Refusing(partition), "arrears-planner")
    silent = ("t", [(0, 7, "", 0), (1, -1, "", 0)])
    assert list((await committed_offsets(Refusing(silent), "arrears-planner")).values()) == [7]
