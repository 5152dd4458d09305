"""When a consumer that is alive is held to be stuck, and when not."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError

from shared.adapters.kafka.watchdog import StuckError, Watchdog

PLACE = TopicPartition("arrears.case", 3)


class Reader:
    """Stands at 5 in a log that ends at ``end``; with ``end`` None the broker is away."""

    def __init__(self, end: int | None) -> None:
        self.end = end
        self.partitions = [PLACE]
        self.kafka = self

    async def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.end is None:
            raise KafkaConnectionError
        return dict.fromkeys(partitions, self.end)

    async def position(self, partition: TopicPartition) -> int:
        return 5


async def looked(end_at: dict[float, int | None]) -> None:
    reader: Any = Reader(None)
    dog = Watchdog(reader, patience=90.0)
    for now, reader.end in end_at.items():
        await dog._look_at_positions(now)


async def test_a_place_that_stands_while_the_end_moves_on_is_stuck_after_a_while() -> None:
    await looked({0: 5, 50: 9, 80: 12})
    with pytest.raises(StuckError, match=r"arrears\.case/3"):
        await looked({0: 5, 50: 9, 150: 12})


async def test_at_the_end_of_the_log_nobody_is_stuck_however_long() -> None:
    await looked({0: 5, 1000: 5, 2000: 5})


async def test_a_broker_that_was_away_for_long_does_not_make_its_consumers_look_stuck_when_it_is_back() -> None:
    await looked({0: 5, 10: None, 170: None, 180: 9, 250: 9})
    with pytest.raises(StuckError):
        await looked({0: 5, 10: None, 170: None, 180: 9, 280: 9})
