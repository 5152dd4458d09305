"""The embedded suite as a process that can be killed, with a sandbox that survives it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from services.api.dev_issuer import DevIssuer
from services.demo import Driver, Instant
from shared.adapters.postgres.pool import Pool
from shared.application.principal import Role
from shared.runtime.embedded_postgres import EmbeddedPostgres

READY_WITHIN = 60.0
PORTS = range(32_000, 32_768)  # below those that connections are given, above those of brokers


def free_port() -> int:
    """A port that nobody takes while the suite is down between two lives, other test processes included."""
    claims = Path(tempfile.gettempdir()) / "arrears-tests-ports"
    with suppress(FileExistsError):
        claims.mkdir(mode=0o777)
        claims.chmod(0o777)  # whoever else runs tests here
    for port in PORTS:
        with suppress(OSError), socket.socket() as listener:
            claim = os.open(claims / str(port), os.O_CREAT | os.O_RDWR, 0o666)  # ours until this process ends
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                listener.bind(("127.0.0.1", port))
            except OSError:
                os.close(claim)
                raise
            return port
    raise AssertionError("every port is taken")


class SuiteProcess:
    """``python -m services.local`` under the manual clock; ``kill`` is SIGKILL, by the id of the process we started."""

    def __init__(self, home: Path, sandbox_http: str, smtp_port: int) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = {
            **os.environ,
            "ARREARS_ENVIRONMENT": "development",
            "ARREARS_HOME": str(home),
            "ARREARS_MANUAL_CLOCK": "true",
            "ARREARS_API_PORT": str(self.port),
            "ARREARS_METRICS_PORT": "0",
            "ARREARS_SANDBOX": "false",
            "ARREARS_DURABLE": "false",
            "ARREARS_SAMPLE_CUSTOMERS": "0",
            "ARREARS_SMS_URL": sandbox_http,
            "ARREARS_SMTP_PORT": str(smtp_port),
            "ARREARS_SMS_QUERY_DELAY": "PT0.2S",
            "ARREARS_LOG_LEVEL": "ERROR",
        }
        self._complaints = home / "suite.stderr"
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._complaints.open("ab") as complaints:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "services.local"),
                env=self._environment,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=complaints,
            )
        async with httpx.AsyncClient(base_url=self.url) as client, asyncio.timeout(READY_WITHIN):
            while True:
                with suppress(httpx.TransportError):
                    if (await client.get("/readyz")).status_code == 200:
                        return
                if self._process.returncode is not None:
                    said = self._complaints.read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the suite ended with {self._process.returncode} instead of starting: {said}")
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        await self._end(signal.SIGTERM)

    async def _end(self, with_signal: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(with_signal)
            await self._process.wait()


class StubbornDriver(Driver):
    """Feeds again what a kill interrupted: what was taken before is a duplicate."""

    async def _feed(self, instant: Instant) -> None:
        async with asyncio.timeout(240):
            while True:
                try:
                    return await super()._feed(instant)
                except (httpx.TransportError, httpx.HTTPStatusError) as error:
                    if isinstance(error, httpx.HTTPStatusError) and error.response.status_code not in (409, 503):
                        raise
                    await asyncio.sleep(0.1)


@asynccontextmanager
async def sandbox(home: Path, *knobs: str) -> AsyncIterator[tuple[str, int]]:
    """Slow by default, so that a kill finds something on its way."""
    knobs = knobs or ("sms.delay_ms=30", "email.delay_ms=10")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.sandbox", "--home", str(home), "--http-port", "0", "--smtp-port", "0"),
        *(word for knob in knobs for word in ("--knob", knob)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        line = await process.stdout.readline() if process.stdout else b""
        ready: dict[str, Any] = json.loads(line)
        yield ready["http"], int(ready["smtp"].rsplit(":", 1)[1])
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def a_world(home: Path) -> AsyncIterator[tuple[SuiteProcess, Pool, StubbornDriver]]:
    """A suite process with its own database and providers, and a driver beside it."""
    postgres = EmbeddedPostgres(home, durable=False)  # against a crash of the machine, not of a process
    dsn = await asyncio.to_thread(postgres.start)
    try:
        async with sandbox(home / "sandbox") as (http, smtp):
            suite = SuiteProcess(home, http, smtp)
            await suite.start()
            pool = await Pool.open(dsn, size=3, role="arrears_api")
            token = DevIssuer(home, audience="arrears").make_token(Role.CORE_BANKING)
            async with httpx.AsyncClient(base_url=suite.url, timeout=30) as client:
                try:
                    yield suite, pool, StubbornDriver(pool, client, token)
                finally:
                    await suite.stop()
                    await pool.close()
    finally:
        await asyncio.to_thread(postgres.stop)
