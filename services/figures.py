"""The figures of the whole suite in ``/metrics``: whoever serves HTTP measures them."""

from __future__ import annotations

from contextlib import AsyncExitStack

from shared.adapters.postgres.pool import Pool
from shared.adapters.queue_metrics import QueueWatch
from shared.adapters.standing_metrics import StandingWatch
from shared.runtime.metrics import REGISTRY
from shared.runtime.supervisor import Supervisor


def watch_figures(stack: AsyncExitStack, pool: Pool, supervisor: Supervisor) -> None:
    """Have ``/metrics`` show the queues, and how suite and database stand, for as long as the stack is open."""
    for name, watch in (("queues", QueueWatch(pool)), ("standing", StandingWatch(pool))):
        REGISTRY.register(watch)
        stack.callback(REGISTRY.unregister, watch)
        supervisor.add(name, watch.run)
