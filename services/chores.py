"""What runs beside the services: who is at work, another try for what is parked, the measuring of queues."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import structlog
from prometheus_client import Gauge

from services.settings import CannotStart
from shared.adapters.postgres import invariants, workers
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import Shelf
from shared.application.retrying import Retrier
from shared.runtime import process_identity
from shared.runtime.metrics import REGISTRY
from shared.runtime.ownership import LockTimeoutError, file_lock

log = structlog.get_logger(__name__)
LAWS_BROKEN = Gauge("arrears_law_violations", "Rows that break a law, when last asked.", ("law",), registry=REGISTRY)


def instance_name() -> str:
    """A name that no process before or after this one has."""
    return f"local-{os.getpid()}-{uuid4().hex[:8]}"


class HomeInUse(RuntimeError):
    """Another suite runs on this home. Two of them would each take the other's attempts for a dead process's."""


def be_alone(stack: AsyncExitStack, home: Path) -> str:
    """Lock ``home`` for as long as the stack is open; the name by which suites of this home know each other.

    The kernel drops the lock with the process, so whoever holds it knows that every suite of this home before is dead.
    Raises HomeInUse."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        stack.enter_context(file_lock(home / "suite.lock", timeout=0))
    except LockTimeoutError:
        raise HomeInUse(f"another suite runs on {home}; stop it, or set ARREARS_HOME") from None
    except OSError as error:
        raise CannotStart(f"ARREARS_HOME: {home} can not be used: {error.strerror}") from None
    name = home / "suite.name"
    if not name.exists():
        name.write_text(uuid4().hex, encoding="ascii")
    return f"local:{name.read_text(encoding='ascii')}"


async def take_over(stack: AsyncExitStack, pool: Pool, instance: str, service: str) -> int:
    """Suites of this home that came before are dead, and so are their leases; that is what resolves their doubts.

    Answers the fence of this one."""
    async with pool.acquire() as conn:
        await workers.bury_predecessors(conn, service)
        fence = await workers.register(conn, instance, service)

    async def leave() -> None:
        async with pool.acquire() as conn:
            await workers.leave(conn, instance)

    stack.push_async_callback(leave)
    return fence


async def retry(retriers: list[Retrier], stop: asyncio.Event) -> None:
    while not stop.is_set():
        for retrier in retriers:
            await retrier.retry_due()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)


async def watch_laws(
    pool: Pool, business_now: Callable[[], datetime], stop: asyncio.Event, *, every: float = 900.0
) -> None:
    """Ask now and then whether our laws hold for what changed since the last time (``business_now``, an hour's overlap;
    the first time for all); what breaks one is logged, shown in ``/metrics`` and kept for the console."""
    since = None
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
            return
        began = business_now()
        async with pool.acquire() as conn:
            findings = await invariants.check(conn, since=since)
        since = began - timedelta(hours=1)
        broken = Counter(dict.fromkeys(invariants.LAWS, 0))
        for finding in findings:
            broken[finding.law] += finding.count
            log.error("laws.broken", law=finding.law, what=finding.what, count=finding.count, sample=finding.sample)
        for law, count in broken.items():
            LAWS_BROKEN.labels(law).set(count)


async def renew_shelf(shelf: Shelf, stop: asyncio.Event) -> None:
    """Policies, templates and rules that were released elsewhere are in force here within half a minute."""
    while not stop.is_set():
        await shelf.renew()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 30.0)


async def beat(pool: Pool, instance: str, stop: asyncio.Event, *, every: float = 2.0) -> None:
    """Give a sign of life, and bury the processes of this machine that give none any more because they are gone."""
    host = process_identity.host_name()
    while not stop.is_set():
        async with pool.acquire() as conn:
            await workers.beat(conn, instance)
            gone = await workers.bury_neighbours(conn, host, process_identity.is_gone)
        if gone:
            log.warning("workers.buried", instances=gone)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), every)
