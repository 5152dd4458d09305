"""How the suite and its database stand, as metrics: who is at work, the pairing with the broker, the database's size
and its oldest transaction. A measurement that fails shows as absent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)


class StandingWatch(Collector):
    """Measures now and then, and shows the newest reading; nothing after a measurement that failed."""

    def __init__(self, pool: Any, *, every: float = 10.0) -> None:
        self._pool = pool
        self._every = every
        self._latest: tuple[Metric, ...] = ()

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                self._latest = await self._measure()
            except Exception:
                self._latest = ()
                log.exception("standing.not_measured")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._every)

    async def _measure(self) -> tuple[Metric, ...]:
        async with self._pool.acquire() as conn:
            workers = await conn.fetch(_WORKERS)
            epochs = await conn.fetch("select reason, extract(epoch from began_at) from arrears.transport_epoch")
            size, oldest = await conn.fetchrow(_DATABASE)
        alive = GaugeMetricFamily("arrears_workers", "Processes that give signs of life.", labels=("service",))
        for service, count in workers:
            alive.add_metric((service,), count)
        epoch = GaugeMetricFamily(
            "arrears_transport_epoch_timestamp_seconds",
            "When the pairing of database and broker began, and why.",
            labels=("reason",),
        )
        for reason, began in epochs:
            epoch.add_metric((reason,), float(began))
        bytes_used = GaugeMetricFamily("arrears_database_bytes", "Size of the database.", value=size)
        age = GaugeMetricFamily(
            "arrears_database_oldest_transaction_seconds",
            "Age of the oldest open transaction that our role may see.",
            value=float(oldest),
        )
        return alive, epoch, bytes_used, age

    def collect(self) -> Iterator[Metric]:
        yield from self._latest


# Kinds that nobody plays show as 0, so that an alert need not guess. A suite in one process is ``local``.
_WORKERS = """
    select kind.service, count(w.instance)
    from (select unnest(array['api', 'scheduler', 'notifier', 'relay', 'local']) as service) kind
    left join arrears.workers w on split_part(w.service, ':', 1) = kind.service
        and not w.dead and w.beat_at > clock_timestamp() - interval '15 seconds'
    group by kind.service
"""
_DATABASE = """
    select pg_database_size(current_database()),
           coalesce((select extract(epoch from max(clock_timestamp() - xact_start)) from pg_stat_activity
                     where datname = current_database() and pid <> pg_backend_pid()), 0)
"""
