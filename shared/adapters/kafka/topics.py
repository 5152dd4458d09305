"""THE table of topics: what each keeps, and for how long; made or checked when a process starts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka.admin import NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    KafkaTimeoutError,
    NoError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.metadata import MetadataRequest

from shared.adapters.kafka.settings import KafkaSettings
from shared.domain.announcement import TOPICS

INBOUND = "arrears.inbound"
SEEN_WITHIN = 100  # looks, ten a second
_DAY = 24 * 60 * 60 * 1000


@dataclass(frozen=True, slots=True)
class Topic:
    """``ours``: we alone write it, each shard of the outbox to one partition. Retention in milliseconds."""

    name: str
    retention: int
    ours: bool = True
    config: dict[str, str] = field(default_factory=dict)


# Ours are kept as long as the outbox keeps what it sent, so that neither is the weaker memory.
ALL: tuple[Topic, ...] = (
    Topic(INBOUND, 14 * _DAY, ours=False),
    *(Topic(name, 14 * _DAY) for name in TOPICS),
    *(Topic(f"{name}-dlt", 90 * _DAY) for name in (INBOUND, *TOPICS)),
)


class TopicClash(RuntimeError):
    """A topic is not as it must be, or is missing and may not be made; the message says what to do."""


async def look(admin: Any, settings: KafkaSettings) -> tuple[str, dict[str, int]]:
    """The cluster's id, and our topics to the number of their partitions.

    Asks for ours alone, though not so as to have them made: a shared cluster may hold thousands, and reading of all of
    them every few seconds would leave no time for heartbeats. Raises KafkaError."""
    names = [settings.topic(topic.name) for topic in ALL]
    answer = await admin._send_request(MetadataRequest(names, allow_auto_topic_creation=False))
    told = answer.to_object()
    found = {}
    for each in told["topics"]:
        error = for_code(each["error_code"])
        if error not in (NoError, UnknownTopicOrPartitionError):
            raise error(each["topic"])
        if error is NoError:
            found[each["topic"]] = len(each["partitions"])
    return str(told["cluster_id"]), found


async def ensure_topics(admin: Any, settings: KafkaSettings) -> None:
    """Make the topics that are missing, and check the others. Raises TopicClash, KafkaError."""
    _, found = await look(admin, settings)
    missing = [topic for topic in ALL if settings.topic(topic.name) not in found]
    if missing and not settings.create_topics:
        names = ", ".join(settings.topic(topic.name) for topic in missing)
        raise TopicClash(f"topics are missing: {names}; make them, or set ARREARS_KAFKA_CREATE_TOPICS=true")
    made: set[str] = set()
    if missing:
        made = await _make(admin, missing, settings)
        found = await _all_found(admin, settings)
    for topic in ALL:
        if topic.ours:
            _check(settings.topic(topic.name), found[settings.topic(topic.name)], settings.partitions)
    there_before = [topic for topic in ALL if settings.topic(topic.name) not in made]
    if there_before:
        await _check_retention(admin, there_before, settings)


async def _all_found(admin: Any, settings: KafkaSettings) -> dict[str, int]:
    """Once every topic is seen: the controller knows one sooner than the brokers do. Raises KafkaTimeoutError."""
    for _ in range(SEEN_WITHIN):
        _, found = await look(admin, settings)
        if len(found) == len(ALL):
            return found
        await asyncio.sleep(0.1)
    raise KafkaTimeoutError("topics that were made are not seen")


async def _make(admin: Any, topics: list[Topic], settings: KafkaSettings) -> set[str]:
    """Those that were made; whatever another process was quicker with is left to be checked."""
    made = set()
    answer = await admin.create_topics(
        [
            NewTopic(
                settings.topic(topic.name),
                settings.partitions,
                settings.replication,
                topic_configs={
                    "retention.ms": str(topic.retention),
                    "cleanup.policy": "delete",
                    "min.insync.replicas": str(max(1, settings.replication - 1)),
                    **topic.config,
                },
            )
            for topic in topics
        ]
    )
    for name, code, *more in answer.topic_errors:
        error = for_code(code)
        if not code:
            made.add(name)
        if not code or error is TopicAlreadyExistsError:
            continue
        if error.retriable:
            raise error(f"the topic {name} could not be made yet")
        raise TopicClash(f"the topic {name} could not be made: {(more and more[0]) or error.__name__}")
    return made


async def _check_retention(admin: Any, topics: list[Topic], settings: KafkaSettings) -> None:
    """A topic that forgets sooner than the outbox can lose what a consumer that was away has not read: refused."""
    wanted = {settings.topic(topic.name): topic.retention for topic in topics}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None}) for name in wanted]
    for answer in await admin.describe_configs(asked):
        for code, _, _, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"the configuration of {name} can not be read")
            kept = next((int(entry[1]) for entry in entries if entry[0] == "retention.ms"), -1)
            if 0 <= kept < wanted[name]:
                raise TopicClash(
                    f"the topic {name} keeps events for {kept} ms; it must keep them for {wanted[name]} ms"
                )


def _check(name: str, partitions: int, wanted: int) -> None:
    if partitions != wanted:
        raise TopicClash(
            f"the topic {name} has {partitions} partitions, ARREARS_KAFKA_PARTITIONS says {wanted}: with another "
            "number, events of one customer could overtake each other"
        )
