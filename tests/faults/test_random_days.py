"""Days as nobody would think of them: whatever happens, in whatever order, nothing wrong is said and nothing is stuck.

``DAYS_SEEDS="1 2 3"`` and ``DAYS_TURNS=80`` in the environment make it go on for longer than here. Of the seeds the
first is not lived twice."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.adapters.postgres import invariants
from shared.application.book import Book
from tests.application.bank import Bank
from tests.conftest import Database
from tests.faults.random_days import CUSTOMERS, Days

pytestmark = pytest.mark.faults

SEEDS = [int(seed) for seed in os.environ.get("DAYS_SEEDS", "21 198").split()]
TURNS = int(os.environ.get("DAYS_TURNS", "30"))
Step = tuple[str, int, str, str]

STUCK = {
    "a timer is due": "select kind, subject, due_at from timers, now where due_at <= now.at and scope <> '*'",
    "a message is due": "select customer_id, step, state, reason from messages, now where waits_until <= now.at",
    "a message never left": "select customer_id, step from messages where state = 'submitting'",
    "a customer is stopped": "select consumer, customer_id, error from parked",
    "a timer failed": "select customer_id, data from case_events where kind = 'timer.failed'",
    "a step is planned for another time than its timer": """
        select f.step, f.due_at, t.due_at as timer
        from follow_ups f left join timers t on t.kind = 'follow_up' and t.subject = f.case_id::text
        where f.state = 'planned' and t.due_at is distinct from f.due_at
        """,
    "a reminder was forgotten": """
        select customer_id, step, anchor from follow_ups f where kind = 'message' and state = 'issued' and not exists (
            select from messages m where m.follow_up_id = f.follow_up_id
              and m.state in ('planned', 'deferred', 'submitting', 'in_doubt'))
        """,
    "a promise was forgotten": """
        select promise_id from promises p where state = 'open' and not exists (
            select from timers t where t.kind = 'promise_due' and t.subject = p.promise_id::text)
        """,
}


@pytest.fixture
async def bank(database: Database, tmp_path: Path) -> AsyncIterator[Bank]:
    bank = await Bank.open(database, tmp_path)
    yield bank
    await bank.pool.close()


async def _lived(bank: Bank, seed: int, *, plain: bool = False, sleepy: bool = True) -> Days:
    days = Days(bank, seed, plain=plain, sleepy=sleepy)
    await days.begin()
    for _ in range(TURNS):
        await days.turn()
    await days.settle_down()
    return days


async def _stuck(days: Days) -> list[str]:
    """What nothing will ever bring on."""
    found = []
    for what, query in STUCK.items():
        with_now = f"with now as (select $1::timestamptz as at) {query.strip()}"
        rows = await days.bank.rows(with_now if "now.at" in query else query, *[days.now] * ("now.at" in query))
        found += [f"{what}: {row}" for row in rows]
    return found


async def _plan(bank: Bank) -> list[str]:
    steps = await bank.rows(
        "select customer_id, step, anchor, state, due_at from follow_ups order by customer_id, due_at, step, anchor"
    )
    timers = await bank.rows("select * from timers where kind = 'follow_up' order by scope, subject")
    return [str(row) for row in [*steps, *timers]]


async def _not_up_to_date(days: Days) -> list[str]:
    """What planning everybody anew would change: somebody should have been told to, and was not."""
    before = await _plan(days.bank)
    async with days.bank.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, CUSTOMERS)
        await days.planner.replan_locked(tx, book)
    return [f"planning again changes {line}" for line in sorted(set(before) ^ set(await _plan(days.bank)))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.timeout(120)
async def test_whatever_the_days_bring(bank: Bank, seed: int) -> None:
    days = await _lived(bank, seed)
    wrong = [*days.broken, *await days.accounts_and_cases(), *await _stuck(days), *await _not_up_to_date(days)]
    wrong += days.taken_twice()
    async with bank.pool.acquire() as conn:
        wrong += [str(finding) for finding in await invariants.check(conn)]
    if wrong:
        pytest.fail("\n".join([f"seed {seed}", *days.story, "WRONG", *wrong]))


async def _steps(bank: Bank) -> tuple[set[Step], set[Step]]:
    """Those that were taken, and those that were passed over."""
    rows = await bank.rows(
        """
        select f.customer_id, k.ordinal, f.step, f.anchor::text, f.state = 'passed_over' as passed
        from follow_ups f join cases k using (case_id) where f.state not in ('planned', 'deferred', 'cancelled')
        """
    )
    taken, passed = [{tuple(row.values())[:4] for row in rows if row["passed"] is each} for each in (False, True)]
    return taken, passed


@pytest.mark.parametrize("seed", SEEDS[1:])
@pytest.mark.timeout(120)
async def test_who_sleeps_only_passes_steps_over(
    bank: Bank, other_database: Database, tmp_path: Path, seed: int
) -> None:
    other = await Bank.open(other_database, tmp_path / "other")
    slept, punctual = await _lived(bank, seed, plain=True), await _lived(other, seed, plain=True, sleepy=False)
    taken, passed = await _steps(bank)
    taken_in_time, passed_in_time = await _steps(other)
    await other.pool.close()
    differing = (taken ^ taken_in_time) - passed - passed_in_time
    if differing:
        told = [*slept.story, "IN TIME", *punctual.story, "WRONG", *map(str, sorted(differing))]
        pytest.fail("\n".join([f"seed {seed}", *told]))
