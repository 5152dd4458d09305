"""Through a real broker: outbox to Kafka, Kafka to effect, and the whole way through three processes.

Without Java and Maven there is no broker, and one line says so.
"""

from __future__ import annotations

import asyncio
import logging

from tests.benchmarks import kafka_consumer, kafka_relay, whole_way
from tests.benchmarks.kafka_topics import laid_out
from tests.benchmarks.stage import Stage, said
from tests.kafka_broker import own_broker, why_no_broker


async def run(stage: Stage) -> None:
    """Relay, consumer and the whole way; nothing but a line where no broker can be had."""
    missing = await asyncio.to_thread(why_no_broker)
    if missing:
        said(f"  not measured: {missing}")
        return
    logging.getLogger("aiokafka").setLevel(logging.ERROR)  # it tells of every topic that has just been made
    with own_broker(stage.home / "kafka") as broker:
        others = {"broker": broker.pid or 0, "database": stage.server.running_pid() or 0}
        async with laid_out(stage, broker.bootstrap, others) as ground:
            await kafka_relay.run(ground)
            await kafka_consumer.run(ground)
        await whole_way.run(stage, broker.bootstrap, others)
