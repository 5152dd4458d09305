"""From an event's request to its message at the provider, through api, scheduler and notifier, each its own process.

First one report after another, with nothing else to do; then as many as the API takes. The customers live where it is
early afternoon now, so that no quiet hour keeps their message back.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter

from services.api.dev_issuer import DevIssuer
from services.separate import SERVICES, SeparateServices
from shared.application.principal import Role
from tests.benchmarks import latency
from tests.benchmarks.cpu import Meter, told
from tests.benchmarks.load import post, run_load
from tests.benchmarks.outcome import Line, percentile
from tests.benchmarks.stage import Stage, settle
from tests.benchmarks.stub_provider import stub_provider

LOADED = 91_000_000  # the first number of those that come all at once
BATCH = 500


class _Arrivals:
    """When the provider got the message of each number."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self._awaited: tuple[str, asyncio.Event] = ("", asyncio.Event())

    def taken(self, to: str) -> None:
        self.at.setdefault(to, perf_counter())
        if self._awaited[0] == to:
            self._awaited[1].set()

    async def of(self, to: str) -> float:
        self._awaited = (to, asyncio.Event())
        if to not in self.at:
            await self._awaited[1].wait()
        return self.at[to]


async def run(stage: Stage, bootstrap: str, others: dict[str, int]) -> None:
    """The three processes once, unloaded and loaded."""
    dsn = await stage.database("bench_whole_way")
    await settle(dsn)
    arrivals = _Arrivals()
    async with stub_provider(arrivals.taken) as provider, _services(stage, dsn, bootstrap, provider) as services:
        port = services.api_ports[0]
        token = DevIssuer(stage.home, audience="arrears").make_token(Role.CORE_BANKING)
        answered, arrived = await _one_by_one(stage, port, token, arrivals)
        await settle(dsn)
        pids = {child.service: child.pid for child in services.children.values()} | others
        await _all_at_once(stage, port, token, arrivals, Meter(pids))
    name = "through Kafka: event in, message at the provider"
    for share, target in ((0.5, 250), (0.99, 1000)):
        note = f"the event's own answer took {percentile(answered, share):,.0f} ms"
        stage.add(Line(f"{name}: p{share * 100:.0f}", percentile(arrived, share), "ms", None, target, True, note))


@asynccontextmanager
async def _services(stage: Stage, dsn: str, bootstrap: str, provider: str) -> AsyncIterator[SeparateServices]:
    told = {
        "ARREARS_ENVIRONMENT": "development",
        "ARREARS_HOME": str(stage.home),
        "ARREARS_DATABASE_URL": dsn,
        "ARREARS_KAFKA_BOOTSTRAP": bootstrap,
        "ARREARS_SMS_URL": provider,
        "ARREARS_LOG_LEVEL": "WARNING",
    }
    services = SeparateServices(stage.home, told)
    try:
        for service in SERVICES:
            await services.start(service)
        for child in list(services.children.values()):
            await services.ready(child)
        yield services
    finally:
        await services.stop()


async def _one_by_one(
    stage: Stage, port: int, token: str, arrivals: _Arrivals
) -> tuple[Sequence[float], Sequence[float]]:
    """Milliseconds to the answer and to the message of each; the first warms up."""
    answered, arrived = [], []
    for number in range(latency.FIRST, latency.FIRST + (20 if stage.options.rounds == 1 else 200) + 1):
        request = post("/v1/events", latency.report(number), token, "application/cloudevents+json")
        began = perf_counter()
        await run_load(port, iter([request]), seconds=5, connections=1)
        answered.append((perf_counter() - began) * 1000)
        async with asyncio.timeout(20):
            arrived.append((await arrivals.of(mobile(number)) - began) * 1000)
        await asyncio.sleep(0.02 + number % 17 / 100)  # not in step with any poll
    return answered[1:], arrived[1:]


async def _all_at_once(stage: Stage, port: int, token: str, arrivals: _Arrivals, meter: Meter) -> None:
    count = max(2_000, stage.options.accounts // 5)
    numbers = range(LOADED, LOADED + count)
    bodies = [
        b"[" + b",".join(latency.report(number) for number in numbers[at : at + BATCH]) + b"]"
        for at in range(0, count, BATCH)
    ]
    requests = [post("/v1/events", body, token, "application/cloudevents-batch+json") for body in bodies]
    began = perf_counter()
    rate = await run_load(port, iter(requests), seconds=600, connections=2)
    async with asyncio.timeout(300):
        await _until(lambda: all(mobile(number) in arrivals.at for number in (numbers[0], numbers[-1])))
        await _until(lambda: all(mobile(number) in arrivals.at for number in numbers))
    took = max(arrivals.at[mobile(number)] for number in numbers) - began
    note = told({"reports": [meter.per_thousand(count)]})
    stage.add(Line("through Kafka, loaded: reports in", rate.per_second * BATCH, "lines/s"))
    stage.add(
        Line("through Kafka, loaded: messages out, from the first report on", count / took, "messages/s", note=note)
    )


async def _until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.05)


def mobile(number: int) -> str:
    return f"+86100{number:08d}"
