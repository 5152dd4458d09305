"""The depth and age of every queue as metrics, measured when somebody looks; a measurement that fails shows as absent,
never as zero."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Reading = Mapping[str, tuple[int, float | None]]
"""Queue name to (depth, age of the oldest in seconds or None when it is empty)."""


class QueueCollector(Collector):
    """``latest`` gives the newest reading, or None when the last measurement failed."""

    def __init__(self, latest: Callable[[], Reading | None]) -> None:
        self._latest = latest

    def collect(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("arrears_queue_depth", "Things waiting in a queue.", labels=("queue",))
        age = GaugeMetricFamily("arrears_queue_oldest_seconds", "Age of the oldest thing waiting.", labels=("queue",))
        for queue, (waiting, oldest) in (self._latest() or {}).items():
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
select 'messages', count(*), extract(epoch from $1 - min(not_before)) from arrears.messages
where state in ('planned', 'deferred') and not_before <= $1
union all
select 'attempts_' || state, count(*), extract(epoch from clock_timestamp() - min(marked_real)) from arrears.attempts
where state in ('sending', 'in_doubt') group by state
union all
select 'parked_' || consumer, count(*), extract(epoch from $1 - min(parked_at)) from arrears.parked
where state = 'parked' group by consumer
union all
select 'dead_' || consumer, count(*), extract(epoch from $1 - min(parked_at)) from arrears.parked
where state = 'dead' group by consumer
"""
