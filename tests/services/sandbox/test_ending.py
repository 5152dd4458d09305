"""The sandbox ends with the suite that started it, however that one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

_SUITE = """
import asyncio, os
from contextlib import AsyncExitStack
from pathlib import Path
from services.embedded import LocalSettings, open_sandbox

async def main():
    async with AsyncExitStack() as stack:
        settings = LocalSettings(home=Path({home!r}), sandbox_http_port=0, sandbox_smtp_port=0)
        print(*await open_sandbox(settings, stack), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""


def _suite(home: Path) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "ARREARS_ENVIRONMENT": "development"}
    started = subprocess.Popen(
        [sys.executable, "-c", _SUITE.format(home=str(home))], stdout=subprocess.PIPE, env=environment
    )
    assert started.stdout is not None
    assert started.stdout.readline().startswith(b"http://127.0.0.1:")
    return started


@pytest.mark.faults
def test_the_next_suite_finds_log_and_ports_free_although_the_last_one_was_killed(tmp_path: Path) -> None:
    first = _suite(tmp_path)
    sandboxes = psutil.Process(first.pid).children()
    assert sandboxes
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=30)
    _, alive = psutil.wait_procs(sandboxes, timeout=20)
    for left in alive:
        left.kill()
    assert not alive
