"""The API's two tasks on Kafka: the relay from the outbox, and the inbound topic."""

from __future__ import annotations

from services.process import Process
from services.transport import Kafka, add_consumer
from shared.adapters.kafka.publisher import Publisher
from shared.adapters.kafka.relay import KafkaRelay
from shared.adapters.kafka.taking import inbound_events
from shared.adapters.kafka.topics import INBOUND
from shared.adapters.postgres.outbox import Outbox
from shared.application.intake import CONSUMER as INTAKE
from shared.domain.inbound import FACT_TYPES

POLL = 0.05  # seconds between looks at what other processes left in the outbox


def add_relay(mine: Process, kafka: Kafka) -> None:
    publisher = Publisher(kafka.clients)
    mine.stack.push_async_callback(publisher.close)
    relay = KafkaRelay(
        Outbox(mine.pool, mine.instance),
        publisher,
        kafka.epoch,
        partitions=kafka.settings.partitions,
        wake=mine.wake,
        poll=min(mine.settings.poll, POLL),
    )
    mine.supervisor.add("relay", relay.run)


async def add_intake(mine: Process, kafka: Kafka) -> None:
    types = dict.fromkeys(FACT_TYPES, INBOUND)
    await add_consumer(mine, kafka, INTAKE, types, inbound_events(mine.shelf))
