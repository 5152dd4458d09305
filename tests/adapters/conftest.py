from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.runtime.local_kafka import LocalKafka
from tests.adapters.transports import Office
from tests.conftest import Database
from tests.kafka_broker import own_broker


@pytest.fixture
async def office(database: Database, tmp_path: Path) -> AsyncIterator[Office]:
    async with Office.open(database, tmp_path) as office:
        yield office


@pytest.fixture(scope="session")
def one_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    with own_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def broker(one_of_our_own: LocalKafka) -> Iterator[LocalKafka]:
    """A broker that may be paused, killed and wiped; it runs when the next test gets it."""
    if one_of_our_own.pid is None:
        one_of_our_own.start()
    yield one_of_our_own
    if one_of_our_own.pid is not None:
        one_of_our_own.resume()
