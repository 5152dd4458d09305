"""Group commit of events that come one by one: those that arrive while a transaction runs share the next one.

Nobody waits for company: an event that finds a free place is taken at once, alone. Each has the answer of its own
commit. What can not be taken together, because a customer is held by somebody else or an event fails, is taken one by
one and beside the places, as if it had never met the others; so it delays them by ``PATIENCE_MS`` at most.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Coroutine

import structlog

from shared.application.facts import InboundEvent
from shared.application.intake import ingest, ingest_at_once
from shared.application.judging import PolicyShelf
from shared.application.ledger import Verdict
from shared.application.ports import UnitOfWork

MOST = 64  # events of one transaction: so many are applied in the time that a commit takes
PATIENCE_MS = 100  # for a row that somebody else holds, while others wait for us
log = structlog.get_logger(__name__)

_Waiting = tuple[InboundEvent, asyncio.Future[Verdict]]


class GroupCommit:
    """``places`` is how many transactions may run at once; each needs a connection."""

    def __init__(self, work: UnitOfWork, shelf: PolicyShelf, places: int) -> None:
        self._work = work
        self._shelf = shelf
        self._free = places
        self._queue: deque[_Waiting] = deque()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no task alive

    async def take(self, event: InboundEvent) -> Verdict:
        """The event's verdict, once it is committed. Who stops waiting does not stop the event."""
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._queue.append((event, answer))
        if self._free:
            self._free -= 1
            self._start(self._serve())
        return await answer

    async def _serve(self) -> None:
        try:
            while self._queue:
                await self._take([self._queue.popleft() for _ in range(min(MOST, len(self._queue)))])
        finally:
            self._free += 1

    async def _take(self, group: list[_Waiting]) -> None:
        events = [event for event, _ in group]
        try:
            verdicts = await ingest_at_once(self._work, self._shelf, events, patience_ms=PATIENCE_MS)
        except Exception as error:  # noqa: BLE001 - whatever it is, one by one it hits only the event it is about
            log.info("intake.not_at_once", events=len(group), error=type(error).__name__)
            for each in group:
                self._start(self._take_alone(*each))
        else:
            for (_, answer), verdict in zip(group, verdicts, strict=True):
                _tell(answer, verdict)

    async def _take_alone(self, event: InboundEvent, answer: asyncio.Future[Verdict]) -> None:
        try:
            (verdict,) = await ingest(self._work, self._shelf, [event])
        except Exception as error:  # noqa: BLE001 - it is the asker's
            if not answer.done():
                answer.set_exception(error)
        else:
            _tell(answer, verdict)

    def _start(self, doing: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _tell(answer: asyncio.Future[Verdict], verdict: Verdict) -> None:
    if not answer.done():  # else nobody waits any more
        answer.set_result(verdict)
