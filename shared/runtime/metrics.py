"""Metrics: one registry a process, served by HTTP on a port of its own, away from the API."""

from __future__ import annotations

from threading import Thread
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, start_http_server

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)


class MetricsServer:
    """Serves ``/metrics`` from a thread until stopped."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread

    @property
    def port(self) -> int:
        return self._server.server_port

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve_metrics(
    *, host: str = "127.0.0.1", port: int = 9100, registry: CollectorRegistry = REGISTRY
) -> MetricsServer:
    """Start serving ``registry``; port 0 picks a free one. Raises ``OSError`` when the port is taken."""
    server, thread = start_http_server(port, addr=host, registry=registry)
    return MetricsServer(server, thread)
