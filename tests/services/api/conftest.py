import pytest

from tests.services.api.portfolio import close_portfolio, open_portfolio


@pytest.fixture
async def portfolio(database, tmp_path):
    """The product on a database of its own, empty but for what ships."""
    opened = await open_portfolio(database.dsn(), tmp_path)
    yield opened
    await close_portfolio(opened)
