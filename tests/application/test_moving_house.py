"""A customer's clock changes while something waits for its hour: it comes by the new clock, and it does come."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from services.scheduler import handlers, timers
from shared.adapters.clock import move_manual_clock
from shared.application.book import Book
from shared.application.clockwork import BucketRolls, run_due
from shared.application.planning import Planner
from shared.application.principal import Principal, Role
from shared.application.promises import PromiseAsked, PromiseDesk
from shared.domain.promise import Promiser
from tests.application.bank import NOW, Bank, profile, report, updated

WHO = Principal("li.na", frozenset({Role.SUPERVISOR}))


async def _tick(bank: Bank, to: datetime) -> None:
    async with bank.pool.acquire() as conn:
        await move_manual_clock(conn, to)
    planner = Planner(bank.shelf)
    while await run_due(bank.work, timers.table(planner, BucketRolls(bank.shelf), bank.shelf), 10):
        pass


async def _replan_if_told(bank: Bank, since: int) -> None:
    """What the scheduler does with the events that came after ``since``."""
    planner = Planner(bank.shelf)
    told = await bank.rows("select type from outbox where seq > $1", since)
    if any(row["type"] in handlers.consumer(planner).handlers for row in told):
        async with bank.work() as tx:
            book = Book(tx.now)
            await tx.lock_customers(book, ["C1"])
            await planner.replan_locked(tx, book)


async def _promise(bank: Bank) -> None:
    asked = PromiseAsked(
        promise_id=uuid4(), customer_id="C1", account_id="A1", currency="CNY", amount=50_000, due_on=date(2026, 7, 3),
        channel="phone", promised_by=Promiser.DEBTOR,
    )  # fmt: skip
    async with bank.work() as tx:
        await PromiseDesk(bank.shelf).take(tx, asked, WHO)


async def test_a_promise_of_who_moved_to_the_west_is_judged_when_its_day_is_over_there(bank: Bank) -> None:
    await bank.say(updated(), report())
    await _promise(bank)
    assert await bank.say(updated(version=2, time_zone="America/New_York")) == ["accepted"]
    (timer,) = await bank.rows("select due_at from timers where kind = 'promise_due'")
    await _tick(bank, timer["due_at"])
    await _tick(bank, timer["due_at"] + timedelta(days=2))
    assert await bank.rows("select state from promises") == [{"state": "broken"}]


async def _next_step(bank: Bank) -> Any:
    (timer,) = await bank.rows("select due_at from timers where kind = 'follow_up'")
    return timer["due_at"]


async def test_the_next_step_of_who_moved_to_the_east_comes_at_its_hour_there(bank: Bank) -> None:
    await bank.say(updated(time_zone="America/New_York"), report(due="2026-06-25"))
    await _tick(bank, NOW + timedelta(days=1))
    await _replan_if_told(bank, 0)
    before = await _next_step(bank)
    seq = (await bank.row("select max(seq) as seq from outbox"))["seq"]
    assert await bank.say(updated(version=2, time_zone="Asia/Shanghai")) == ["accepted"]
    await _replan_if_told(bank, seq)
    assert before - await _next_step(bank) == timedelta(hours=12)


async def test_a_report_that_is_stale_may_still_tell_of_a_new_clock(bank: Bank) -> None:
    """It is no news of the account, but it is of the customer."""
    await bank.say(updated(), report(sequence=2, due="2026-06-29"))
    (before,) = await bank.rows("select due_at from timers where kind = 'bucket_roll'")
    stale = report(sequence=1)
    stale[1]["customer"] = profile(2, time_zone="America/New_York")
    assert await bank.say(stale) == ["stale"]
    (after,) = await bank.rows("select due_at from timers where kind = 'bucket_roll'")
    assert after["due_at"] - before["due_at"] == timedelta(hours=12)
