"""Where each consumer is by the database: what lag is measured from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Position:
    """``next_offset`` None: nothing was read yet."""

    consumer: str
    topic: str
    partition: int
    next_offset: int | None
    last_error: str | None
    last_error_at: datetime | None


class Positions:
    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def read(self) -> tuple[dict[str, set[str]], list[Position]]:
        """Each consumer's topics, and where it is in their partitions."""
        topics: dict[str, set[str]] = {}
        async with self._pool.acquire() as conn:
            for consumer, topic in await conn.fetch("select distinct consumer, topic from consumer_types"):
                topics.setdefault(consumer, set()).add(topic)
            rows = await conn.fetch(
                "select consumer, topic, partition, next_offset, last_error, last_error_at from consumer_offsets"
            )
        return topics, [Position(*row) for row in rows]
