"""API, scheduler and notifier put together in one process, with the in-process transport between them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from services import chores, figures
from services.api.deps import ApiDeps, make_deps
from services.embedded import LocalSettings
from services.notifier import compose as notifier
from services.notifier.sender import SenderLoop, watch_doubts
from services.scheduler import compose as scheduler
from services.scheduler import loop
from shared.adapters.clock import BusinessClock
from shared.adapters.inprocess.relay import InProcessRelay
from shared.adapters.own_events import read_parked
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.application.gateway import Gateway
from shared.application.housekeeping import ensure_housekeeping
from shared.application.retrying import Retrier, inbound_events, own_events
from shared.runtime.supervisor import Supervisor


@dataclass(slots=True)
class Suite:
    """The running parts; what a demo or a test wants to reach."""

    settings: LocalSettings
    deps: ApiDeps
    supervisor: Supervisor
    relay: InProcessRelay
    clockwork: loop.Clockwork
    sender: SenderLoop
    gateways: Mapping[str, Gateway]
    port: int
    sandbox_url: str
    dsn: str

    @property
    def pool(self) -> Pool:
        return self.deps.pool

    def hold_scheduler(self, asleep: bool) -> None:
        """Put the scheduler to sleep, or wake it: no timers, and nothing delivered to it."""
        self.relay.held = asleep
        self.clockwork.held = asleep

    def wake(self) -> None:
        """The clock moved: everybody looks at once."""
        self.relay.wake.set()
        self.clockwork.wake.set()
        self.sender.wake.set()


@dataclass(frozen=True, slots=True)
class Parts:
    """What a process has before its services are put together."""

    settings: LocalSettings
    dsn: str
    clock: BusinessClock
    gateways: Mapping[str, Gateway]
    sandbox_url: str
    service: str  # how suites of this home are known among the workers


async def compose(parts: Parts, stack: AsyncExitStack) -> Suite:
    """Open the pools under each service's own role and set every loop up under one supervisor; nothing runs yet."""
    settings = parts.settings
    poll = settings.poll
    instance = chores.instance_name()
    pools = {
        service: await _pool(stack, parts.dsn, service, size)
        for service, size in (("api", settings.api_pool_size), ("scheduler", 4), ("notifier", 6))
    }
    woken = asyncio.Event()
    deps = make_deps(settings, pools["api"], wake=woken.set, gateways=parts.gateways)
    await deps.shelf.renew()

    def work(service: str) -> PostgresUnitOfWork:
        return deps.work.on(pools[service], observe=parts.clock.observe)

    fence = await chores.take_over(stack, pools["notifier"], instance, parts.service)
    planner, clockwork = scheduler.compose(work("scheduler"), deps.shelf, poll=poll)
    reminding, sender = notifier.compose(
        work("notifier"), deps.shelf, parts.gateways, parts.clock, instance=instance, fence=fence, poll=poll
    )
    relay = InProcessRelay(
        pools["api"], work("scheduler"), (planner, reminding), poll=poll, wake=woken, delivered=sender.wake.set
    )
    retriers = [
        Retrier(work("scheduler"), planner.name, own_events(planner, read_parked)),
        Retrier(work("notifier"), reminding.name, own_events(reminding, read_parked)),
        Retrier(work("api"), "intake", inbound_events(deps.shelf)),
    ]
    await ensure_housekeeping(work("scheduler"))
    supervisor = Supervisor(grace=settings.grace)
    supervisor.add("relay", relay.run)
    supervisor.add("scheduler", clockwork.run)
    supervisor.add("sender", sender.run)
    supervisor.add("doubts", lambda stop: watch_doubts(work("notifier"), parts.gateways, stop))
    supervisor.add("retries", lambda stop: chores.retry(retriers, stop))
    figures.watch_figures(stack, pools["api"], supervisor)
    supervisor.add("laws", lambda stop: chores.watch_laws(pools["api"], parts.clock.now, stop))
    supervisor.add("shelf", lambda stop: chores.renew_shelf(deps.shelf, stop))
    supervisor.add("heartbeat", lambda stop: chores.beat(pools["notifier"], instance, stop))
    return Suite(
        settings,
        deps,
        supervisor,
        relay,
        clockwork,
        sender,
        parts.gateways,
        settings.api_port,
        parts.sandbox_url,
        parts.dsn,
    )


async def _pool(stack: AsyncExitStack, dsn: str, service: str, size: int) -> Pool:
    pool = await Pool.open(dsn, size=size, application=f"arrears-{service}", role=f"arrears_{service}")
    stack.push_async_callback(pool.close)
    return pool
