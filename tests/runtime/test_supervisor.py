"""Tasks that die, tasks that must not, and an orderly end."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta

import pytest

from shared.runtime.supervisor import ReturnedEarlyError, Supervisor, TaskDiedError

QUICK = timedelta(milliseconds=1)


def supervisor(*, grace: timedelta = timedelta(seconds=5)) -> Supervisor:
    return Supervisor(grace=grace, backoff=QUICK, backoff_limit=QUICK)


async def test_starts_a_dead_task_again_and_counts_it() -> None:
    watched = supervisor()
    tries = 0

    async def fails_twice(stop: asyncio.Event) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError("gone")
        watched.request_stop()

    watched.add("worker", fails_twice)
    await watched.run(signals=False)
    assert tries == 3
    assert [(task.name, task.restarts, task.running) for task in watched.tasks] == [("worker", 2, False)]


async def test_the_death_of_a_vital_task_ends_the_process_with_its_cause() -> None:
    watched = supervisor()
    other_works, others_ended = asyncio.Event(), asyncio.Event()

    async def vital(stop: asyncio.Event) -> None:
        await other_works.wait()
        raise OSError("gone")

    async def other(stop: asyncio.Event) -> None:
        other_works.set()
        await stop.wait()
        others_ended.set()

    watched.add("vital", vital, restart=False)
    watched.add("other", other)
    with pytest.raises(TaskDiedError, match="vital") as caught:
        await watched.run(signals=False)
    assert isinstance(caught.value.__cause__, OSError)
    assert others_ended.is_set()


async def test_a_return_before_the_stop_is_a_death() -> None:
    watched = supervisor()

    async def leaves(stop: asyncio.Event) -> None:
        return

    watched.add("leaves", leaves, restart=False)
    with pytest.raises(TaskDiedError) as caught:
        await watched.run(signals=False)
    assert isinstance(caught.value.__cause__, ReturnedEarlyError)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_every_task_finish_what_it_does(number: signal.Signals) -> None:
    watched = supervisor()
    finished: list[str] = []

    async def careful(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.01)
        finished.append("careful")

    watched.add("careful", careful)
    asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), number)
    await watched.run()
    assert finished == ["careful"]


async def test_a_task_that_ignores_the_stop_is_cancelled_after_the_grace() -> None:
    watched = supervisor(grace=timedelta(milliseconds=20))
    cancelled = asyncio.Event()

    async def deaf(stop: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    watched.add("deaf", deaf)
    asyncio.get_running_loop().call_later(0.01, watched.request_stop)
    await watched.run(signals=False)
    assert cancelled.is_set()


async def test_asking_twice_does_not_wait_for_the_grace() -> None:
    watched = supervisor(grace=timedelta(minutes=10))

    async def deaf(stop: asyncio.Event) -> None:
        await asyncio.Event().wait()

    watched.add("deaf", deaf)
    asyncio.get_running_loop().call_later(0.01, watched.request_stop)
    asyncio.get_running_loop().call_later(0.02, watched.request_stop)
    async with asyncio.timeout(20):
        await watched.run(signals=False)


async def test_cancelling_the_supervisor_cancels_its_tasks() -> None:
    watched = supervisor()
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def works(stop: asyncio.Event) -> None:
        started.set()
        try:
            await stop.wait()
        finally:
            cancelled.set()

    watched.add("works", works)
    run = asyncio.create_task(watched.run(signals=False))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert cancelled.is_set()


def test_two_tasks_of_one_name_are_refused() -> None:
    watched = supervisor()

    async def works(stop: asyncio.Event) -> None:
        await stop.wait()

    watched.add("works", works)
    with pytest.raises(ValueError, match="works"):
        watched.add("works", works)
