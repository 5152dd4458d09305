"""The Kafka side of a service process: the pairing with the broker, its consumer, and what keeps watch over it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

import structlog
from aiokafka.errors import KafkaError

from services.process import Process
from services.settings import CannotStart
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop, Take
from shared.adapters.kafka.pairing import EpochWatch
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.kafka.taking import own_events
from shared.adapters.kafka.topics import TopicClash
from shared.adapters.kafka.watchdog import Watchdog
from shared.adapters.postgres.epochs import Epochs
from shared.application.pipeline import Consumer

REACHED_WITHIN = 60.0  # seconds; a broker that is started together with us needs some, its coordinator more
RETRY_AFTER = 0.5
CONSUMERS = ("intake", "scheduler", "notifier")
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Kafka:
    """What the tasks of a process share of Kafka."""

    settings: KafkaSettings
    clients: KafkaClients
    epoch: EpochWatch


async def open_kafka(process: Process) -> Kafka:
    """Meet the broker before anything is read or sent. Raises CannotStart."""
    settings = KafkaSettings()
    if settings.bootstrap is None:
        raise CannotStart("set ARREARS_KAFKA_BOOTSTRAP: services in processes of their own talk over Kafka")
    clients = KafkaClients(settings, process.instance)
    epoch = EpochWatch(clients, Epochs(process.pool), consumers=CONSUMERS)
    deadline = monotonic() + REACHED_WITHIN
    while True:
        try:
            await epoch.ensure()
        except TopicClash as error:
            raise CannotStart(str(error)) from None
        except (KafkaError, OSError, TimeoutError) as error:
            what = type(error).__name__
            if monotonic() > deadline:
                raise CannotStart(f"Kafka can not be reached at {settings.bootstrap} ({what})") from None
            log.warning("kafka.waited_for", error=what)
            await asyncio.sleep(RETRY_AFTER)
        else:
            return Kafka(settings, clients, epoch)


async def consume_own_events(
    process: Process, kafka: Kafka, consumer: Consumer, *, delivered: Callable[[], None] = lambda: None
) -> None:
    """Have the consumer's group member run under the supervisor."""
    await add_consumer(process, kafka, consumer.name, consumer.types, own_events(consumer), delivered=delivered)


async def add_consumer(
    process: Process,
    kafka: Kafka,
    name: str,
    types: dict[str, str],
    take: Take,
    *,
    delivered: Callable[[], None] = lambda: None,
) -> None:
    """A group member under the supervisor; its watchdog ends the process when it is stuck."""
    if name not in CONSUMERS:
        raise ValueError(f"the pairing does not know the consumer {name}")
    topics = {kind: kafka.settings.topic(topic) for kind, topic in types.items()}
    async with process.work() as tx:
        await tx.declare_consumer(name, topics)
    loop = ConsumerLoop(
        kafka.clients,
        process.work,
        name,
        set(topics.values()),
        take,
        holder=process.instance,
        delivered=delivered,
        meet=kafka.epoch.ensure,
    )
    watchdog = Watchdog(loop)
    process.supervisor.add(f"consumer {name}", loop.run)
    process.supervisor.add(f"watchdog {name}", watchdog.run, restart=False)

    async def assigned() -> None:
        if not watchdog.ready():
            raise RuntimeError("no assignment yet")

    process.health.register(f"kafka {name}", assigned)
