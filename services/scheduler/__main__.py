"""``python -m services.scheduler``: plan follow-ups on our events and on the clock, as many replicas as wanted."""

from __future__ import annotations

from contextlib import AsyncExitStack

from services import chores, process, running
from services.scheduler.compose import compose
from services.scheduler.settings import SchedulerSettings
from services.transport import consume_own_events, open_kafka
from shared.adapters.own_events import read_parked
from shared.application.housekeeping import ensure_housekeeping
from shared.application.retrying import Retrier, own_events


async def serve(settings: SchedulerSettings) -> None:
    """Run until told to stop."""
    async with AsyncExitStack() as stack:
        mine = await process.open_process("scheduler", settings, settings.scheduler_pool_size, stack)
        kafka = await open_kafka(mine)
        planner, clockwork = compose(mine.work, mine.shelf, poll=settings.poll)
        await ensure_housekeeping(mine.work)
        await consume_own_events(mine, kafka, planner)
        retrier = Retrier(mine.work, planner.name, own_events(planner, read_parked))
        mine.supervisor.add("clock", clockwork.run)
        mine.supervisor.add("retries", lambda stop: chores.retry([retrier], stop))
        mine.supervisor.add("epoch", kafka.epoch.follow)
        await running.run_until_stopped(mine)


if __name__ == "__main__":
    running.run("scheduler", SchedulerSettings, serve)
