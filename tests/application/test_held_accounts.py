"""Of a customer's overdue accounts one is held: the case is about the others, in step, amount and bucket."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from shared.application.book import Book
from shared.application.holds import hold_ended, release_hold
from shared.application.pipeline import OurEvent
from shared.application.planning import Planner
from shared.application.principal import Principal, Role
from tests.application.bank import NOW, Bank, payment, report

WHO = Principal("li.na", frozenset({Role.SUPERVISOR}))
OLD, YOUNG = date(2026, 3, 25), date(2026, 6, 24)


class AsItIs:
    def check(self, version: int) -> None:
        pass


async def _told(bank: Bank) -> None:
    """The scheduler hears of a hold."""
    event = OurEvent(str(uuid4()), "arrears.hold.placed.v1", "arrears.hold", "C1", NOW, {}, lambda: b"")
    async with bank.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        await Planner(bank.shelf).replan(tx, book, [event])


async def _two_accounts(bank: Bank) -> None:
    """One far behind, one for some days."""
    assert await bank.say(report("A1", due=str(OLD)), report("A2", due=str(YOUNG), unpaid=20_000)) == ["accepted"] * 2


async def _standing(bank: Bank) -> tuple[datetime, date, Any]:
    row = await bank.row("select at, anchor, past_due from case_standings order by seq desc limit 1")
    return row["at"], row["anchor"], row["past_due"]


async def _steps(bank: Bank) -> set[tuple[str, date]]:
    """What was issued or is to come."""
    rows = await bank.rows("select step, anchor from follow_ups where state in ('issued', 'planned')")
    return {(row["step"].partition("-")[0], row["anchor"]) for row in rows}


async def test_who_disputes_the_old_debt_is_followed_for_the_young_one_as_that(bank: Bank) -> None:
    await _two_accounts(bank)
    assert (await bank.case())["bucket"] == "M4"
    await bank.hold("A1")
    await _told(bank)
    assert await _standing(bank) == (NOW, YOUNG, {"CNY": 20_000})
    assert (await bank.case())["bucket"] == "M1"
    assert await _steps(bank) == {("m1", YOUNG)}


async def test_a_report_that_comes_meanwhile_does_not_bring_the_held_debt_back(bank: Bank) -> None:
    await _two_accounts(bank)
    await bank.hold("A1")
    await _told(bank)
    assert await bank.say(report("A1", due=str(OLD), sequence=2, unpaid=60_000)) == ["accepted"]
    assert (await _standing(bank))[1] == YOUNG
    assert (await bank.case())["bucket"] == "M1"


async def test_it_counts_from_when_it_was_placed_however_late_we_hear_of_it(bank: Bank) -> None:
    await _two_accounts(bank)
    await bank.move(NOW + timedelta(hours=1))
    hold = await bank.hold("A1")
    await bank.move(NOW + timedelta(days=1))
    async with bank.work() as tx:
        await release_hold(tx, hold, "withdrawn", WHO, AsItIs())
    await bank.move(NOW + timedelta(days=2))
    await _told(bank)
    rows = await bank.rows("select at, anchor from case_standings order by seq desc limit 2")
    assert [(row["at"], row["anchor"]) for row in rows] == [
        (NOW + timedelta(days=1), OLD),
        (NOW + timedelta(hours=1), YOUNG),
    ]


async def test_after_its_end_the_old_debt_is_followed_again(bank: Bank) -> None:
    await _two_accounts(bank)
    await bank.hold("A1", NOW + timedelta(days=1))
    await _told(bank)
    await bank.move(NOW + timedelta(days=3))
    async with bank.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        await hold_ended(tx, book, [])
    await _told(bank)
    at, anchor, _ = await _standing(bank)
    assert (at, anchor) == (NOW + timedelta(days=1), OLD)
    assert (await bank.case())["bucket"] == "M4"


async def test_where_all_is_held_the_case_stays_what_it_is_and_nothing_is_asked(bank: Bank) -> None:
    await _two_accounts(bank)
    await bank.hold("A1")
    await bank.hold("A2")
    await _told(bank)
    assert (await _standing(bank))[1] == OLD
    assert (await bank.case())["bucket"] == "M4"
    assert await _steps(bank) == set()


async def test_a_hold_that_nobody_was_told_of_counts_before_the_money_that_came_later(bank: Bank) -> None:
    await _two_accounts(bank)
    await bank.move(NOW + timedelta(hours=1))
    await bank.hold("A1")
    await bank.move(NOW + timedelta(days=1))
    assert await bank.say(payment(account="A2", amount=5_000, posted="2026-07-01T10:00:00+08:00")) == ["accepted"]
    rows = await bank.rows("select at, anchor, past_due from case_standings order by seq desc limit 2")
    assert [tuple(row.values()) for row in rows] == [
        (NOW + timedelta(days=1), YOUNG, {"CNY": 15_000}),
        (NOW + timedelta(hours=1), YOUNG, {"CNY": 20_000}),
    ]


async def test_a_hold_is_judged_once_at_its_begin_and_once_at_its_end(bank: Bank) -> None:
    """At its instants again it would be judged by what was past due then, when a bucket has rolled since."""
    assert await bank.say(report("A1", due=str(YOUNG)), report("A2", unpaid=0)) == ["accepted"] * 2
    await bank.hold("A2", NOW + timedelta(days=1))
    await bank.move(NOW + timedelta(days=1))
    await _told(bank)
    await bank.move(NOW + timedelta(days=40))
    await _told(bank)
    assert (await bank.case())["bucket"] == "M2"
    told = "select count(*) as told from outbox"
    before = await bank.row(told)
    await _told(bank)
    assert await bank.row(told) == before
    assert (await bank.case())["bucket"] == "M2"
