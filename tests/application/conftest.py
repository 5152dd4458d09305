from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.application.bank import Bank
from tests.conftest import Database


@pytest.fixture
async def bank(database: Database, tmp_path: Path) -> AsyncIterator[Bank]:
    bank = await Bank.open(database, tmp_path)
    yield bank
    await bank.pool.close()
