"""Who plans late accounts for the steps that were due in time, whatever has changed in the meantime (L8)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from services.scheduler import handlers, timers
from shared.adapters.inprocess.relay import InProcessRelay
from shared.application.clockwork import BucketRolls, run_due
from shared.application.planning import Planner
from tests.application.bank import NOW, Bank, merged, payment, report, updated
from tests.conftest import Database

Act = Callable[[Bank], Awaitable[object]]
Story = Sequence[tuple[timedelta, Act]]
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def says(*facts: object) -> Act:
    return lambda bank: bank.say(*facts)


def holds(customer: str, account: str | None, *, until: datetime | None = None) -> Act:
    return lambda bank: bank.hold(account, until, customer=customer)


async def _house(bank: Bank) -> None:
    planner = Planner(bank.shelf)
    table = timers.table(planner, BucketRolls(bank.shelf), bank.shelf)
    relay = InProcessRelay(bank.pool, bank.work, (handlers.consumer(planner),), wake=asyncio.Event())
    for _ in range(3):
        while await run_due(bank.work, table, 10):
            pass
        while await relay.deliver():
            pass


async def _lived(bank: Bank, story: Story, *, awake: bool) -> set[tuple[str, date]]:
    """The steps that are accounted for at the end; every two hours the house looks at what is due, or only then."""
    at, acts = NOW, list(story)
    while acts or at <= NOW + 8 * DAY:
        await bank.move(at)
        bank.latest = at + DAY
        while acts and NOW + acts[0][0] <= at:
            await acts.pop(0)[1](bank)
        if awake:
            await _house(bank)
        at += 2 * HOUR
    await _house(bank)
    rows = await bank.rows("select step, anchor from follow_ups where state not in ('planned', 'deferred')")
    return {(row["step"], row["anchor"]) for row in rows}


def paid(account: str, at: timedelta) -> tuple[str, dict[str, object]]:
    return payment(account=account, posted=(NOW + at).isoformat())


# In the evening of the fourth day, by when the first step was due in Shanghai and not yet in New York.
MOVED_AND_PAID = [
    (0 * DAY, says(updated(), report(due="2026-06-28"))),
    (2 * DAY + 2 * HOUR, says(updated(version=2, time_zone="America/New_York"))),
    (2 * DAY + 4 * HOUR, says(paid("A1", 2 * DAY + 3 * HOUR))),
]
# Paid under the hold that stopped everything; today another account is overdue, which nobody holds.
HELD_AND_PAID = [
    (0 * DAY, says(updated(), report(due="2026-06-28"), report("A2", unpaid=0))),
    (1 * DAY, holds("C1", "A1", until=NOW + 5 * DAY)),
    (3 * DAY, says(paid("A1", 3 * DAY - HOUR))),
    (6 * DAY, says(report("A2", sequence=2, due="2026-06-29", cutoff=(NOW + 5 * DAY).isoformat()))),
]
# Reminded of their own debt; then it turns out that they are somebody who is to be left in peace.
MERGED_WITH_WHO_IS_HELD = [
    (0 * DAY, says(updated(), updated("C2", mobile="+8613800000002"), report(due="2026-06-28"))),
    (1 * HOUR, holds("C2", None)),
    (5 * DAY, says(merged("C2", "C1"))),
]


@pytest.mark.parametrize(
    ("story", "steps"),
    [
        pytest.param(MOVED_AND_PAID, 1, id="moved and paid"),
        pytest.param(HELD_AND_PAID, 0, id="held and paid"),
        pytest.param(MERGED_WITH_WHO_IS_HELD, 2, id="merged with who is held"),
    ],
)
async def test_the_same_steps_are_accounted_for_awake_and_asleep(
    bank: Bank, other_database: Database, tmp_path: Path, story: Story, steps: int
) -> None:
    other = await Bank.open(other_database, tmp_path / "other")
    awake, asleep = await _lived(bank, story, awake=True), await _lived(other, story, awake=False)
    await other.pool.close()
    assert asleep == awake
    assert len([step for step, anchor in awake if anchor == date(2026, 6, 28)]) == steps
