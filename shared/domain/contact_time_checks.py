"""Checks that ask for the hour, the day and how much there has been: quiet hours, preferences, gaps and caps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from shared.domain.calendar import ONE_DAY
from shared.domain.contact_checks import NOTHING
from shared.domain.contact_counters import Counter, first_free
from shared.domain.contact_facts import Consent
from shared.domain.contact_hours import QuietWindow, first_preferred, hours_for, preferred_end
from shared.domain.contact_moment import Moment, Refusal, Verdict

_SEARCHED_DAYS = 400


class Hours(ABC):
    """A check that allows some hours and not others."""

    __slots__ = ()

    @abstractmethod
    def ends(self, moment: Moment) -> datetime | None:
        """When the hours that ``moment`` is in end, consents aside; None when they do not."""


@dataclass(frozen=True, slots=True)
class QuietHours(Hours):
    """No contact in the window, by the person's own clock."""

    window: QuietWindow
    lifted_by_consent: bool
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if self.lifted_by_consent and moment.facts.consents:
            consents = _consents(moment)
            if consents:
                return self.window.first_clear_with(moment.at, moment.where, consents)
        return self.window.first_clear(moment.at, moment.local, moment.where)

    def ends(self, moment: Moment) -> datetime | None:
        return self.window.next_start(moment.at, moment.where)


@dataclass(frozen=True, slots=True)
class HomeHours(Hours):
    """No contact in the window by the clock of ``zone``, for people whose own clock is another."""

    window: QuietWindow
    zone: ZoneInfo
    lifted_by_consent: bool
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if moment.where is self.zone:
            return None
        consents = _consents(moment) if self.lifted_by_consent else ()
        return self.window.first_clear_with(moment.at, self.zone, consents, home=moment.where)

    def ends(self, moment: Moment) -> datetime | None:
        return None if moment.where is self.zone else self.window.next_start(moment.at, self.zone)


@dataclass(frozen=True, slots=True)
class EndsInTime:
    """What takes as long as ``lasting`` is over before the window begins, unless a consent covers all of it."""

    window: QuietWindow
    lasting: timedelta
    lifted_by_consent: bool
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if not self.lasting:
            return None
        consents = _consents(moment) if self.lifted_by_consent else ()
        try:
            return self.window.first_clear_with(moment.at, moment.where, consents, lasting=self.lasting)
        except ValueError:
            return Refusal("hours that last long enough")


@dataclass(frozen=True, slots=True)
class Preferred(Hours):
    """The hours the person asked for, obeyed at once."""

    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if not moment.facts.preferred:
            return None
        wanted = hours_for(moment.proposal.channel, moment.facts.preferred)
        if not wanted:
            return None
        try:
            return first_preferred(moment.at, moment.where, wanted)
        except ValueError:
            return Refusal("preferred hours that ever come")

    def ends(self, moment: Moment) -> datetime | None:
        wanted = hours_for(moment.proposal.channel, moment.facts.preferred)
        return preferred_end(moment.at, moment.where, wanted) if wanted else None


@dataclass(frozen=True, slots=True)
class ClosedDays:
    """Weekdays (Monday is 0) and dates on which nobody is contacted, and the customer's own days to be left alone."""

    weekdays: frozenset[int]
    dates: frozenset[date]
    personal: bool
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        day = moment.today
        if not self._closed(day, moment):
            return None
        for _ in range(_SEARCHED_DAYS):
            day += ONE_DAY
            if not self._closed(day, moment):
                return moment.start_of(day)
        return Refusal("a day that is not closed")

    def _closed(self, day: date, moment: Moment) -> bool:
        if day.weekday() in self.weekdays or day in self.dates:
            return True
        return self.personal and day in moment.facts.quiet_dates


@dataclass(frozen=True, slots=True)
class DailyCap:
    """At most ``maximum`` contacts per local calendar date, those of ``channels`` summed, or one counter."""

    maximum: int
    channels: tuple[str, ...]
    counter: str | None
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if self.counter is None:
            made = sum([moment.count(channel) for channel in self.channels])
            if moment.dated:
                made += self._listed(moment)
        else:
            today = moment.today == moment.first_day
            made = moment.facts.counters.get(self.counter, 0) if today else 0
        return moment.next_day() if made >= self.maximum else None

    def _listed(self, moment: Moment) -> int:
        today = moment.today
        return sum(day == today and past.outbound and past.channel in self.channels for day, past in moment.dated)


@dataclass(frozen=True, slots=True)
class CountedCap:
    """At most ``maximum`` of what ``counter`` counts in any ``dates`` calendar dates in a row. ``lifted_by`` is what
    the person may have agreed to instead."""

    maximum: int
    counter: Counter
    dates: int
    lifted_by: str | None = None
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        facts = moment.facts
        if not moment.dated and not facts.counters:
            return None
        if self.lifted_by is not None and self.lifted_by in (facts.permissions or ()):
            return None
        today = moment.today
        since = today - timedelta(days=self.dates - 1)
        free = [first_free(each, today, self.maximum, self.dates) for each in self.counter.by_date(moment, since)]
        first = max(free, default=today)
        return moment.start_of(first) if first > today else None


@dataclass(frozen=True, slots=True)
class MinimumGap:
    """So long after the latest contact in the channel."""

    gap: timedelta
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        last = moment.facts.last_contact_at
        channel = moment.proposal.channel
        for _, past in moment.dated:
            if past.channel == channel and past.outbound and (last is None or past.at > last):
                last = past.at
        if last is None:
            return None
        clear = last.astimezone(UTC) + self.gap
        return clear if clear > moment.at else None


def _consents(moment: Moment) -> tuple[Consent, ...]:
    """Those that this person gave for this channel."""
    proposal = moment.proposal
    given = moment.facts.consents
    return tuple(each for each in given if each.channel == proposal.channel and each.given_by == proposal.target)
