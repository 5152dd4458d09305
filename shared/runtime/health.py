"""Whether a process can do its work: each thing that it depends on is asked, with a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Ping = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One dependency's answer. ``error`` is the kind of the failure only: messages may carry what must not be shown."""

    ok: bool
    seconds: float
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    checks: dict[str, CheckResult]

    @property
    def ready(self) -> bool:
        return all(check.ok for check in self.checks.values())


class Health:
    """The pings of one process, by name."""

    def __init__(self) -> None:
        self._pings: dict[str, tuple[Ping, float]] = {}

    def register(self, name: str, ping: Ping, *, timeout: float = 1.0) -> None:
        """Ask ``ping`` on every check; it is well when it returns within ``timeout`` seconds without raising."""
        if name in self._pings:
            raise ValueError(f"a ping named {name} is registered already")
        self._pings[name] = (ping, timeout)

    async def check(self) -> Readiness:
        """Ask all at once; takes no longer than the longest timeout."""
        results = await asyncio.gather(*(_ask(ping, timeout) for ping, timeout in self._pings.values()))
        return Readiness(dict(zip(self._pings, results, strict=True)))


async def _ask(ping: Ping, timeout: float) -> CheckResult:  # noqa: ASYNC109 - a limit given by configuration
    started = time.monotonic()
    error: str | None = None
    try:
        async with asyncio.timeout(timeout):
            await ping()
    except Exception as failure:  # noqa: BLE001 - whatever it raises, the answer is that it is not well
        error = type(failure).__name__
    return CheckResult(ok=error is None, seconds=time.monotonic() - started, error=error)
