from collections.abc import AsyncIterator

import pytest

from shared.runtime.embedded_postgres import EmbeddedPostgres
from tests.application.bank import report, updated
from tests.conftest import SEEDED, Database, copy_of_template
from tests.services.api.people import COLLECTOR, MORNING, office
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


@pytest.fixture
async def desk(database, tmp_path):
    """The office in the morning of a day on which one customer is overdue."""
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
        await opened.move_to(MORNING)
        yield opened


@pytest.fixture
async def caller(desk):
    """A collector at the module's desk."""
    async with desk.person(COLLECTOR) as person:
        yield person
