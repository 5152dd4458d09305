"""The three services as processes of their own, started from here: for ``make run`` with Kafka, the demo, and tests.

An operator starts them by other means (``deploy/docker-compose.yml``); what they are told is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

SERVICES = ("api", "scheduler", "notifier")
READY_WITHIN = 60.0


class ServiceDied(RuntimeError):
    """A service ended although nobody had asked it to; the message names its log."""


@dataclass(slots=True)
class Child:
    """One replica. ``log`` is where it writes."""

    service: str
    number: int
    process: asyncio.subprocess.Process
    log: Path
    port: int | None
    metrics_port: int

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process.returncode is None


@dataclass(slots=True)
class SeparateServices:
    """Replicas by (service, number). ``environment`` is what all of them are told besides their own ports."""

    home: Path
    environment: dict[str, str]
    api_ports: dict[int, int] = field(default_factory=dict)
    metrics_ports: dict[tuple[str, int], int] = field(default_factory=dict)
    children: dict[tuple[str, int], Child] = field(default_factory=dict)

    async def start(self, service: str, number: int = 0) -> Child:
        """Start a replica; it gets the API port that its number had before, or a free one."""
        port = self.api_ports.setdefault(number, free_port()) if service == "api" else None
        metrics_port = self.metrics_ports.get((service, number)) or free_port()
        logs = self.home / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        log = logs / f"{service}-{number}.log"
        told = {**os.environ, **self.environment, "ARREARS_METRICS_PORT": str(metrics_port)}
        if port is not None:
            told["ARREARS_API_PORT"] = str(port)
        process = await _spawn(service, told, log)
        child = Child(service, number, process, log, port, metrics_port)
        self.children[service, number] = child
        return child

    async def ready(self, child: Child, *, within: float = READY_WITHIN) -> None:
        """Wait until the replica can work. Raises ServiceDied, TimeoutError."""
        async with asyncio.timeout(within), httpx.AsyncClient(timeout=5) as client:
            while True:
                if not child.alive:
                    raise ServiceDied(f"{child.service}-{child.number} ended; see {child.log}")
                with contextlib.suppress(httpx.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{child.metrics_port}/readyz")
                    if answer.status_code == 200:
                        return
                await asyncio.sleep(0.1)

    async def keep(self, stop: asyncio.Event, *, pause: float = 1.0) -> None:
        """Start again whatever ends, until told to stop."""
        while not stop.is_set():
            for (service, number), child in list(self.children.items()):
                if not child.alive:
                    await self.start(service, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), pause)

    async def stop(self, *, within: float = 20.0) -> None:
        """Ask all to end, then make them."""
        children = [child for child in self.children.values() if child.alive]
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGCONT)
                child.process.terminate()
        await asyncio.gather(*(_ended(child.process, within) for child in children))


async def _ended(process: asyncio.subprocess.Process, within: float) -> None:
    try:
        await asyncio.wait_for(process.wait(), within)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _spawn(service: str, told: dict[str, str], log: Path) -> asyncio.subprocess.Process:
    def opened() -> IO[bytes]:
        return log.open("ab")

    with await asyncio.to_thread(opened) as out:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"services.{service}", env=told, stdout=out, stderr=out, start_new_session=True
        )


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
