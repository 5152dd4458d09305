"""Put the scheduler together from what its process has."""

from __future__ import annotations

from services.scheduler import handlers, timers
from services.scheduler.loop import Clockwork
from shared.application.clockwork import BucketRolls
from shared.application.pipeline import Consumer
from shared.application.planning import Planner
from shared.application.ports import UnitOfWork
from shared.application.sending import RuleShelf


def compose(work: UnitOfWork, shelf: RuleShelf, *, poll: float = 1.0) -> tuple[Consumer, Clockwork]:
    planner = Planner(shelf)
    return handlers.consumer(planner), Clockwork(work, timers.table(planner, BucketRolls(shelf), shelf), poll=poll)
