"""``make run KAFKA=host:port``: database and sandbox from the embedded defaults, the three services as processes of
their own with the broker between them. What ends is started again."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from services import starter
from services.chores import be_alone
from services.embedded import LocalSettings, open_database, open_sandbox
from services.separate import SERVICES, SeparateServices, ServiceDied
from services.settings import CannotStart


@dataclass(slots=True)
class Apart:
    """The running processes; what a demo or a person wants to reach."""

    settings: LocalSettings
    dsn: str
    services: SeparateServices
    sandbox_url: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.services.children['api', 0].port}"


@asynccontextmanager
async def running_apart(
    settings: LocalSettings, bootstrap: str, stop: asyncio.Event | None = None, **more: str
) -> AsyncIterator[Apart]:
    """Everything up, one replica each; on leaving, everything down. ``more`` goes into the services' environment. With
    ``stop`` set meanwhile not everything need be up: the services may wait for a broker.

    Raises CannotStart."""
    async with AsyncExitStack() as stack:
        be_alone(stack, settings.home)
        dsn = await open_database(settings, stack)
        sandbox_url, smtp_port = await open_sandbox(settings, stack)
        services = SeparateServices(settings.home, {**_environment(settings, dsn), **more})
        services.environment["ARREARS_KAFKA_BOOTSTRAP"] = bootstrap
        if settings.sandbox:
            services.environment |= {"ARREARS_SMS_URL": sandbox_url, "ARREARS_SMTP_PORT": str(smtp_port)}
        if settings.api_port:
            services.api_ports[0] = settings.api_port
        if settings.metrics_port:
            services.metrics_ports = {(name, 0): settings.metrics_port + at for at, name in enumerate(SERVICES)}
        stack.push_async_callback(services.stop)
        for name in SERVICES:
            await services.start(name)
        try:
            await _ready(services, stop or asyncio.Event())
        except (ServiceDied, TimeoutError) as error:
            raise CannotStart(
                str(error) or f"the services did not become ready; see {settings.home / 'logs'}"
            ) from None
        yield Apart(settings, dsn, services, sandbox_url)


async def _ready(services: SeparateServices, stop: asyncio.Event) -> None:
    """Until all of them are, or ``stop`` is set."""
    told = asyncio.ensure_future(stop.wait())
    told.add_done_callback(lambda _: ready.cancel())
    ready = asyncio.gather(*(services.ready(child) for child in services.children.values()))
    try:
        await ready
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
    finally:
        told.cancel()


async def serve_apart(settings: LocalSettings, bootstrap: str) -> None:
    """Run until told to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_apart(settings, bootstrap, stop) as apart:
        if stop.is_set():
            return
        await starter.put_in_motion(settings, apart.dsn, apart.url)
        children = apart.services.children
        metrics = {name: child.metrics_port for (name, _), child in children.items()}
        port = children["api", 0].port or 0
        print(starter.welcome(settings, port, apart.sandbox_url, metrics), flush=True)  # noqa: T201 - for the person who starts it
        await apart.services.keep(stop)


def _environment(settings: LocalSettings, dsn: str) -> dict[str, str]:
    return {
        "ARREARS_ENVIRONMENT": settings.environment.value,
        "ARREARS_HOME": str(settings.home.resolve()),
        "ARREARS_DATABASE_URL": dsn,
        "ARREARS_MANUAL_CLOCK": str(settings.manual_clock).lower(),
        "ARREARS_API_HOST": settings.api_host,
        "ARREARS_LOG_LEVEL": settings.log_level,
    }
