"""Until when a customer's follow-ups wait for what was promised.

These are facts with their instants, so that a schedule worked out late is the one worked out in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.follow_up import Stop

PROMISE = "promise"


@dataclass(frozen=True, slots=True)
class Wait:
    """From ``at`` on follow-ups wait until ``until``, or do not wait (None). The next one replaces it."""

    at: datetime
    until: datetime | None


def following(last: Wait | None, at: datetime, until: datetime | None) -> Wait | None:
    """The fact to put on record at ``at``; None when it says what is so already, by record or by the clock."""
    known = None if last is None or last.until is None or last.until <= at else last.until
    wanted = None if until is None or until <= at else until
    return None if wanted == known else Wait(at, wanted)


def stops(waits: Sequence[Wait]) -> list[Stop]:
    """The times in which nothing is due, from facts in the order of their instants."""
    found = []
    for index, wait in enumerate(waits):
        if wait.until is not None:
            ends = [wait.until, *(after.at for after in waits[index + 1 : index + 2])]
            if min(ends) > wait.at:
                found.append(Stop(wait.at, min(ends), PROMISE))
    return found
