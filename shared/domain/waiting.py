"""How long a customer's follow-ups wait: for what was promised, and while all that is overdue is held.

These are facts with their instants, so that a schedule worked out late is the one worked out in time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.domain.case import CaseStanding
from shared.domain.follow_up import Stop
from shared.domain.hold import Hold

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


def stops_by_accounts(standings: Sequence[CaseStanding], holds: Sequence[Hold]) -> list[Stop]:
    """The times in which nothing is due because all overdue accounts are held; ``holds`` are those on single accounts.

    Each is put down to the hold whose end ends it."""
    found: list[Stop] = []
    for index, standing in enumerate(standings):
        if standing.held:
            until = standings[index + 1].at if index + 1 < len(standings) else None
            about = [[hold for hold in holds if hold.account_id == account_id] for account_id in standing.held]
            found += _all_held(about, standing.at, until)
    return found


def _all_held(about: Sequence[Sequence[Hold]], since: datetime, until: datetime | None) -> Iterator[Stop]:
    """``about`` has the holds on each of the accounts."""
    begins = sorted({since, *(hold.placed_at for holds in about for hold in holds if hold.placed_at > since)})
    for at in begins:
        active = [[hold for hold in holds if hold.active_at(at)] for holds in about]
        if all(active) and (until is None or at < until):
            last = [max(holds, key=_end) for holds in active]
            first = min(last, key=_end)
            ends = [each for each in (first.over_at, until) if each is not None]
            yield Stop(at, min(ends, default=None), first.kind.value, first.hold_id)


def _end(hold: Hold) -> tuple[bool, datetime]:
    """In the order of ends; one without an end is the last."""
    return hold.over_at is None, hold.over_at or hold.placed_at
