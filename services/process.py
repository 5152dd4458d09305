"""What every service process has: its settings, the database under its role, its place among the workers, its tasks.

The three services are processes of their own where Kafka lies between them; the embedded suite puts them into one.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from uuid import uuid4

from services import chores
from services.database import check_database
from services.settings import CannotStart, ServiceSettings, make_cipher
from shared.adapters.clock import BusinessClock
from shared.adapters.normalisation import contact_value
from shared.adapters.postgres import workers
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import Shelf, check_read_in_place
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.runtime import process_identity
from shared.runtime.health import Health
from shared.runtime.supervisor import Supervisor


@dataclass(slots=True)
class Process:
    """The parts of one service process. ``fence`` is above that of every process before it."""

    service: str
    settings: ServiceSettings
    pool: Pool
    work: PostgresUnitOfWork
    shelf: Shelf
    clock: BusinessClock
    instance: str
    fence: int
    stack: AsyncExitStack
    wake: asyncio.Event
    supervisor: Supervisor
    health: Health = field(default_factory=Health)


async def open_process(service: str, settings: ServiceSettings, pool_size: int, stack: AsyncExitStack) -> Process:
    """Connect under the service's role, read the policies, enter the process among the workers. Raises CannotStart."""
    if settings.database_url is None:
        raise CannotStart("set ARREARS_DATABASE_URL: a service by itself has no embedded database")
    check_read_in_place()
    dsn = settings.database_url.get_secret_value()
    await check_database(dsn, settings)
    pool = await Pool.open(dsn, size=pool_size, application=f"arrears-{service}", role=f"arrears_{service}")
    stack.push_async_callback(pool.close)
    clock = BusinessClock(manual=settings.manual_clock)
    wake = asyncio.Event()
    work = PostgresUnitOfWork(
        pool, make_cipher(settings), contact_value, manual_clock=settings.manual_clock, wake=wake.set
    ).on(pool, observe=clock.observe)
    shelf = Shelf(pool)
    await shelf.renew()
    instance = f"{service}-{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
    fence = await _enter(pool, instance, service, settings, stack)
    process = Process(
        service, settings, pool, work, shelf, clock, instance, fence, stack, wake, Supervisor(grace=settings.grace)
    )
    process.health.register("database", pool.ping)
    process.supervisor.add("shelf", lambda stop: chores.renew_shelf(shelf, stop))
    process.supervisor.add("heartbeat", lambda stop: chores.beat(pool, instance, stop))
    return process


async def _enter(pool: Pool, instance: str, service: str, settings: ServiceSettings, stack: AsyncExitStack) -> int:
    me = process_identity.this_process()
    named = workers.Birth(name=settings.worker_name)
    born = replace(named, host=me.host, pid=me.pid, birth=me.birth) if me is not None else named
    async with pool.acquire() as conn:
        fence = await workers.register(conn, instance, service, born)

    async def leave() -> None:
        async with pool.acquire() as conn:
            await workers.leave(conn, instance)

    stack.push_async_callback(leave)
    return fence
