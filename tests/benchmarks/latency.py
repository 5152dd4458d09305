"""From an event's request to its message at the gateway, with nothing else to do: the real clock, the real loops.

The customers live where it is early afternoon now, so that no quiet hour keeps their message back.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from time import perf_counter

from services.api.dev_issuer import DevIssuer
from services.together import running
from shared.application.principal import Role
from tests.benchmarks import feed
from tests.benchmarks.load import post, run_load
from tests.benchmarks.outcome import Line, percentile
from tests.benchmarks.stage import Stage, settle
from tests.benchmarks.stub_gateway import StubGateway

FIRST = 90_000_000
HOUR = 14


async def run(stage: Stage) -> None:
    """One report after another, each waited for until its text is at the gateway."""
    dsn = await stage.database("bench_latency")
    await settle(dsn)
    arrived: dict[str, asyncio.Event] = {}
    token = DevIssuer(stage.home, audience="arrears").make_token(Role.CORE_BANKING)
    times = []
    async with running(stage.settings(dsn)) as suite:
        gateways = suite.gateways
        assert isinstance(gateways, dict)
        for channel in list(gateways):
            gateways[channel] = StubGateway(channel, lambda to: arrived[to].set() if to in arrived else None)
        for number in range(FIRST, FIRST + (20 if stage.options.rounds == 1 else 200)):
            arrived[f"+86100{number:08d}"] = event = asyncio.Event()
            body = report(number)
            began = perf_counter()
            await run_load(suite.port, iter([_posted(body, token)]), seconds=5, connections=1)
            async with asyncio.timeout(20):
                await event.wait()
            times.append((perf_counter() - began) * 1000)
            await asyncio.sleep(0.02 + number % 17 / 100)  # not in step with any poll
    stage.add(Line("event in, message at the gateway: p50", percentile(times, 0.5), "ms", target=100, smaller=True))
    stage.add(Line("event in, message at the gateway: p99", percentile(times, 0.99), "ms", target=500, smaller=True))


def _posted(body: bytes, token: str) -> bytes:
    return post("/v1/events", body, token, "application/cloudevents+json")


def report(number: int) -> bytes:
    now = datetime.now(UTC)
    ahead = (HOUR - now.hour + 11) % 24 - 11  # -11 to 12 hours from Greenwich, whose zones count the other way round
    zone = f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"
    cutoff = now - timedelta(minutes=1)
    local = (now + timedelta(hours=ahead)).date()
    return feed.report(number, cutoff, local - timedelta(days=5), zone=zone)
