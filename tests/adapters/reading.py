"""A consumer of which only the places are of interest: it applies nothing, and can be stopped in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop
from tests.adapters.transports import OverKafka, until

TOPIC = "arrears.account"


class Reader:
    """A consumer of which only the places are of interest."""

    def __init__(self) -> None:
        self.offsets: list[tuple[int, int]] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.reached = asyncio.Event()
        self.largest = 0

    async def take(self, work: Any, epoch: UUID, records: Sequence[Any]) -> None:
        self.largest = max(self.largest, len(records))
        self.reached.set()
        await self.gate.wait()
        self.offsets += [(record.partition, record.offset) for record in records]


def reading(wire: OverKafka, reader: Reader, *, meet: Any = None, clients: KafkaClients | None = None) -> ConsumerLoop:
    more = {"meet": meet} if meet else {}
    topic = wire.settings.topic(TOPIC)
    return ConsumerLoop(
        clients or wire.clients, wire.office.work, "planner", [topic], reader.take, holder="one", **more
    )  # fmt: skip


async def has_read(reader: Reader, count: int) -> None:
    async def enough() -> bool:
        return len(reader.offsets) >= count

    await until(enough, what=f"{count} records")
