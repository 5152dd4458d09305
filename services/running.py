"""The main of a service process: settings, logs, the event loop, metrics and health, and how it ends."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable, Coroutine
from importlib.metadata import version
from typing import Any, TypeVar

import structlog
import uvloop
from prometheus_client import Info
from pydantic import ValidationError

from services.process import Process
from services.settings import CannotStart, ServiceSettings
from services.variables import refuse_unknown
from shared.domain.document import DocumentError
from shared.runtime.logging import configure_logging
from shared.runtime.metrics import REGISTRY, serve_metrics
from shared.runtime.settings import complaint
from shared.runtime.supervisor import TaskDiedError

S = TypeVar("S", bound=ServiceSettings)
log = structlog.get_logger(__name__)
_PROCESS = Info("arrears_process", "Which service this is, and of which version.", registry=REGISTRY)


async def run_until_stopped(process: Process) -> None:
    """Serve metrics and health, run the tasks until SIGTERM or SIGINT."""
    settings = process.settings
    _PROCESS.info({"service": process.service, "version": version("arrears")})
    try:
        metrics = serve_metrics(
            host=settings.metrics_host,
            port=settings.metrics_port,
            health=process.health,
            loop=asyncio.get_running_loop(),
        )
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise CannotStart(
            f"metrics can not be served on {where} ({error.strerror}); see ARREARS_METRICS_HOST, ARREARS_METRICS_PORT"
        ) from None
    log.info("process.started", service=process.service, instance=process.instance, metrics_port=metrics.port)
    try:
        await process.supervisor.run()
    finally:
        metrics.stop()


def settle_memory() -> None:
    """What is loaded now stays; batches make many objects that live shortly, so collect less often than the default.

    The default thresholds cost a quarter of the import's speed (docs/performance.md)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def run(service: str, settings: Callable[[], S], serve: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """The main of a service: what a person can put right is told in one line; a death ends the process with 1."""
    try:
        refuse_unknown()
        read = settings()
        configure_logging(service, level=read.log_level)
        logging.getLogger("aiokafka").setLevel(logging.WARNING)  # it tells each step of each rebalance
        settle_memory()
        uvloop.run(serve(read))
    except ValidationError as error:
        raise SystemExit(f"arrears {service}: {complaint(error)}") from None
    except (CannotStart, DocumentError, TaskDiedError) as error:
        raise SystemExit(f"arrears {service}: {error}") from None
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None
