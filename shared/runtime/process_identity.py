"""Which process this is, so that a neighbour on the same machine can tell that it has died.

A number alone is given out again; with the moment of birth, and the boot and the process table that it belongs to, it
names one process for good.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

import psutil

_DEAD_STATES = ("Z", "X", "x")  # killed, and not yet buried by its parent


@dataclass(frozen=True, slots=True)
class Identity:
    """``host`` names one process table between two boots; ``birth`` the moment at which ``pid`` was given out there."""

    host: str
    pid: int
    birth: str


def this_process() -> Identity:
    pid = os.getpid()
    return Identity(host_name(), pid, birth_of(pid) or "")


def host_name() -> str:
    """The machine's boot and process table: two containers on one machine have two."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        table = os.readlink("/proc/self/ns/pid")
    except OSError:
        return f"{socket.gethostname()}/{int(psutil.boot_time())}"
    return f"{boot}/{table}"


def birth_of(pid: int) -> str | None:
    """When a living process was born, in the kernel's ticks since the boot; None when it does not live (any more)."""
    try:
        # After the name, which may hold anything, in brackets: the state is the first field, the birth the twentieth.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else _birth_elsewhere(pid)
    # A zombie's other threads may still be on their way out, and write until they are.
    return None if fields[0] in _DEAD_STATES and fields[17] in ("0", "1") else fields[19]


def _birth_elsewhere(pid: int) -> str | None:
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return None


def is_alive(pid: int, birth: str) -> bool:
    """Does the very process still live? Asked of one with this machine's ``host_name``."""
    return birth_of(pid) == birth
