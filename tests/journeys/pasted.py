"""Scripts of the pages, pasted into a shell beside a running suite."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from services.demo import Driver
from services.embedded import LocalSettings
from services.together import running

ROOT = Path(__file__).resolve().parents[2]
# A reader waits three seconds; here the wait is for what they are waiting for, however slow the machine.
UNHURRIED = 'sleep() { touch "$ARREARS_HOME/asked"; while [ -e "$ARREARS_HOME/asked" ]; do command sleep 0.2; done; }\n'
TOKENS = 'make() { "$PYTHON" -m services.cli token --role "${3#ROLE=}"; }\n'


class Today(Driver):
    """Waits on the real clock, which nobody drives."""

    async def _now(self, start: datetime | None = None) -> datetime:
        return datetime.now(UTC)


@asynccontextmanager
async def answering(home: Path, driver: Driver) -> AsyncIterator[None]:
    """Whoever asks there hears when all that is due has been done."""

    async def answer() -> None:
        while True:
            if (home / "asked").exists():
                await driver.quiet()
                (home / "asked").unlink()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(answer())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def blocks(text: str, language: str = "bash") -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


async def paste(script: str, home: Path) -> str:
    """What a reader sees who pastes it while a new suite runs; its addresses stand for where that one is."""
    settings = LocalSettings(home=home, api_port=0, sandbox_http_port=0, sandbox_smtp_port=0, durable=False)
    async with running(settings) as suite:
        script = script.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{suite.port}")
        script = script.replace("http://127.0.0.1:8025", suite.sandbox_url)
        async with httpx.AsyncClient() as client, answering(home, Today(suite.pool, client, "")):
            return await bash("set -euo pipefail\n" + TOKENS + UNHURRIED + script, home)


async def bash(script: str, home: Path) -> str:
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        cwd=ROOT,
        env={**os.environ, "PYTHON": sys.executable, "ARREARS_HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, wrong = await process.communicate()
    assert process.returncode == 0, wrong.decode()[-2000:] + out.decode()[-2000:]
    return out.decode()
