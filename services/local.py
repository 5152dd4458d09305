"""The embedded suite: database, API, scheduler and notifier in one process, the sandbox provider beside it.

``python -m services.local`` is what ``make run`` starts. The transport is in process; everything else is what a bank
runs: the real PostgreSQL, the real pipeline, real SMTP and HTTP to the sandbox.
"""

from __future__ import annotations

import asyncio
import signal

import uvloop
from pydantic import ValidationError

from services import starter
from services.apart import serve_apart
from services.chores import HomeInUse
from services.embedded import LocalSettings
from services.running import settle_memory
from services.settings import CannotStart
from services.together import running
from services.variables import refuse_unknown
from shared.adapters.kafka.settings import KafkaSettings
from shared.domain.document import DocumentError
from shared.runtime.embedded_postgres import EmbeddedPostgresError
from shared.runtime.logging import configure_logging
from shared.runtime.metrics import MetricsServer, serve_metrics
from shared.runtime.settings import complaint


async def serve(settings: LocalSettings) -> None:
    """Run until told to stop. A new database gets a small portfolio, so that there is something to see."""
    async with running(settings) as suite:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, suite.supervisor.request_stop)
        metrics = _metrics(settings)
        try:
            await starter.put_in_motion(settings, suite.dsn, f"http://127.0.0.1:{suite.port}")
            told = starter.welcome(settings, suite.port, suite.sandbox_url, {"": metrics.port})
            print(told, flush=True)  # noqa: T201 - what a person who starts it reads
            await suite.supervisor.stopping.wait()
        finally:
            metrics.stop()


def _metrics(settings: LocalSettings) -> MetricsServer:
    try:
        return serve_metrics(host=settings.metrics_host, port=settings.metrics_port)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        reason = (
            f"metrics can not be served on {where} ({error.strerror}); see ARREARS_METRICS_HOST, ARREARS_METRICS_PORT"
        )
        raise CannotStart(reason) from None


def main() -> None:
    """Run the suite; what a person can put right is told in one line, not as a traceback."""
    try:
        refuse_unknown()
        settings = LocalSettings()
        configure_logging("local", level=settings.log_level)
        settle_memory()
        bootstrap = KafkaSettings().bootstrap
        uvloop.run(serve(settings) if bootstrap is None else serve_apart(settings, bootstrap))
    except ValidationError as error:
        raise SystemExit(f"arrears: {complaint(error)}") from None
    except (CannotStart, DocumentError, HomeInUse, EmbeddedPostgresError) as error:
        raise SystemExit(f"arrears: {error}") from None


if __name__ == "__main__":
    main()
