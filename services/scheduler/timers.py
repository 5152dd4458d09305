"""THE table: which kind of timer runs which use case."""

from __future__ import annotations

from collections.abc import Sequence

from shared.application.book import Book
from shared.application.clockwork import BucketRolls, DueTimer, TimerTable
from shared.application.housekeeping import HOUSEKEEPING, keep_house
from shared.application.planning import FOLLOW_UP, Planner, PlanningStore


def table(planner: Planner, rolls: BucketRolls) -> TimerTable:
    async def follow_up_due(tx: PlanningStore, book: Book, _timers: Sequence[DueTimer]) -> None:
        await planner.replan_locked(tx, book)

    return {
        "bucket_roll": rolls.roll,
        FOLLOW_UP: follow_up_due,
        HOUSEKEEPING: keep_house,
    }
