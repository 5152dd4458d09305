"""The sender slept, or a hold lasted: of what waited only what still has a point goes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from services.notifier import handlers as notifier
from services.scheduler import handlers as scheduler
from shared.adapters.inprocess.relay import InProcessRelay
from shared.application.book import Book
from shared.application.planning import Planner
from shared.application.reminding import Reminding
from tests.application.bank import NOW, payment, report, reversal
from tests.conftest import Database
from tests.faults.outbound import Outbound, an_outbound

ACCOUNT = "A-C1"
FIRST = NOW + timedelta(days=5)  # a message is due


@pytest.fixture
async def out(database: Database, tmp_path: Path) -> AsyncIterator[Outbound]:
    async with an_outbound(database, tmp_path) as outbound:
        yield outbound


async def _planned_and_delivered(out: Outbound, at: datetime) -> None:
    """The scheduler plans, and the notifier hears of it; the sender sleeps."""
    planner = Planner(out.bank.shelf)
    consumers = (scheduler.consumer(planner), notifier.consumer(Reminding(out.bank.shelf)))
    await out.move_clock(at)
    async with out.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        await planner.replan_locked(tx, book)
    await InProcessRelay(out.bank.pool, out.work, consumers, wake=asyncio.Event()).deliver()


async def _pays(out: Outbound, payment_id: str, at: datetime) -> None:
    await out.move_clock(at)
    out.bank.latest = at + timedelta(days=1)
    assert await out.bank.say(payment(payment_id, ACCOUNT, posted=(at - timedelta(minutes=1)).isoformat())) == [
        "accepted"
    ]
    await _planned_and_delivered(out, at)


async def _owes(out: Outbound, due: str, sequence: int, at: datetime) -> None:
    await out.move_clock(at)
    out.bank.latest = at + timedelta(days=1)
    cutoff = (at - timedelta(seconds=30)).isoformat()
    assert await out.bank.say(report(ACCOUNT, due=due, sequence=sequence, cutoff=cutoff)) == ["accepted"]


async def test_of_two_steps_that_waited_for_a_sender_only_the_later_one_goes_out(out: Outbound) -> None:
    await out.overdue("C1")
    for day in (5, 10):
        await _planned_and_delivered(out, NOW + timedelta(days=day))
    assert await out.loop().send_all() == 1
    messages = await out.bank.rows("select step, state, reason from messages order by created_at")
    assert [(each["step"], each["state"], each["reason"]) for each in messages] == [
        ("m1-details-email", "suppressed", "moot: a later step is due"),
        ("m1-late-sms", "done", None),
    ]


async def test_a_reminder_that_outlived_its_debt_does_not_go_out_for_the_next_one(out: Outbound) -> None:
    """The first was about a debt of fifteen days; it was paid, and another one is four days old."""
    await out.overdue("C1")
    await _planned_and_delivered(out, FIRST)
    await _pays(out, "P1", FIRST + timedelta(days=2))
    before_its_first_step = FIRST + timedelta(days=10, hours=-3)
    await _owes(out, "2026-07-11", 2, before_its_first_step)
    await _planned_and_delivered(out, before_its_first_step)
    assert (await out.bank.case())["state"] == "open"
    assert await out.loop().send_all() == 0
    told = await out.bank.row("select anchor, state, reason from messages where purpose = 'dunning'")
    assert tuple(told.values()) == (date(2026, 6, 20), "suppressed", "moot: the debt it was about was paid")


async def test_a_reminder_whose_payment_bounced_is_about_that_debt_still(out: Outbound) -> None:
    await out.overdue("C1")
    await _planned_and_delivered(out, FIRST)
    await _pays(out, "P1", FIRST + timedelta(hours=2))
    back = reversal("R1", "P1", ACCOUNT, at=(FIRST + timedelta(hours=3)).isoformat())
    await out.move_clock(FIRST + timedelta(hours=3))
    assert await out.bank.say(back) == ["accepted"]
    await _planned_and_delivered(out, FIRST + timedelta(hours=3))
    assert await out.loop().send_all() == 1
    assert len(await out.received()) == 1


async def test_a_case_that_was_cured_twice_while_the_sender_slept_is_thanked_for_once(out: Outbound) -> None:
    await out.overdue("C1")
    await _planned_and_delivered(out, FIRST)
    await _pays(out, "P1", FIRST + timedelta(days=2))
    await _owes(out, "2026-07-10", 2, NOW + timedelta(days=15))
    await _pays(out, "P2", NOW + timedelta(days=16))
    await out.loop().send_all()
    thanks = await out.bank.rows("select about, state, reason from messages where step = 'thanks' order by about")
    assert [tuple(each.values()) for each in thanks] == [
        ("cure/0", "suppressed", "moot: cured again since"),
        ("cure/1", "done", None),
    ]
