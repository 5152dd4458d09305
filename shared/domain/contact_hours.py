"""Hours in local wall time: when they are clear, and the first instant after them, exact where clocks are changed.

Whether an instant is clear can only change at an *edge*: where a window starts or ends on some clock, where a consent
begins or ends, at midnight where weekdays matter, or where clocks are changed. So the first clear instant is the first
edge that is clear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from shared.domain.calendar import ONE_DAY, at_local, offset_change
from shared.domain.contact_facts import ANY, Consent, PreferredHours

NO_CONSENT: tuple[Consent, ...] = ()
_DAYS_AHEAD = 4  # a zone that moves over the date line skips a whole day
_WEEK_AHEAD = 9  # ... and weekdays come round once a week


def within(clock: time, start: time, end: time) -> bool:
    """Is ``clock`` in the half-open window [start, end), which passes midnight when ``end`` is not the later?"""
    if start < end:
        return start <= clock < end
    return clock >= start or clock < end


@dataclass(frozen=True, slots=True)
class QuietWindow:
    """No contact at local times in [start, end)."""

    start: time
    end: time

    def first_clear(self, at: datetime, local: datetime, where: ZoneInfo) -> datetime | None:
        """None when ``at`` is outside the window, else the first later instant that is. ``local`` is ``at`` in
        ``where``."""
        clock = local.time()
        if not within(clock, self.start, self.end):
            return None
        ends_on = local.date() if clock < self.end else local.date() + ONE_DAY
        wall = datetime.combine(ends_on, self.end)
        end = at.astimezone(UTC) + (wall - local.replace(tzinfo=None))
        if end.astimezone(where).utcoffset() == local.utcoffset():
            return end
        found = self.first_clear_with(at, where, NO_CONSENT)
        assert found is not None  # noqa: S101 - a window that passes ends: its two times differ
        return found

    def first_clear_with(
        self,
        at: datetime,
        where: ZoneInfo,
        consents: Iterable[Consent],
        *,
        home: ZoneInfo | None = None,
        lasting: timedelta = timedelta(0),
    ) -> datetime | None:
        """None when ``at`` is clear, else the first later instant that is; exact with consents and clock changes.

        ``home`` is the zone in whose wall time consents were given, when the window is of another clock. What is
        ``lasting`` has to be clear from its start to its end. Raises ValueError when nothing that long is clear within
        three days.
        """
        consents = tuple(consents)
        theirs = home or where
        if self._clear(at, where, theirs, consents) and self._far_from_start(at, where, lasting):
            return None
        edges = sorted(self._edges(at, where, theirs, consents))

        def clear(start: datetime) -> bool:
            inside = (edge for edge in edges if start < edge < start + lasting)
            return all(self._clear(each, where, theirs, consents) for each in (start, *inside))

        return _first(at, edges, clear)

    def _far_from_start(self, at: datetime, where: ZoneInfo, lasting: timedelta) -> bool:
        """Is it sure, without looking at every edge, that the window does not begin while it lasts?"""
        if not lasting:
            return True
        local, after = at.astimezone(where), (at + lasting).astimezone(where)
        if local.utcoffset() != after.utcoffset() or within(local.time(), self.start, self.end):
            return False
        day = local.date()
        starts = (datetime.combine(each, self.start) for each in (day, day + ONE_DAY))
        return not any(local.replace(tzinfo=None) < start < after.replace(tzinfo=None) for start in starts)

    def next_start(self, at: datetime, where: ZoneInfo) -> datetime:
        """The first instant after ``at`` that is inside the window, consents aside."""
        local = at.astimezone(where)
        start = at_local(local.date(), self.start, where.key)
        before = local.time() < self.start and not within(local.time(), self.start, self.end)
        if before and start.astimezone(where).utcoffset() == local.utcoffset():
            return start
        edges = sorted(edge for edge in self._edges(at, where, where, NO_CONSENT) if edge > at)
        return next(edge for edge in edges if not self._clear(edge, where, where, NO_CONSENT))

    def _clear(self, at: datetime, where: ZoneInfo, theirs: ZoneInfo, consents: tuple[Consent, ...]) -> bool:
        if not within(at.astimezone(where).time(), self.start, self.end):
            return True
        if not consents:
            return False
        clock = at.astimezone(theirs).time()
        return any(each.valid_at(at) and within(clock, each.from_time, each.to_time) for each in consents)

    def _edges(
        self, at: datetime, where: ZoneInfo, theirs: ZoneInfo, consents: tuple[Consent, ...]
    ) -> Iterator[datetime]:
        yield from _readings(at, {self.start, self.end}, where, _DAYS_AHEAD)
        if consents:
            agreed = {each for consent in consents for each in (consent.from_time, consent.to_time)}
            yield from _readings(at, agreed, theirs, _DAYS_AHEAD)
        for consent in consents:
            ends = (consent.starts_at, consent.ends_at, consent.withdrawn_at)
            yield from (each.astimezone(UTC) for each in ends if each is not None)
        yield from _changes(at, {where, theirs}, 3)


def first_preferred(at: datetime, where: ZoneInfo, wanted: tuple[PreferredHours, ...]) -> datetime | None:
    """None when ``at`` is in one of the hours, else the first later instant that is. Raises ValueError when there is
    none within a week."""

    def clear(each: datetime) -> bool:
        return _preferred(each, where, wanted)

    if clear(at):
        return None
    soon = next((edge for edge in _preferred_edges(at, where, wanted, 2) if edge > at and clear(edge)), None)
    if soon is not None and soon <= at + ONE_DAY:
        return soon
    return _first(at, _preferred_edges(at, where, wanted, _WEEK_AHEAD), clear)


def preferred_end(at: datetime, where: ZoneInfo, wanted: tuple[PreferredHours, ...]) -> datetime | None:
    """The first later instant that is in none of the hours; None when there is none within a week."""
    later = (edge for edge in _preferred_edges(at, where, wanted, _WEEK_AHEAD) if edge > at)
    return next((edge for edge in later if not _preferred(edge, where, wanted)), None)


def hours_for(channel: str, preferred: tuple[PreferredHours, ...]) -> tuple[PreferredHours, ...]:
    """Those that were asked for this channel, or for any."""
    return tuple(each for each in preferred if each.channel in (channel, ANY))


def _preferred(at: datetime, where: ZoneInfo, wanted: tuple[PreferredHours, ...]) -> bool:
    local = at.astimezone(where)
    clock, weekday = local.time(), local.weekday()
    return any(weekday in each.weekdays and within(clock, each.from_time, each.to_time) for each in wanted)


def _preferred_edges(at: datetime, where: ZoneInfo, wanted: tuple[PreferredHours, ...], days: int) -> list[datetime]:
    clocks = {time.min, *(each for hours in wanted for each in (hours.from_time, hours.to_time))}
    return sorted({*_changes(at, {where}, days), *_readings(at, clocks, where, days)})


def _first(at: datetime, edges: Iterable[datetime], clear: Callable[[datetime], bool]) -> datetime | None:
    if clear(at):
        return None
    for edge in edges:
        if edge > at and clear(edge):
            return edge
    raise ValueError("no hour is clear")


def _changes(at: datetime, zones: Iterable[ZoneInfo], days: int) -> Iterator[datetime]:
    """Where clocks are changed in the next days; one change in three days at most."""
    for where in zones:
        if _steady_offset(at.date(), where, days) is not None:
            continue
        for start in range(0, days, 3):
            after = at + start * ONE_DAY
            change = offset_change(after, after + 3 * ONE_DAY, where)
            if change is not None:
                yield change


def _readings(at: datetime, clocks: Iterable[time], where: ZoneInfo, days: int) -> Iterator[datetime]:
    """Each instant of the next days at which clocks show one of ``clocks``; both where it is shown twice."""
    first = at.astimezone(where).date() - ONE_DAY
    steady = _steady_offset(at.date(), where, days)
    for clock in clocks:
        local = datetime.combine(first, clock)
        if steady is not None:
            reading = (local - steady).replace(tzinfo=UTC)
            yield from (reading + n * ONE_DAY for n in range(days + 1))
            continue
        for n in range(days + 1):
            for fold in (0, 1):
                yield (local + n * ONE_DAY).replace(tzinfo=where, fold=fold).astimezone(UTC)


@lru_cache(maxsize=8192)
def _steady_offset(day: date, where: ZoneInfo, days: int) -> timedelta | None:
    """The zone's offset around the UTC date ``day`` and the days after it, when it is the same on each of them."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    offsets = {(noon + n * ONE_DAY).astimezone(where).utcoffset() for n in range(-3, days + 4)}
    return offsets.pop() if len(offsets) == 1 else None
