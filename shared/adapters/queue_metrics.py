"""The depth and age of every queue as metrics, measured when somebody looks; a measurement that fails shows as absent,
never as zero."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.adapters.clock import read_manual_clock

log = structlog.get_logger(__name__)
Reading = Mapping[str, tuple[int, float | None]]
"""Queue name to (depth, age of the oldest in seconds or None when it is empty)."""


class QueueWatch(Collector):
    """Measures every queue now and then, and shows the newest reading; nothing after a measurement that failed."""

    def __init__(self, pool: Any, *, every: float = 5.0) -> None:
        self._pool = pool
        self._every = every
        self._latest: Reading | None = None

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                self._latest = await self._measure()
            except Exception:
                self._latest = None
                log.exception("queues.not_measured")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)

    async def _measure(self) -> Reading:
        async with self._pool.acquire() as conn:
            manual = await read_manual_clock(conn)
            rows = await conn.fetch(QUEUES_SQL, manual or datetime.now(UTC))
        return {row[0]: (row[1], None if row[2] is None else float(row[2])) for row in rows}

    def collect(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("arrears_queue_depth", "Things waiting in a queue.", labels=("queue",))
        age = GaugeMetricFamily("arrears_queue_oldest_seconds", "Age of the oldest thing waiting.", labels=("queue",))
        for queue, (waiting, oldest) in (self._latest or {}).items():
            depth.add_metric((queue,), waiting)
            if oldest is not None:
                age.add_metric((queue,), oldest)
        yield depth
        yield age


QUEUES_SQL = """
select 'outbox', count(*), extract(epoch from $1 - min(at)) from arrears.outbox where sent_at is null
union all
select 'timers', count(*), extract(epoch from $1 - min(due_at)) from arrears.timers where due_at <= $1
union all
select 'messages', count(*), extract(epoch from $1 - min(waits_until)) from arrears.messages where waits_until <= $1
union all
select 'messages_waiting', count(*), extract(epoch from $1 - min(created_at)) from arrears.messages
where waits_until > $1
union all
select 'attempts_' || state, count(*), extract(epoch from clock_timestamp() - min(marked_real)) from arrears.attempts
where state in ('sending', 'in_doubt') group by state
union all
select 'parked_' || consumer, count(*), extract(epoch from $1 - min(parked_at)) from arrears.parked
where state = 'parked' group by consumer
union all
select 'dead_' || consumer, count(*), extract(epoch from $1 - min(parked_at)) from arrears.parked
where state = 'dead' group by consumer
union all
select 'unreadable_' || consumer, count(*), extract(epoch from $1 - min(received_at)) from arrears.unreadable
group by consumer
union all
select 'imports_' || state, count(*), extract(epoch from clock_timestamp() - min(updated_at)) from arrears.imports
where state in ('created', 'receiving', 'interrupted') group by state
union all
select 'work_items_' || state, count(*), extract(epoch from $1 - min(created_at)) from arrears.work_items
where state in ('open', 'taken') group by state
"""
