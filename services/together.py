"""The embedded suite: database, API, scheduler and notifier in one process, the sandbox provider beside it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.api.serving import http_server, open_port, serve_http
from services.chores import be_alone
from services.embedded import LocalSettings, gateway_settings, open_database, open_sandbox
from services.gateways import open_gateways
from services.settings import QUICK
from services.suite import Parts, Suite, compose
from shared.adapters.clock import BusinessClock
from shared.runtime.supervisor import Supervisor


@asynccontextmanager
async def running(settings: LocalSettings) -> AsyncIterator[Suite]:
    """Everything up; on leaving, everything down in the opposite order."""
    async with AsyncExitStack() as stack:
        service = be_alone(stack, settings.home)
        listener = stack.enter_context(open_port(settings))
        dsn = await open_database(settings, stack)
        sandbox_url, smtp_port = await open_sandbox(settings, stack)
        clock = BusinessClock(manual=settings.manual_clock)
        gateways = open_gateways(gateway_settings(settings, sandbox_url, smtp_port), settings, clock, stack)
        suite = await compose(Parts(settings, dsn, clock, gateways, sandbox_url, service), stack)
        server = http_server(suite.deps)
        suite.supervisor.add("api", lambda stop: serve_http(server, listener, stop), restart=False)
        task = asyncio.create_task(suite.supervisor.run(signals=False))
        stack.push_async_callback(_stop, suite.supervisor, task)
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(QUICK)
        suite.port = listener.getsockname()[1]
        yield suite


async def _stop(supervisor: Supervisor, task: asyncio.Task[None]) -> None:
    supervisor.stopping.set()  # no request: after a signal that would be the second, which cuts off what is under way
    await task
