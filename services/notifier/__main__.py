"""``python -m services.notifier``: take up what is to be told and tell it, as many replicas as wanted."""

from __future__ import annotations

from contextlib import AsyncExitStack

from services import chores, process, running
from services.gateways import open_gateways
from services.notifier.compose import compose
from services.notifier.sender import watch_doubts
from services.notifier.settings import NotifierSettings
from services.transport import consume_own_events, open_kafka
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.own_events import read_parked
from shared.application.retrying import Retrier, own_events


async def serve(settings: NotifierSettings) -> None:
    """Run until told to stop."""
    async with AsyncExitStack() as stack:
        mine = await process.open_process("notifier", settings, settings.notifier_pool_size, stack)
        gateways = open_gateways(GatewaySettings(), settings, mine.clock, stack)
        kafka = await open_kafka(mine)
        reminding, sender = compose(
            mine.work,
            mine.shelf,
            gateways,
            mine.clock,
            instance=mine.instance,
            fence=mine.fence,
            poll=settings.poll,
            lease=settings.lease,
            ask_first=kafka.epoch.ask_first,
        )
        await consume_own_events(mine, kafka, reminding, delivered=sender.wake.set)
        retrier = Retrier(mine.work, reminding.name, own_events(reminding, read_parked))
        mine.supervisor.add("sender", sender.run)
        mine.supervisor.add("doubts", lambda stop: watch_doubts(mine.work, gateways, stop))
        mine.supervisor.add("retries", lambda stop: chores.retry([retrier], stop))
        mine.supervisor.add("epoch", kafka.epoch.follow)
        await running.run_until_stopped(mine)


if __name__ == "__main__":
    running.run("notifier", NotifierSettings, serve)
