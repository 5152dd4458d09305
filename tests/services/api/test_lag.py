"""``GET /v1/ops/queues`` with Kafka between the services: how far behind who is where, or that nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.api.app import create_app
from shared.adapters.kafka.lag import PartitionLag, Reading
from shared.application.principal import Role
from tests.services.framing import client_of

AT = datetime(2026, 11, 9, 2, 0, tzinfo=UTC)
BEHIND = PartitionLag("notifier", "arrears.reminder", 3, 40, 12, 95, 240, "TimeoutError", AT)
UNKNOWN = PartitionLag("notifier", "arrears.reminder", 3, None, None, None, None, "TimeoutError", AT)


@pytest.fixture
def transport(portfolio):
    """What the operations page says of the transport, for a newest reading."""

    async def told(reading):
        app = create_app(replace(portfolio.deps, lag=lambda: reading))
        async with client_of(app, portfolio.issuer.make_token(Role.OPERATIONS)) as client:
            return (await client.get("/v1/ops/queues")).json()["transport"]

    return told


async def test_each_partition_says_how_far_behind_its_consumer_is(transport):
    told = await transport(Reading(AT, (BEHIND,)))
    assert (told["kind"], told["state"], told["last_error"]) == ("kafka", "measured", None)
    assert datetime.fromisoformat(told["measured_at"]) == AT
    (partition,) = told["partitions"]
    assert datetime.fromisoformat(partition.pop("last_error_at")) == AT
    assert partition == {
        "consumer": "notifier",
        "topic": "arrears.reminder",
        "partition": 3,
        "state": "measured",
        "depth": 40,
        "lag": 12,
        "oldest_seconds": 95,
        "per_minute": 240,
        "last_error": "TimeoutError",
    }


async def test_a_measurement_that_failed_is_unknown_and_never_zero(transport):
    told = await transport(Reading(AT, (UNKNOWN,), "KafkaConnectionError"))
    assert (told["state"], told["last_error"]) == ("unknown", "KafkaConnectionError")
    (partition,) = told["partitions"]
    assert partition["state"] == "unknown"
    assert [partition[name] for name in ("depth", "lag", "oldest_seconds", "per_minute")] == [None] * 4


async def test_before_the_first_measurement_it_is_unknown(transport):
    told = await transport(None)
    assert (told["state"], told["measured_at"], told["last_error"]) == ("unknown", None, "not measured yet")
    assert told["partitions"] == []


async def test_where_no_broker_lies_between_there_is_no_lag(portfolio):
    async with portfolio.as_(Role.OPERATIONS) as client:
        told = (await client.get("/v1/ops/queues")).json()["transport"]
    assert (told["kind"], told["partitions"]) == ("in_process", [])
