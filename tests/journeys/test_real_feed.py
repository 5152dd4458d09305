"""The portfolio of a real card issuer goes in by ``/v1/imports``: nothing refused, and in any order the same.

The feed is made by the tool beside the repository where that is there; elsewhere the built-in synthetic portfolio
stands in. The facts are compared by the digest that ``arrears digest --facts`` prints.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from shared.adapters.postgres.digest import facts_digest
from tests.feeds import TOOL, write_portfolio
from tests.services.api.core_banking import CoreBanking, core_banking

REAL_EVENTS = 86_016
ON = date(2026, 9, 30)
AFTER = datetime(2026, 9, 30, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """NDJSON, in the order of time."""
    return write_portfolio(tmp_path_factory.mktemp("feed") / "feed.ndjson")


async def slices(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as content:
        while data := content.read(256 * 1024):
            yield data


async def take(core: CoreBanking, path: Path) -> dict[str, int]:
    """The counts of answers to a whole file."""
    with path.open("rb") as content:
        lines = sum(1 for _ in content)
    answer = await core.take(slices(path), lines=lines)
    assert answer.status_code == 200, answer.text
    assert answer.json()["lines_done"] == lines
    return answer.json()["counts"]


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_a_real_portfolio_goes_in_again_and_shuffled(database, other_database, tmp_path, feed):
    async with core_banking(database, tmp_path, now=AFTER) as core:
        first = await take(core, feed)
        assert set(first) <= {"accepted", "unmatched"} if TOOL.exists() else "rejected" not in first
        if TOOL.exists():
            assert sum(first.values()) == REAL_EVENTS
        async with core.pool.acquire() as conn:
            facts = await facts_digest(conn, ON)
        written = await core.pool.fetchval("select max(seq) from outbox")

        again = await take(core, feed)
        assert again == {"duplicate": sum(first.values())}
        assert await core.pool.fetchval("select max(seq) from outbox") == written
        async with core.pool.acquire() as conn:
            assert await facts_digest(conn, ON) == facts

    shuffled = tmp_path / "shuffled.ndjson"
    lines = feed.read_bytes().splitlines(keepends=True)
    random.Random(20260930).shuffle(lines)
    shuffled.write_bytes(b"".join(lines))
    async with core_banking(other_database, tmp_path, now=AFTER) as core:
        answers = await take(core, shuffled)
        assert "rejected" not in answers
        async with core.pool.acquire() as conn:
            assert await facts_digest(conn, ON) == facts
