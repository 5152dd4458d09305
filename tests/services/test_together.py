"""How the embedded suite ends."""

import asyncio

import pytest

from services.together import _stop
from shared.runtime.supervisor import Supervisor


@pytest.mark.parametrize(("signals", "finished"), [(0, True), (1, True), (2, False)])
async def test_what_is_under_way_is_finished_after_one_signal_and_cut_off_by_a_second(signals, finished):
    supervisor, began, done, go = Supervisor(), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def sending(stop):
        began.set()
        await stop.wait()
        await go.wait()
        done.set()

    supervisor.add("sender", sending)
    running = asyncio.create_task(supervisor.run(signals=False))
    await began.wait()
    for _ in range(signals):
        supervisor.request_stop()
    ending = asyncio.create_task(_stop(supervisor, running))
    await asyncio.sleep(0.05)  # long enough for who would cut it off
    go.set()
    await ending
    assert done.is_set() is finished
