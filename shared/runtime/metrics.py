"""Metrics and health of a process, served by HTTP on a port of their own, away from the API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from shared.runtime.health import Health

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)
_PATIENCE = 5.0  # seconds for the loop to answer; one that is blocked for longer is not ready


class MetricsServer:
    """Serves from a thread until stopped."""

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


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Scrapes are not worth a line."""


def serve_metrics(
    *,
    host: str = "127.0.0.1",
    port: int = 9100,
    registry: CollectorRegistry = REGISTRY,
    health: Health | None = None,
    loop: asyncio.AbstractEventLoop | None = None,
) -> MetricsServer:
    """Serve ``/metrics``, and with ``health``, which is asked on ``loop``, also ``/healthz`` and ``/readyz``.

    Port 0 picks a free one. Raises ``OSError`` when the port is taken."""
    pages: dict[str, Callable[..., Iterable[bytes]]] = {"/metrics": make_wsgi_app(registry)}
    if health is not None and loop is not None:
        pages["/healthz"] = _Alive(loop)
        pages["/readyz"] = _Ready(health, loop)

    def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        page = pages.get(environ.get("PATH_INFO", ""))
        return page(environ, start) if page is not None else _answer(start, "404 Not Found", {"status": "not found"})

    server = make_server(host, port, application, ThreadingWSGIServer, handler_class=_Quiet)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    return MetricsServer(server, thread)


class _Ready:
    def __init__(self, health: Health, loop: asyncio.AbstractEventLoop) -> None:
        self._health = health
        self._loop = loop

    def __call__(self, _environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        try:
            readiness = asyncio.run_coroutine_threadsafe(self._health.check(), self._loop).result(_PATIENCE)
        except Exception:  # noqa: BLE001 - a loop that does not answer is not ready, whatever the reason
            return _answer(start, "503 Service Unavailable", {"status": "not ready", "checks": {"loop": False}})
        checks = {name: result.ok for name, result in readiness.checks.items()}
        status = "200 OK" if readiness.ready else "503 Service Unavailable"
        return _answer(start, status, {"status": "ready" if readiness.ready else "not ready", "checks": checks})


class _Alive:
    """The process answers, its loop included: one that is blocked for good must be started again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def __call__(self, _environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        try:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0), self._loop).result(_PATIENCE)
        except Exception:  # noqa: BLE001 - as above
            return _answer(start, "503 Service Unavailable", {"status": "stuck"})
        return _answer(start, "200 OK", {"status": "alive"})


def _answer(start: Callable[..., Any], status: str, body: dict[str, Any]) -> Iterable[bytes]:
    content = json.dumps(body).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
    return [content]
