from collections.abc import AsyncIterator

import pytest

from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.conftest import SEEDED, Database, copy_of_template
from tests.services.api.portfolio import close_portfolio, open_portfolio


@pytest.fixture
async def database(postgres: EmbeddedPostgres) -> AsyncIterator[Database]:
    """With the documents that ship: nearly every test here would put them in."""
    async with copy_of_template(postgres, SEEDED) as copy:
        yield copy


@pytest.fixture
async def portfolio(database, tmp_path):
    """The product on a database of its own, empty but for what ships."""
    opened = await open_portfolio(database.dsn(), tmp_path)
    yield opened
    await close_portfolio(opened)
