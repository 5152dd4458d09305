"""A database with history is brought to this version: what the older one did not note is worked out."""

from __future__ import annotations

from datetime import timedelta

import asyncpg

from shared.adapters.postgres.migrate import downgrade, migrate
from shared.application.book import Book
from shared.application.planning import Planner
from tests.application.bank import NOW, Bank, payment, report
from tests.conftest import Database

BEFORE_THE_FACTS_OF_THE_SCHEDULE = "1d006ef16e0a"


async def test_where_all_was_held_the_newest_standing_says_so(
    bank: Bank, database: Database, owner: asyncpg.Connection
) -> None:
    assert await bank.say(report("A1"), report("A2", "C2")) == ["accepted"] * 2
    await bank.hold("A1", NOW + timedelta(days=9))
    async with bank.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        await Planner(bank.shelf).replan_locked(tx, book)
    await bank.move(NOW + timedelta(days=1))
    assert await bank.say(payment(account="A1", amount=100, posted="2026-07-01T10:00:00+08:00")) == ["accepted"]
    await downgrade(database.owner_dsn, target=BEFORE_THE_FACTS_OF_THE_SCHEDULE)
    await migrate(database.owner_dsn)
    rows = await owner.fetch(
        "select customer_id, seq, zone, held::text from case_standings join cases using (case_id) order by 1, 2"
    )
    assert [tuple(row) for row in rows] == [
        ("C1", 1, None, None), ("C1", 2, None, None), ("C1", 3, None, '["A1"]'), ("C2", 1, None, None),
    ]  # fmt: skip
    assert await owner.fetchval("select noted from holds") == 1
