"""What counts against a cap: which past contacts, by which key, in which calendar dates.

A contact whose outcome is not known counts wherever it might belong. Dates are calendar dates of the person's zone,
never spans of hours: a day of daylight saving has 23 or 25 of them.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

from shared.domain.calendar import ONE_DAY
from shared.domain.contact_facts import AnsweredBy, PastContact, Proposal, Purpose
from shared.domain.contact_moment import Moment

EFFECTIVE_SECONDS = 15
"""A talk with the right party that lasted this long is taken as one about the debt. No source gives a number."""

_UNANSWERED = frozenset({AnsweredBy.NOBODY.value, AnsweredBy.VOICEMAIL.value})


class Key(StrEnum):
    """Whose contacts are summed."""

    CUSTOMER = "customer"  # everybody contacted about this customer
    PERSON = "person"  # the debtor, or this third person
    DEBT = "debt"  # each debt for itself
    CONTACT_POINT = "contact_point"  # this number or address


def _known(value: str | None, wanted: Callable[[str], bool]) -> bool | None:
    return None if value is None else wanted(value)


def _effective(past: PastContact) -> bool | None:
    if past.answered_by is not None and past.answered_by != AnsweredBy.RIGHT_PARTY:
        return False
    if past.effective_talk is not None:
        return past.effective_talk
    return None if past.talk_seconds is None else past.talk_seconds >= EFFECTIVE_SECONDS


def _connected(past: PastContact) -> bool | None:
    if past.connected is not None:
        return past.connected
    return True if past.answered_by not in (None, AnsweredBy.NOBODY.value) else None


CONDITIONS: Mapping[str, Callable[[PastContact], bool | None]] = MappingProxyType(
    {
        "outbound": lambda past: past.outbound,
        "answered": lambda past: _known(past.answered_by, lambda by: by != AnsweredBy.NOBODY),
        "unanswered": lambda past: _known(past.answered_by, _UNANSWERED.__contains__),
        "right_party": lambda past: _known(past.answered_by, lambda by: by == AnsweredBy.RIGHT_PARTY),
        "effective": _effective,
        "connected": _connected,
        "announcement": lambda past: past.announcement,
        "interactive": lambda past: not past.announcement,
        "unconsented": lambda past: not past.consented,
        "no_notice": lambda past: _known(past.purpose, lambda purpose: purpose != Purpose.STATUTORY_NOTICE),
        "personal_place": lambda past: _known(past.place, lambda place: place == "personal"),
        "other_place": lambda past: _known(past.place, lambda place: place != "personal"),
    }
)
"""What a contact has to be in order to count. None: not known, so it counts."""


@dataclass(frozen=True, slots=True)
class Counter:
    """Counts contacts by ``channels`` that meet each condition of ``only``. ``name`` is the one under which
    ``ContactFacts.counters`` gives what the history does not list."""

    channels: frozenset[str]
    only: tuple[str, ...]
    key: str
    name: str | None = None

    def counts(self, past: PastContact) -> bool:
        return past.channel in self.channels and all(CONDITIONS[each](past) is not False for each in self.only)

    def by_date(self, moment: Moment, since: date) -> list[Tally[date]]:
        """Contacts by local date from ``since`` on: one tally for each debt where debts are counted apart, else one."""
        matching = [(day, past) for day, past in moment.dated if day >= since and self.counts(past)]
        unlisted = moment.facts.counters.get(self.name, 0) if self.name else 0
        tallies = []
        for same in self._subjects(moment.proposal):
            tally = Tally(day for day, past in matching if same(past))
            if unlisted:
                tally[moment.first_day] += unlisted
            tallies.append(tally)
        return tallies

    def _subjects(self, proposal: Proposal) -> Iterable[Callable[[PastContact], bool]]:
        if self.key == Key.DEBT and proposal.debts:
            return [_about(debt) for debt in sorted(proposal.debts)]
        if self.key == Key.PERSON:
            return [
                lambda past: past.target == proposal.target and _same(past.person_id, proposal.person_id),
            ]
        if self.key == Key.CONTACT_POINT:
            return [lambda past: _same(past.contact_point_id, proposal.contact_point_id)]
        return [lambda _: True]


def _about(debt: str) -> Callable[[PastContact], bool]:
    return lambda past: not past.debts or debt in past.debts


def _same(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def first_free(tally: Mapping[date, int], today: date, maximum: int, dates: int) -> date:
    """The first date from ``today`` on at which one more leaves every span of ``dates`` calendar dates with at most
    ``maximum`` (which is 1 or more). Contacts reserved for later dates are in the tally too."""
    day = today
    while not _free(tally, day, maximum, dates):
        day += ONE_DAY
    return day


def _free(tally: Mapping[date, int], day: date, maximum: int, dates: int) -> bool:
    later = max(tally, default=day)
    last = min(day + timedelta(days=dates - 1), max(day, later))
    end = day
    while end <= last:
        first = end - timedelta(days=dates - 1)
        if sum(count for each, count in tally.items() if first <= each <= end) >= maximum:
            return False
        end += ONE_DAY
    return True
