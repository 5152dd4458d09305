"""Servers that outlive whoever started them: whether one lives, and waiting for its end, by what the kernel says."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time

import psutil

_POLL_SECONDS = 0.005

# A server outlives the object, and may outlive the process, that started it. Kept here so that one of ours is reaped
# when it ends, and so that the interpreter does not report it as forgotten.
_children: list[subprocess.Popen[bytes]] = []


def adopt(child: subprocess.Popen[bytes]) -> psutil.Process:
    """Look after a server that was just started: it may go on without us, and is reaped should it end before."""
    process = psutil.Process(child.pid)  # first: once it is on the list, another thread may reap it
    _children.append(child)
    return process


def alive(process: psutil.Process) -> bool:
    """Whether it runs, or is paused. A zombie has ended once it is down to one thread.

    Until then its other threads may still hold its port and its files. One that is our own child is reaped on the way.
    """
    _children[:] = [child for child in _children if child.poll() is None]
    try:
        return process.is_running() and (process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1)
    except psutil.NoSuchProcess:
        return False


def send(process: psutil.Process, number: signal.Signals) -> None:
    """Signal a process; one that has ended meanwhile needs no signal."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def wait_for_end(process: psutil.Process, seconds: float) -> bool:
    """Whether it ended within ``seconds``."""
    deadline = time.monotonic() + seconds
    while alive(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
