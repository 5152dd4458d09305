"""What planning writes: rows on record move, rows that stay as they are are not touched, nobody waits for another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from services.scheduler import timers
from shared.application.book import Book
from shared.application.clockwork import AHEAD, BucketRolls, run_due
from shared.application.pipeline import OurEvent
from shared.application.planning import Planner
from tests.application.bank import NOW, Bank, closing, payment, report
from tests.conftest import Database


@pytest.fixture
async def bank(database: Database, tmp_path: Path) -> AsyncIterator[Bank]:
    bank = await Bank.open(database, tmp_path)
    yield bank
    await bank.pool.close()


async def _plan(bank: Bank, *customers: str) -> None:
    async with bank.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, customers)
        await Planner(bank.shelf).replan_locked(tx, book)


async def _rows(bank: Bank, customer: str = "C1") -> dict[str, Any]:
    rows = await bank.rows("select * from follow_ups where customer_id = $1 order by due_at", customer)
    return {row["step"]: row for row in rows}


async def _coming(bank: Bank, customer: str = "C1") -> Any:
    return next(row for row in (await _rows(bank, customer)).values() if row["state"] == "planned")


async def test_a_step_that_was_planned_is_issued_in_its_own_row(bank: Bank) -> None:
    assert await bank.say(report()) == ["accepted"]
    await _plan(bank, "C1")
    planned = await _coming(bank)
    await bank.move(planned["due_at"])
    await _plan(bank, "C1")
    issued = (await _rows(bank))[planned["step"]]
    assert (issued["follow_up_id"], issued["state"]) == (planned["follow_up_id"], "issued")
    assert issued["row_version"] == planned["row_version"] + 1
    assert issued["decided_at"] == planned["due_at"]
    following = await _coming(bank)
    assert following["due_at"] > issued["due_at"]


async def test_planning_again_changes_nothing_that_stays_as_it_is(bank: Bank) -> None:
    assert await bank.say(report()) == ["accepted"]
    await _plan(bank, "C1")
    before = await _rows(bank)
    await bank.move(NOW + timedelta(minutes=1))
    await _plan(bank, "C1")
    assert await _rows(bank) == before, "not even when it was decided"


async def test_a_step_that_does_not_come_any_more_is_withdrawn(bank: Bank) -> None:
    assert await bank.say(report()) == ["accepted"]
    await _plan(bank, "C1")
    planned = await _coming(bank)
    assert await bank.say(payment()) == ["accepted"]
    await _plan(bank, "C1")
    assert planned["step"] not in await _rows(bank)
    assert await bank.rows("select from timers where kind = 'follow_up'") == []


async def test_what_a_person_put_off_is_neither_planned_over_nor_forgotten(bank: Bank) -> None:
    assert await bank.say(report()) == ["accepted"]
    await _plan(bank, "C1")
    planned = await _coming(bank)
    until = planned["due_at"] + timedelta(hours=5)
    await bank.rows(
        "update follow_ups set state = 'deferred', deferred_until = $2, actor = 'li.na' where follow_up_id = $1"
        " returning 1",
        planned["follow_up_id"],
        until,
    )
    await _plan(bank, "C1")
    deferred = (await _rows(bank))[planned["step"]]
    assert (deferred["state"], deferred["deferred_until"], deferred["actor"]) == ("deferred", until, "li.na")
    await bank.move(until)
    await _plan(bank, "C1")
    assert (await _rows(bank))[planned["step"]]["state"] == "issued"


async def _due_together(bank: Bank, count: int) -> list[str]:
    customers = [f"C{number:02d}" for number in range(count)]
    assert set(await bank.say(*[report(f"A-{each}", each) for each in customers])) == {"accepted"}
    await _plan(bank, *customers)
    await bank.move((await _coming(bank, customers[0]))["due_at"])
    return customers


def _table(bank: Bank) -> Any:
    return timers.table(Planner(bank.shelf), BucketRolls(bank.shelf), bank.shelf)


async def _issued(bank: Bank) -> list[str]:
    """To whom a step was issued since the clock moved, in their order."""
    rows = await bank.rows("select customer_id from follow_ups where state = 'issued' and decided_at > $1", NOW)
    return sorted(row["customer_id"] for row in rows)


async def test_one_round_runs_several_batches_and_every_timer_once(bank: Bank) -> None:
    customers = await _due_together(bank, AHEAD + 3)
    ran = [await run_due(bank.work, _table(bank), 1) for _ in range(3)]
    assert ran == [AHEAD, 3, 0]
    assert await _issued(bank) == customers


async def test_a_timer_that_its_own_work_sets_again_fires_again(bank: Bank) -> None:
    await _due_together(bank, 1)
    for _ in range(3):
        assert await run_due(bank.work, _table(bank), 10) >= 1
        following = await _coming(bank, "C00")
        (timer,) = await bank.rows("select due_at from timers where scope = 'C00' and kind = 'follow_up'")
        assert timer["due_at"] == following["due_at"]
        await bank.move(following["due_at"])


async def test_steps_that_were_slept_through_say_why_each_in_its_row(bank: Bank) -> None:
    await _due_together(bank, 2)
    planned = await _coming(bank, "C00")
    await bank.move(planned["due_at"] + timedelta(days=20))
    await run_due(bank.work, _table(bank), 10)
    for customer in ("C00", "C01"):
        rows = await _rows(bank, customer)
        assert (rows[planned["step"]]["state"], rows[planned["step"]]["reason"]) == ("passed_over", "late")
        newest = [row for row in rows.values() if row["state"] == "issued" and row["decided_at"] > NOW]
        assert [(row["reason"], row["due_at"] > planned["due_at"]) for row in newest] == [(None, True)]


async def test_told_to_stop_it_begins_nothing_more(bank: Bank) -> None:
    await _due_together(bank, 5)
    stop = asyncio.Event()

    async def stopping(tx: Any, book: Book, due: Any) -> None:
        await _table(bank)["follow_up"](tx, book, due)
        stop.set()

    ran = await run_due(bank.work, {**_table(bank), "follow_up": stopping}, 1, stop)
    assert 1 <= ran < 5, "those under way are ended, the others left for the next start"
    assert len(await _issued(bank)) == ran


async def test_a_customer_who_can_not_be_planned_holds_up_nobody_in_either_batch(bank: Bank) -> None:
    customers = await _due_together(bank, 6)
    await bank.rows("update cases set policy_version = 99 where customer_id = 'C01' returning 1")
    await run_due(bank.work, _table(bank), 3)
    assert await _issued(bank) == [each for each in customers if each != "C01"]
    waiting = await bank.rows("select scope from timers where due_at > $1 and scope = 'C01'", NOW)
    assert waiting, "tried again later"
    told = await bank.rows("select data from case_events where kind = 'timer.failed'")
    assert [row["data"]["error"] for row in told] == ["UnknownVersion"]


async def test_a_day_whose_tick_failed_is_judged_as_of_its_own_instant_when_it_is_tried_again(bank: Bank) -> None:
    await bank.say(report(due="2026-06-29"))
    (roll,) = await bank.rows("select due_at from timers where kind = 'bucket_roll'")

    async def failing(tx: Any, book: Any, timers: Any) -> None:
        raise RuntimeError("the bank is closed")

    await bank.move(roll["due_at"] + timedelta(hours=3))
    await run_due(bank.work, {**_table(bank), "bucket_roll": failing}, 1)
    await bank.move(roll["due_at"] + timedelta(hours=5))
    await run_due(bank.work, _table(bank), 1)
    (standing,) = await bank.rows("select at from case_standings")
    assert standing["at"] == roll["due_at"]


async def test_money_that_comes_before_it_is_tried_again_counts_after_it(bank: Bank) -> None:
    await bank.say(report(due="2026-06-29"))
    (roll,) = await bank.rows("select due_at from timers where kind = 'bucket_roll'")
    await bank.move(roll["due_at"])
    async with bank.work() as tx:
        await tx.postpone_timers("C1", "RuntimeError")
    at = roll["due_at"] + timedelta(seconds=30)
    await bank.move(at)
    bank.latest = at + timedelta(days=1)
    await bank.say(payment(posted=(at - timedelta(seconds=1)).isoformat()))
    rows = await bank.rows("select at, anchor is null as cured from case_standings order by seq")
    assert [tuple(row.values()) for row in rows] == [(roll["due_at"], False), (at, True)]


async def test_an_account_whose_hold_has_ended_is_followed_beside_one_that_is_still_held(bank: Bank) -> None:
    await bank.say(report("A1"), report("A2"))
    await bank.hold("A1")
    await bank.hold("A2", NOW + timedelta(days=1))
    await _plan(bank, "C1")
    waiting = (await _rows(bank)).values()
    assert {(row["state"], row["due_at"]) for row in waiting} == {("planned", NOW + timedelta(days=1))}
    await bank.move(NOW + timedelta(days=1))
    await _plan(bank, "C1")
    assert "issued" in {row["state"] for row in (await _rows(bank)).values()}, "A2 is overdue, and not held"


async def test_a_case_that_ended_and_was_followed_by_another_before_we_looked_leaves_nothing_behind(bank: Bank) -> None:
    assert await bank.say(report(due="2026-06-19")) == ["accepted"]
    await _plan(bank, "C1")
    first = await _coming(bank)
    await bank.move(first["due_at"])
    await _plan(bank, "C1")
    answers = await bank.say(closing(reason="sold"), report("A2", due="2026-06-20"))
    assert answers == ["accepted", "accepted"]
    old, new = await bank.rows("select case_id, state from cases order by ordinal")
    assert (old["state"], new["state"]) == ("closed", "open")
    await _plan(bank, "C1")
    planned = await bank.rows("select case_id from follow_ups where state = 'planned'")
    assert planned == [{"case_id": new["case_id"]}]
    due = await bank.rows("select subject from timers where kind = 'follow_up'")
    assert due == [{"subject": str(new["case_id"])}]


async def test_what_became_overdue_while_we_slept_counts_before_the_steps_that_were_due_since(bank: Bank) -> None:
    """The second account takes what is past due over the least for a call; then the text before it is late."""
    await bank.say(report("A1", unpaid=5_000, due="2026-06-25"), report("A2", unpaid=90_000, due="2026-06-29"))
    await _plan(bank, "C1")
    await bank.move(NOW + timedelta(days=6))
    for _ in range(2):
        await run_due(bank.work, _table(bank), 10)
        await _plan(bank, "C1")
    rows = await _rows(bank)
    assert {step: row["state"] for step, row in rows.items() if row["state"] != "planned"} == {
        "m1-first-sms": "issued",
        "m1-second-sms": "passed_over",
        "m1-call": "issued",
    }


async def _outcomes(bank: Bank, follow_up: UUID, *types: str) -> str:
    events = [
        OurEvent(str(uuid4()), f"arrears.message.{each}.v1", "arrears.message", "C1", NOW, data, lambda: b"")
        for each in types
        for data in [{"follow_up_id": str(follow_up), "reason": None}]
    ]
    async with bank.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        await Planner(bank.shelf).note_outcomes(tx, book, events)
    (row,) = await bank.rows("select state from follow_ups where follow_up_id = $1", follow_up)
    return str(row["state"])


@pytest.mark.parametrize("order", [("failed", "sent"), ("sent", "failed")])
async def test_what_became_of_a_message_is_the_same_told_together_or_one_by_one(
    bank: Bank, order: tuple[str, str]
) -> None:
    await bank.say(*[report(f"A-{each}", each) for each in ("C1", "C2")])
    await _plan(bank, "C1", "C2")
    await bank.move((await _coming(bank))["due_at"])
    await _plan(bank, "C1", "C2")
    together, single = [
        next(row["follow_up_id"] for row in (await _rows(bank, each)).values() if row["state"] == "issued")
        for each in ("C1", "C2")
    ]
    for one in order:
        alone = await _outcomes(bank, single, one)
    assert await _outcomes(bank, together, *order) == alone == "done"
