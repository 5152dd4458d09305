"""Quiet hours in local wall time, and the first instant after them, exact where clocks are changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from shared.domain.calendar import ONE_DAY, at_local, offset_change
from shared.domain.contact_facts import Consent


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
        return self.first_clear_with(at, where, ())

    def first_clear_with(self, at: datetime, where: ZoneInfo, consents: Iterable[Consent]) -> datetime | None:
        """The same by trying every instant at which the answer can change: exact with consents and clock changes."""
        consents = tuple(consents)
        if self._clear(at, where, consents):
            return None
        edges = sorted(edge for edge in self._edges(at, where, consents) if edge > at)
        return next(edge for edge in edges if self._clear(edge, where, consents))

    def next_start(self, at: datetime, where: ZoneInfo) -> datetime:
        """The first instant after ``at`` that is inside the window, consents aside."""
        local = at.astimezone(where)
        start = at_local(local.date(), self.start, where.key)
        before = local.time() < self.start and not within(local.time(), self.start, self.end)
        if before and start.astimezone(where).utcoffset() == local.utcoffset():
            return start
        edges = sorted(edge for edge in self._edges(at, where, ()) if edge > at)
        return next(edge for edge in edges if not self._clear(edge, where, ()))

    def _clear(self, at: datetime, where: ZoneInfo, consents: Iterable[Consent]) -> bool:
        clock = at.astimezone(where).time()
        if not within(clock, self.start, self.end):
            return True
        return any(_valid(consent, at) and within(clock, consent.from_time, consent.to_time) for consent in consents)

    def _edges(self, at: datetime, where: ZoneInfo, consents: Iterable[Consent]) -> Iterator[datetime]:
        clocks = {self.start, self.end} | {consent.from_time for consent in consents}
        # Three days ahead: a zone that moves over the date line skips a whole one.
        for clock in clocks:
            yield from _readings(at.astimezone(where).date(), clock, where)
        yield from (consent.starts_at for consent in consents)
        change = offset_change(at, at + 3 * ONE_DAY, where)
        if change is not None:
            yield change


def _valid(consent: Consent, at: datetime) -> bool:
    return consent.starts_at <= at and (consent.ends_at is None or at < consent.ends_at)


def _readings(day: date, clock: time, where: ZoneInfo) -> Iterator[datetime]:
    """Each instant of the next days at which clocks show ``clock``; both where it is shown twice."""
    for ahead in range(-1, 4):
        local = datetime.combine(day + timedelta(days=ahead), clock)
        for fold in (0, 1):
            yield local.replace(tzinfo=where, fold=fold).astimezone(UTC)
