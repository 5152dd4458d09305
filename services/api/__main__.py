"""``python -m services.api [all|serve|relay|intake]``: the API, the relay and the inbound topic, as many replicas as
wanted. By default all three in one process; each can run alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

from services import chores, process, running
from services.api.deps import ApiDeps, make_deps
from services.api.serving import http_server, open_port, serve_http
from services.api.settings import ApiSettings
from services.api.shipping import add_intake, add_relay
from services.figures import watch_figures
from services.gateways import open_gateways
from services.transport import open_kafka
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.kafka.lag import LagWatch
from shared.adapters.postgres.positions import Positions
from shared.application.intake import CONSUMER as INTAKE
from shared.application.retrying import Retrier
from shared.application.retrying import inbound_events as parked_inbound
from shared.runtime.metrics import REGISTRY

ROLES = ("serve", "relay", "intake")


async def _serve(settings: ApiSettings, roles: tuple[str, ...]) -> None:
    """Run until told to stop."""
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(open_port(settings)) if "serve" in roles else None
        mine = await process.open_process("api", settings, settings.api_pool_size, stack)
        kafka = await open_kafka(mine)
        lag = LagWatch(kafka.clients, Positions(mine.pool))
        if listener is not None:
            server = http_server(_deps(mine, settings, lag))
            mine.supervisor.add("http", lambda stop: serve_http(server, listener, stop), restart=False)
            _watch(mine, lag)
        if "relay" in roles:
            add_relay(mine, kafka)
        if "intake" in roles:
            await add_intake(mine, kafka)
        retrier = Retrier(mine.work, INTAKE, parked_inbound(mine.shelf))
        mine.supervisor.add("retries", lambda stop: chores.retry([retrier], stop))
        mine.supervisor.add("epoch", kafka.epoch.watch if "relay" in roles else kafka.epoch.follow)
        await running.run_until_stopped(mine)


def _deps(mine: process.Process, settings: ApiSettings, lag: LagWatch) -> ApiDeps:
    gateways = open_gateways(GatewaySettings(), settings, mine.clock, mine.stack)
    return make_deps(settings, mine.pool, wake=mine.wake.set, gateways=gateways, shelf=mine.shelf, lag=lag.latest)


def _watch(mine: process.Process, lag: LagWatch) -> None:
    REGISTRY.register(lag)
    mine.stack.callback(REGISTRY.unregister, lag)
    mine.supervisor.add("lag", lag.run)
    watch_figures(mine.stack, mine.pool, mine.supervisor)
    mine.supervisor.add("laws", lambda stop: chores.watch_laws(mine.pool, mine.clock.now, stop))


def _as_told(words: list[str]) -> Callable[[ApiSettings], Coroutine[Any, Any, None]]:
    unknown = [word for word in words if word not in (*ROLES, "all")]
    if unknown:
        raise SystemExit(f"arrears api: {unknown[0]} is not one of all, {', '.join(ROLES)}")
    roles = tuple(words) if words and "all" not in words else ROLES
    return lambda settings: _serve(settings, roles)


if __name__ == "__main__":
    running.run("api", ApiSettings, _as_told(sys.argv[1:]))
