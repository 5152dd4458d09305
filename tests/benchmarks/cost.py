"""Processor time: what a measure costs whatever else the machine does, where the time it takes depends on that."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """Processor microseconds of one operation: of our (or the bare) process, and of the database's."""

    process: float
    database: float

    def __str__(self) -> str:
        return f"{self.process:,.0f} + {self.database:,.0f} us"

    @property
    def all(self) -> float:
        return self.process + self.database


class Meter:
    """Reads the processor time of a process (this one by default) and of all connections to a database."""

    def __init__(self, dsn: str, pid: int | None = None) -> None:
        self._pid = pid or os.getpid()
        self._database = urlsplit(dsn).path.lstrip("/")
        self._began = self._read()

    def cost(self, operations: int) -> Cost:
        """Of each of ``operations`` since the meter was made."""
        process, database = (now - then for now, then in zip(self._read(), self._began, strict=True))
        return Cost(process / operations * 1e6, database / operations * 1e6)

    def _read(self) -> tuple[float, float]:
        connections = [each for each in psutil.process_iter(["cmdline"]) if self._serves(each.info["cmdline"])]
        return _seconds(psutil.Process(self._pid)), sum(map(_seconds, connections))

    def _serves(self, command: list[str] | None) -> bool:
        """A server process names itself ``postgres: role database client state``."""
        words = " ".join(command or ()).split()
        return len(words) > 2 and words[0] == "postgres:" and words[2] == self._database


def _seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.Error:  # ended meanwhile
        return 0.0
    return float(times.user + times.system)
