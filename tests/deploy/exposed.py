"""Every figure that a process of ours shows in ``/metrics``, with its labels: what alerts and dashboards may name."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from typing import Any

from prometheus_client.metrics_core import Metric

from shared.adapters.kafka.lag import LagWatch
from shared.adapters.queue_metrics import QUEUES_SQL, QueueWatch
from shared.adapters.standing_metrics import StandingWatch
from shared.runtime.metrics import REGISTRY

for service in ("api", "scheduler", "notifier"):
    importlib.import_module(f"services.{service}.__main__")  # what it imports registers what it counts

FROM_PROMETHEUS = {
    "up": {"job", "instance"},
    "ALERTS": {"alertname", "alertstate", "severity"},
}
_SAMPLES = {
    "counter": ("_total",),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("_count", "_sum"),
    "info": ("_info",),
    "gauge": ("",),
    "unknown": ("",),
}
_INFO_LABELS = {"arrears_process": {"service", "version"}, "python": {"implementation", "version"}}


async def exposed(pool: Any) -> dict[str, set[str]]:
    """Sample names to their label names."""
    found = dict(FROM_PROMETHEUS)
    for collector in REGISTRY._names_to_collectors.values():
        labels = set(getattr(collector, "_labelnames", ()))
        found |= _named(collector.describe() if hasattr(collector, "describe") else collector.collect(), labels)
        found |= _named(collector.collect(), labels)
    for watch in (QueueWatch(pool), StandingWatch(pool)):
        watch._latest = await watch._measure()
        found |= _named(watch.collect())
    return found | _named(LagWatch(None, None).collect())  # type: ignore[arg-type] - it measures nothing here


def _named(families: Iterable[Metric], labels: set[str] | None = None) -> dict[str, set[str]]:
    found = {}
    for family in families:
        known = (labels or set()) | set(getattr(family, "_labelnames", ())) | _INFO_LABELS.get(family.name, set())
        for suffix in _SAMPLES[family.type]:
            more = {"le"} if suffix == "_bucket" else set()
            found[f"{family.name}{suffix}"] = known | more | {"job", "instance"}
    return found


def queues() -> tuple[set[str], tuple[str, ...]]:
    """The names of queues, and what the names of others begin with."""
    names = re.findall(r"select '(\w+)'( \|\|)?", QUEUES_SQL)
    return {name for name, more in names if not more}, tuple(name for name, more in names if more)
