"""What the API counts about itself; by route template, never by path, so that no id and no person becomes a label."""

from __future__ import annotations

from prometheus_client import Histogram

from shared.runtime.metrics import REGISTRY

_REQUESTS = Histogram(
    "arrears_http_request_seconds",
    "Requests by method, route and status class.",
    ("method", "route", "status"),
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    registry=REGISTRY,
)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    _REQUESTS.labels(method, route, f"{status // 100}xx").observe(seconds)
