"""The embedded suite: database, API, scheduler and notifier in one process, the sandbox provider beside it.

``python -m services.local`` is what ``make run`` starts. The transport is in process; everything else is what a bank
runs: the real PostgreSQL, the real pipeline, real SMTP and HTTP to the sandbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import asyncpg
import structlog
import uvicorn
from pydantic_settings import SettingsConfigDict

from services.api.app import create_app
from services.api.deps import make_deps
from services.api.settings import ApiSettings
from services.notifier import compose as notifier
from services.notifier.sender import SenderLoop, watch_doubts
from services.notifier.settings import NotifierSettings
from services.scheduler import compose as scheduler
from services.scheduler.loop import Clockwork
from shared.adapters.clock import BusinessClock
from shared.adapters.gateways.registry import build_gateways
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.inprocess.relay import InProcessRelay, read_kept
from shared.adapters.normalisation import contact_value
from shared.adapters.postgres import workers
from shared.adapters.postgres.migrate import migrate
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import seed
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.application.gateway import Gateway
from shared.application.retrying import Parked, Retrier, inbound_events, own_events
from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.supervisor import Supervisor

log = structlog.get_logger(__name__)
QUICK = 0.02  # seconds between looks when the manual clock drives


class LocalSettings(ApiSettings):
    """The embedded suite's own: where the sandbox listens, and whether to start it."""

    model_config = SettingsConfigDict(env_prefix="ARREARS_", extra="ignore", frozen=True)

    sandbox: bool = True
    sandbox_http_port: int = 8025
    sandbox_smtp_port: int = 2525
    durable: bool = True


@dataclass(slots=True)
class Suite:
    """The running parts; what a demo or a test wants to reach."""

    settings: LocalSettings
    pool: Pool
    supervisor: Supervisor
    relay: InProcessRelay
    clockwork: Clockwork
    sender: SenderLoop
    gateways: Mapping[str, Gateway]
    port: int
    sandbox_url: str

    def wake(self) -> None:
        """The clock moved: everybody looks at once."""
        self.relay.wake.set()
        self.clockwork.wake.set()
        self.sender.wake.set()


@asynccontextmanager
async def running(settings: LocalSettings) -> AsyncIterator[Suite]:
    """Everything up; on leaving, everything down in the opposite order."""
    async with AsyncExitStack() as stack:
        dsn = await _database(settings, stack)
        sandbox_url, smtp_port = await _sandbox(settings, stack)
        suite, server = await _compose(settings, stack, dsn, sandbox_url, smtp_port)
        task = asyncio.create_task(suite.supervisor.run(signals=False))
        stack.push_async_callback(_stop, suite.supervisor, task)
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(QUICK)
        suite.port = server.servers[0].sockets[0].getsockname()[1]
        yield suite


async def _stop(supervisor: Supervisor, task: asyncio.Task[None]) -> None:
    supervisor.request_stop()
    await task


async def _database(settings: LocalSettings, stack: AsyncExitStack) -> str:
    """The owner's address of a migrated and seeded database: the configured one or the embedded one."""
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    postgres = EmbeddedPostgres(settings.home, durable=settings.durable)
    dsn = await asyncio.to_thread(postgres.start)
    stack.callback(postgres.stop)
    await migrate(dsn)
    conn = await asyncpg.connect(dsn)
    try:
        await _jsonb(conn)
        await seed(conn)
    finally:
        await conn.close()
    return dsn


async def _jsonb(conn: Any) -> None:
    await conn.set_type_codec("jsonb", schema="pg_catalog", encoder=json.dumps, decoder=json.loads)


async def _sandbox(settings: LocalSettings, stack: AsyncExitStack) -> tuple[str, int]:
    """Start the sandbox, unless one listens already or real gateways are configured."""
    if not settings.sandbox:
        return f"http://127.0.0.1:{settings.sandbox_http_port}", settings.sandbox_smtp_port
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.sandbox",
        *("--home", str(settings.home / "sandbox")),
        *("--http-port", str(settings.sandbox_http_port)),
        *("--smtp-port", str(settings.sandbox_smtp_port)),
        *("--callback-url", f"http://127.0.0.1:{settings.api_port}/v1/callbacks/http_sms"),
        stdout=subprocess.PIPE,
    )
    stack.push_async_callback(_end, process)
    assert process.stdout is not None  # noqa: S101 - PIPE was asked for
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the sandbox did not start; its reason stands above")
    ready = json.loads(line)
    return ready["http"], int(ready["smtp"].rsplit(":", 1)[1])


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


async def _compose(
    settings: LocalSettings, stack: AsyncExitStack, dsn: str, sandbox_url: str, smtp_port: int
) -> tuple[Suite, uvicorn.Server]:
    clock = BusinessClock(manual=settings.manual_clock)
    poll = QUICK if settings.manual_clock else 0.5
    instance = f"local-{os.getpid()}-{uuid4().hex[:8]}"
    pools = [await _pool(stack, dsn, role, size) for role, size in (("api", settings.api_pool_size), ("scheduler", 3))]
    pools.append(await _pool(stack, dsn, "notifier", 6))
    api_pool, scheduler_pool, notifier_pool = pools
    relay_wake = asyncio.Event()
    gateways = _gateways(settings, clock, sandbox_url, smtp_port)
    for gateway in gateways.values():
        stack.push_async_callback(gateway.aclose)
    deps = make_deps(settings, api_pool, wake=relay_wake.set, gateways=gateways)
    await deps.shelf.renew()

    def work(pool: Pool) -> PostgresUnitOfWork:
        return PostgresUnitOfWork(
            pool,
            deps.cipher,
            contact_value,
            manual_clock=settings.manual_clock,
            wake=relay_wake.set,
            observe=clock.observe,
        )

    planner, clockwork = scheduler.compose(work(scheduler_pool), deps.shelf, poll=poll)
    notifying = work(notifier_pool)
    reminding, sender = notifier.compose(
        notifying, deps.shelf, gateways, clock, NotifierSettings(), instance=instance, poll=poll
    )
    relay = InProcessRelay(api_pool, work(scheduler_pool), (planner, reminding), poll=poll)
    relay.wake = relay_wake
    await _take_over(stack, notifier_pool, instance)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(deps),
            host=settings.api_host,
            port=settings.api_port,
            log_config=None,
            access_log=False,
            lifespan="off",
            http="httptools",
        )
    )
    supervisor = Supervisor(grace=settings.grace)
    supervisor.add("api", lambda stop: _serve(server, stop), restart=False)
    supervisor.add("relay", relay.run)
    supervisor.add("scheduler", clockwork.run)
    supervisor.add("sender", sender.run)
    supervisor.add("doubts", lambda stop: watch_doubts(notifying, gateways, stop))
    retriers = [
        Retrier(work(scheduler_pool), consumer.name, own_events(consumer, _read_parked))
        for consumer in (planner, reminding)
    ]
    retriers.append(Retrier(work(api_pool), "intake", inbound_events(deps.shelf)))
    supervisor.add("retries", lambda stop: _retry(retriers, stop))
    supervisor.add("heartbeat", lambda stop: _beat(notifier_pool, instance, stop))
    suite = Suite(settings, api_pool, supervisor, relay, clockwork, sender, gateways, settings.api_port, sandbox_url)
    return suite, server


def _gateways(settings: LocalSettings, clock: BusinessClock, sandbox_url: str, smtp_port: int) -> dict[str, Gateway]:
    given = GatewaySettings()
    if settings.sandbox:
        given = given.model_copy(update={"sms_url": sandbox_url, "smtp_port": smtp_port})
    return build_gateways(given, clock.business_time)


async def _pool(stack: AsyncExitStack, dsn: str, service: str, size: int) -> Pool:
    pool = await Pool.open(dsn, size=size, application=f"arrears-{service}", role=f"arrears_{service}")
    stack.push_async_callback(pool.close)
    return pool


async def _take_over(stack: AsyncExitStack, pool: Pool, instance: str) -> None:
    """The suite is alone on its home, so whoever held leases before is dead; that is what resolves their doubts."""
    async with pool.acquire() as conn:
        await workers.bury_predecessors(conn, "local")
        await workers.register(conn, instance, "local")

    async def leave() -> None:
        async with pool.acquire() as conn:
            await workers.leave(conn, instance)

    stack.push_async_callback(leave)


async def _serve(server: uvicorn.Server, stop: asyncio.Event) -> None:
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server._serve())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    server.should_exit = True
    await serving


def _read_parked(parked: Parked) -> Any:
    topic = ".".join(parked.type.split(".")[:2])
    return read_kept(topic, parked.envelope)


async def _retry(retriers: list[Retrier], stop: asyncio.Event) -> None:
    while not stop.is_set():
        for retrier in retriers:
            await retrier.retry_due()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)


async def _beat(pool: Pool, instance: str, stop: asyncio.Event) -> None:
    while not stop.is_set():
        async with pool.acquire() as conn:
            await workers.beat(conn, instance)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 5.0)
