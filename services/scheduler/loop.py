"""The scheduler's loop: run what is due, then wait for the clock."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from shared.application.clockwork import TimerTable, run_due
from shared.application.ports import UnitOfWork

BATCH = 500  # customers a transaction


class Clockwork:
    """``wake`` is set when the manual clock moves; with the real clock the poll is the tick."""

    def __init__(self, work: UnitOfWork, table: TimerTable, *, poll: float = 1.0, batch: int = BATCH) -> None:
        self._work = work
        self._table = table
        self._poll = poll
        self._batch = batch
        self.wake = asyncio.Event()
        self.held = False

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.wake.clear()
            if self.held or not await run_due(self._work, self._table, self._batch, stop):
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.wake.wait(), self._poll)
