"""Runs the tasks of a process and answers for them: one that dies is noticed, and the process ends in order.

A task is a coroutine function that takes the stop event, works until it is set, and returns. A death (an exception, or
a return before the stop) is answered by starting the task again after a back-off, or, where going on without it would
be wrong, by stopping the whole process with an error.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from prometheus_client import Counter

from shared.runtime.metrics import REGISTRY

Work = Callable[[asyncio.Event], Awaitable[None]]

_log = structlog.get_logger(__name__)
_DEATHS = Counter("arrears_task_deaths", "Tasks of this process that died, by name.", ("task",), registry=REGISTRY)


class TaskDiedError(RuntimeError):
    """A task that the process can not do without has died; its exception is the cause."""


class ReturnedEarlyError(RuntimeError):
    """A task returned although nobody had asked it to stop."""


@dataclass(slots=True)
class SupervisedTask:
    """One task's standing: how often it was started again, and whether it runs now."""

    name: str
    work: Work = field(repr=False)
    restart: bool
    restarts: int = 0
    running: bool = False


class Supervisor:
    """Runs tasks until ``request_stop``, SIGTERM or SIGINT; then gives them ``grace`` to end, then cancels them.

    A second signal cancels at once. Back-off doubles from ``backoff`` to ``backoff_limit``, and starts over once a task
    has run for longer than the limit.
    """

    def __init__(
        self,
        *,
        grace: timedelta = timedelta(seconds=10),
        backoff: timedelta = timedelta(milliseconds=200),
        backoff_limit: timedelta = timedelta(seconds=30),
    ) -> None:
        self.stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._grace = grace.total_seconds()
        self._backoff = backoff.total_seconds()
        self._backoff_limit = backoff_limit.total_seconds()
        self._tasks: dict[str, SupervisedTask] = {}
        self._fatal: tuple[str, BaseException] | None = None

    @property
    def tasks(self) -> tuple[SupervisedTask, ...]:
        return tuple(self._tasks.values())

    def add(self, name: str, work: Work, *, restart: bool = True) -> None:
        """Have ``work`` run under ``name``; when it dies start it again, or with ``restart=False`` stop the process."""
        if name in self._tasks:
            raise ValueError(f"a task named {name} is supervised already")
        self._tasks[name] = SupervisedTask(name, work, restart)
        _DEATHS.labels(name)  # a count that is there from the start can be seen to rise

    def request_stop(self) -> None:
        """Ask every task to end; asked again, stop waiting for them."""
        if self.stopping.is_set():
            self._hurry.set()
        self.stopping.set()

    async def run(self, *, signals: bool = True) -> None:
        """Run all tasks until told to stop and they have ended. Raises ``TaskDiedError`` when a vital one died."""
        with self._signals() if signals else contextlib.nullcontext():
            running = [asyncio.create_task(self._keep(task), name=task.name) for task in self._tasks.values()]
            try:
                await self.stopping.wait()
                await self._wind_down(running)
            finally:
                for task in running:
                    task.cancel()
                await asyncio.gather(*running, return_exceptions=True)
        if self._fatal is not None:
            name, error = self._fatal
            raise TaskDiedError(f"the task {name} died") from error

    async def _keep(self, task: SupervisedTask) -> None:
        clock = asyncio.get_running_loop().time
        pause = self._backoff
        while not self.stopping.is_set():
            started = clock()
            error = await self._attempt(task)
            if error is None:
                return
            if not task.restart:
                self._fatal = self._fatal or (task.name, error)
                self.stopping.set()
                return
            if clock() - started > self._backoff_limit:
                pause = self._backoff
            await _wait(self.stopping, pause)
            pause = min(pause * 2, self._backoff_limit)
            if not self.stopping.is_set():
                task.restarts += 1

    async def _attempt(self, task: SupervisedTask) -> Exception | None:
        """Run the task once; what it died of, or nothing when it ended because the process stops."""
        task.running = True
        try:
            await task.work(self.stopping)
        except Exception as error:  # noqa: BLE001 - the purpose of a supervisor: it is logged and answered, whatever it is
            died_of = error
        else:
            if self.stopping.is_set():
                return None
            died_of = ReturnedEarlyError("it returned before it was asked to stop")
        finally:
            task.running = False
        _DEATHS.labels(task.name).inc()
        _log.error("task died", task=task.name, restart=task.restart, exc_info=died_of)
        return died_of

    async def _wind_down(self, running: list[asyncio.Task[None]]) -> None:
        async def hurried() -> None:
            await self._hurry.wait()

        async def all_ended() -> None:
            await asyncio.gather(*(asyncio.shield(task) for task in running), return_exceptions=True)

        waiting = {asyncio.create_task(hurried()), asyncio.create_task(all_ended())}
        try:
            await asyncio.wait(waiting, timeout=self._grace, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        late = [task.get_name() for task in running if not task.done()]
        if late:
            _log.warning("tasks did not end in time and are cancelled", tasks=late)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, self.request_stop)
        try:
            yield
        finally:
            for each in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(each)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
