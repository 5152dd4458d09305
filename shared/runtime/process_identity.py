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

_LINUX = Path("/proc/self/stat").exists()
_DEAD_STATES = ("Z", "X", "x")  # killed, and not yet buried by its parent


@dataclass(frozen=True, slots=True)
class Identity:
    """``host`` names one process table between two boots; ``birth`` the moment at which ``pid`` was given out there."""

    host: str
    pid: int
    birth: str


def this_process() -> Identity | None:
    """None where it can not be told apart from the next one with its number."""
    pid = os.getpid()
    birth = birth_of(pid)
    return None if birth is None else Identity(host_name(), pid, birth)


def host_name() -> str:
    """The machine's boot and process table: two containers on one machine have two."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        table = os.readlink("/proc/self/ns/pid")
    except OSError:
        return f"{socket.gethostname()}/{int(psutil.boot_time())}"
    return f"{boot}/{table}"


def birth_of(pid: int) -> str | None:
    """When a process that lives was born, in the kernel's ticks since the boot; None when it does not live (any more),
    or is hidden from us."""
    fields = _stat(pid)
    if fields is None:
        return None if _LINUX else _birth_elsewhere(pid)
    # A zombie's other threads may still be on their way out, and write until they are.
    return None if fields[0] in _DEAD_STATES and fields[17] in ("0", "1") else fields[19]


def is_gone(pid: int, birth: str) -> bool:
    """Is the very process known to have ended? Asked of one with this machine's ``host_name``.

    A hardened machine hides the processes of other users (``hidepid``, systemd's ``ProtectProc``). One that we can not
    see is gone only if the kernel says that nobody has its number, which it does not hide."""
    found = birth_of(pid)
    if found is None and _stat(pid) is None:
        return not _exists(pid)
    return found != birth


def _stat(pid: int) -> list[str] | None:
    """From the state on, which comes after the name in brackets; the name may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None


def _birth_elsewhere(pid: int) -> str | None:
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return None


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
