"""A proposal looked at as of one instant in one zone, and what a check may answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from shared.domain.calendar import ONE_DAY, at_local
from shared.domain.contact_facts import ContactFacts, PastContact, Proposal


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change of one fact that would lift a refusal: the fact at ``path`` being ``to``."""

    path: str
    to: Any


@dataclass(frozen=True, slots=True)
class Refusal:
    """Forbidden until ``release`` has happened. Without a ``change`` nothing that is written down alone would do."""

    release: str
    change: Change | None = None


Verdict = datetime | Refusal | None
"""Not before this instant, the earliest at which the rule allows it; refused; or nothing against it."""

Dated = tuple[date, PastContact]


@dataclass(slots=True)
class Moment:
    """``at`` is the proposed instant, or a later one that is tried in its place; ``local`` the same in ``where``.

    ``today`` is its local date, ``first_day`` that of the proposed instant, ``dated`` the history with local dates."""

    proposal: Proposal
    facts: ContactFacts
    at: datetime
    where: ZoneInfo
    local: datetime
    today: date
    first_day: date
    dated: tuple[Dated, ...]

    def moved_to(self, at: datetime) -> Moment:
        local = at.astimezone(self.where)
        return Moment(self.proposal, self.facts, at, self.where, local, local.date(), self.first_day, self.dated)

    def count(self, channel: str) -> int:
        """Contacts of the channel on the local date of ``at`` that the history does not list."""
        if self.today == self.first_day:
            return self.facts.reserved_today.get(channel, 0)
        counts = self.facts.reserved_on.get(self.today)
        return counts.get(channel, 0) if counts else 0

    def start_of(self, day: date) -> datetime:
        return at_local(day, time.min, self.where.key)

    def next_day(self) -> datetime:
        return self.start_of(self.today + ONE_DAY)


def moment_at(proposal: Proposal, facts: ContactFacts, at: datetime, where: ZoneInfo) -> Moment:
    """``at`` is in UTC."""
    local = at.astimezone(where)
    day = local.date()
    history = facts.history
    dated = tuple([(each.at.astimezone(where).date(), each) for each in history]) if history else ()
    return Moment(proposal, facts, at, where, local, day, day, dated)


class Check(Protocol):
    """A rule's question. ``needs`` are the named facts it can not do without."""

    @property
    def needs(self) -> tuple[str, ...]: ...

    def judge(self, moment: Moment) -> Verdict: ...
