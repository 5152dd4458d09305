"""The three services as processes of their own, replicas of each, over a real broker; a sandbox that survives them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from services.api.dev_issuer import DevIssuer
from services.separate import SERVICES, Child, SeparateServices
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.lag import LagWatch
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.postgres.migrate import migrate
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.positions import Positions
from shared.adapters.postgres.shelf import seed_documents
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.faults.suite_process import StubbornDriver, free_port, sandbox

_IN_FLIGHT = """
select (select count(*) from outbox where sent_at is null) as outbox,
       (select count(*) from attempts where state = 'sending') as sending,
       (select count(*) from messages m left join business_clock c on c.id = 1
        where m.state in ('planned', 'deferred') and m.not_before <= coalesce(c.now, clock_timestamp())) as messages,
       (select count(*) from imports where state = 'receiving') as receiving
"""


@dataclass(slots=True)
class Told:
    """How the services of a world are set up; ``more`` goes into their environment."""

    replicas: int = 2
    partitions: int = 4
    manual_clock: bool = True
    knobs: tuple[str, ...] = ("sms.delay_ms=30", "email.delay_ms=10")
    more: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class World:
    services: SeparateServices
    pool: Pool
    lag: LagWatch
    driver: StubbornDriver
    home: Path
    postgres: EmbeddedPostgres
    kafka: KafkaSettings
    sandbox_url: str

    @property
    def log(self) -> Path:
        return self.home / "sandbox" / "log.ndjson"

    def client(self, role: Role = Role.CORE_BANKING, replica: int = 0) -> httpx.AsyncClient:
        token = DevIssuer(self.home, audience="arrears").make_token(role)
        url = f"http://127.0.0.1:{self.services.api_ports[replica]}"
        return httpx.AsyncClient(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=30)

    async def in_flight(self) -> dict[str, int]:
        """What is under way in the database, and between the services (-1: the broker does not answer)."""
        async with self.pool.acquire() as conn:
            found = dict(await conn.fetchrow(_IN_FLIGHT))
        try:
            async with asyncio.timeout(2):
                found["events"] = await self.lag.behind()
        except Exception:  # noqa: BLE001 - it was killed a moment ago
            await self.lag.close()
            found["events"] = -1
        return found

    async def start_all(self) -> None:
        for number in range(max(1, self.replicas)):
            for service in SERVICES:
                await self.services.start(service, number)
        await self.all_ready()

    @property
    def replicas(self) -> int:
        return int(self.services.environment["REPLICAS"])

    async def all_ready(self, within: float = 120.0) -> None:
        await asyncio.gather(*(self.services.ready(child, within=within) for child in self.services.children.values()))

    async def kill(self, service: str, number: int) -> None:
        """SIGKILL, by the id of the process that we started."""
        child: Child = self.services.children[service, number]
        if child.alive:
            child.process.kill()
            await child.process.wait()


@asynccontextmanager
async def separate_world(home: Path, bootstrap: str, told: Told | None = None) -> AsyncIterator[World]:
    """A database, a sandbox and the services, all ready; nothing of them is left afterwards."""
    told = told or Told()
    postgres = EmbeddedPostgres(home, durable=False)  # against a crash of the machine, not of a process
    dsn = await asyncio.to_thread(postgres.start)
    mark = f"t{uuid4().hex[:8]}."
    kafka = KafkaSettings(
        bootstrap=bootstrap, topic_prefix=mark, group_prefix=mark, partitions=told.partitions, session_ms=3_000
    )
    try:
        await migrate(dsn)
        await seed_documents(dsn)
        async with sandbox(home / "sandbox", *told.knobs) as (http, smtp):
            services = SeparateServices(home, _environment(home, dsn, kafka, http, smtp, told))
            pool = await Pool.open(dsn, size=3, role="arrears_api")
            lag = LagWatch(KafkaClients(kafka, "test"), Positions(pool))
            token = DevIssuer(home, audience="arrears").make_token(Role.CORE_BANKING)
            services.api_ports[0] = free_port()
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{services.api_ports[0]}", timeout=30) as client:
                driver = StubbornDriver(pool, client, token, behind=stubborn(lag))
                world = World(services, pool, lag, driver, home, postgres, kafka, http)
                try:
                    await world.start_all()
                    yield world
                except BaseException:
                    tell_logs(home / "logs")
                    raise
                finally:
                    await services.stop()
                    await lag.close()
                    await pool.close()
    finally:
        await asyncio.to_thread(postgres.stop)


def tell_logs(folder: Path, lines: int = 15) -> None:
    """What the processes last said, for whoever reads of a failure."""
    for log in sorted(folder.glob("*.log")):
        said = [line for line in log.read_text(errors="replace").splitlines() if "aiokafka" not in line]
        print(log.name, *said[-lines:], sep="\n  ")  # noqa: T201


def stubborn(lag: LagWatch) -> Any:
    """How much lies unprocessed; while the broker does not say, something does."""

    async def behind() -> int:
        try:
            async with asyncio.timeout(5):
                return await lag.behind()
        except Exception:  # noqa: BLE001 - killed, or not there yet
            await lag.close()
            return 1

    return behind


def _environment(
    home: Path, dsn: str, kafka: KafkaSettings, sms_url: str, smtp_port: int, told: Told
) -> dict[str, str]:
    return {
        "ARREARS_ENVIRONMENT": "development",
        "ARREARS_HOME": str(home),
        "ARREARS_DATABASE_URL": dsn,
        "ARREARS_MANUAL_CLOCK": str(told.manual_clock).lower(),
        "ARREARS_KAFKA_BOOTSTRAP": str(kafka.bootstrap),
        "ARREARS_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "ARREARS_KAFKA_GROUP_PREFIX": kafka.group_prefix,
        "ARREARS_KAFKA_PARTITIONS": str(kafka.partitions),
        "ARREARS_KAFKA_SESSION_MS": str(kafka.session_ms),
        "ARREARS_SMS_URL": sms_url,
        "ARREARS_SMTP_PORT": str(smtp_port),
        "ARREARS_SMS_QUERY_DELAY": "PT0.2S",
        "ARREARS_LOG_LEVEL": "WARNING",
        "REPLICAS": str(told.replicas),
        "PATH": os.environ["PATH"],
        **told.more,
    }
