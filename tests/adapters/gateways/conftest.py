from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.sandbox.running import Running, running_sandbox


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[Running]:
    async with running_sandbox(tmp_path / "sandbox") as running:
        yield running
