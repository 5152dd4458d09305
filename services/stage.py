"""A suite for the driver of the manual clock: one process, or three with the broker that is configured between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from services.apart import running_apart
from services.embedded import LocalSettings
from services.together import running
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.lag import LagWatch
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.positions import Positions


@dataclass(slots=True)
class Stage:
    """What the driver needs of a suite, whether it is one process or three."""

    pool: Pool
    url: str
    wake: Callable[[], None] = lambda: None
    behind: Callable[[], Awaitable[int]] | None = None


@asynccontextmanager
async def _together(settings: LocalSettings) -> AsyncIterator[Stage]:
    async with running(settings) as suite:
        yield Stage(suite.pool, f"http://127.0.0.1:{suite.port}", suite.wake)


@asynccontextmanager
async def _apart(settings: LocalSettings, kafka: KafkaSettings) -> AsyncIterator[Stage]:
    async with running_apart(settings, kafka.bootstrap or "") as apart, AsyncExitStack() as stack:
        pool = await Pool.open(apart.dsn, size=2, application="arrears-demo", role="arrears_api")
        stack.push_async_callback(pool.close)
        lag = LagWatch(KafkaClients(kafka, "arrears-demo"), Positions(pool))
        stack.push_async_callback(lag.close)
        yield Stage(pool, apart.url, behind=lag.behind)


def staged(settings: LocalSettings) -> AbstractAsyncContextManager[Stage]:
    """One process, or with ``ARREARS_KAFKA_BOOTSTRAP`` three."""
    kafka = KafkaSettings()
    return _apart(settings, kafka) if kafka.bootstrap else _together(settings)
