"""A process of ours that is expected to end by itself."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path


async def run_to_end(*command: str, cwd: Path, **told: str) -> tuple[int | None, str, str]:
    """``python -m command`` in ``cwd``, with ``told`` added to the environment: its exit code and what it printed. One
    that does not end within a minute is ended, and raises TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *command),
        cwd=cwd,
        env=os.environ | told,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            out, wrong = await process.communicate()
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()
    return process.returncode, out.decode(), wrong.decode()
