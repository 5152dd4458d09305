"""The README's tour, pasted into a shell: what it promises is what happens."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

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


def tour(readme: str) -> str:
    text = (ROOT / readme).read_text()
    return "\n".join(re.findall(r"^```bash\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.timeout(180)  # a score of programs, one after the other, beside whatever else the machine does
async def test_the_tour_does_what_it_says(tmp_path: Path) -> None:
    settings = LocalSettings(home=tmp_path, api_port=0, sandbox_http_port=0, sandbox_smtp_port=0, durable=False)
    async with running(settings) as suite:
        script = tour("README.md").replace("http://127.0.0.1:8000", f"http://127.0.0.1:{suite.port}")
        script = script.replace("http://127.0.0.1:8025", suite.sandbox_url)
        async with httpx.AsyncClient() as client, answering(tmp_path, Today(suite.pool, client, "")):
            said = await bash("set -euo pipefail\n" + TOKENS + UNHURRIED + script, tmp_path)
    assert said.count('"answer": "accepted"') == 2
    reported, paid = said.split('"answer": "accepted"')[1:]
    assert '"state": "open"' in reported
    assert re.search(r'"step": "m1-first-sms",.*?"state": "done"', reported, re.DOTALL)
    assert re.search(r'"step": "m1-second-sms",.*?"state": "planned"', reported, re.DOTALL)
    assert "1234" in reported.partition("【")[2]
    assert '"step": "m1-second-sms"' not in paid
    assert '"to_bring_current": 0' in paid
    assert '"template": "thanks-cured"' in paid
    assert '"what": "case.cured"' in paid
    assert '"name": "outbox"' in paid


def test_the_tour_is_the_same_in_chinese() -> None:
    assert without_comments(tour("README.zh-CN.md")) == without_comments(tour("README.md"))


def without_comments(script: str) -> list[str]:
    return [line.partition(" # ")[0].rstrip() for line in script.splitlines() if not line.startswith("#")]


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
