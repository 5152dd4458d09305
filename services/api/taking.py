"""How much of what comes in a process takes at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from shared.application.group_commit import GroupCommit
from shared.application.judging import PolicyShelf
from shared.application.ports import UnitOfWork
from shared.application.turns import Lookahead

MOST_AHEAD = 2  # chunks of imports in a transaction before their turn; on two cores more gain nothing
MOST_AT_ONCE = 2  # transactions of single events: one is being decided while the other is being written


@dataclass(frozen=True, slots=True)
class Intake:
    """``commits`` are those of single events."""

    lookahead: Lookahead
    commits: GroupCommit

    @classmethod
    def on(cls, work: UnitOfWork, shelf: PolicyShelf, connections: int) -> Self:
        """Each transaction holds one of the ``connections``; some are left for everybody else."""
        half = max(1, connections // 2)
        return cls(Lookahead(min(MOST_AHEAD, connections // 2)), GroupCommit(work, shelf, min(MOST_AT_ONCE, half)))
