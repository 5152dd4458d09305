from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.application.bank import Bank
from tests.conftest import SEEDED, Database, copy_of_template


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """With the documents that ship: every bank here would put them in."""
    async with copy_of_template(postgres, SEEDED) as copy:
        yield copy


@pytest.fixture
async def bank(database: Database, tmp_path: Path) -> AsyncIterator[Bank]:
    bank = await Bank.open(database, tmp_path)
    yield bank
    await bank.pool.close()
