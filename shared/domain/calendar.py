"""Local dates and times of named zones, and business calendars. A year without data is an error, never a guess."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from shared.domain.document import DocumentError, Section, read_day

ONE_DAY = timedelta(days=1)
_SATURDAY = 5


class CalendarYearMissing(LookupError):
    """The calendar has no data for this year; working with plain weekdays instead would be wrong in silence."""

    def __init__(self, name: str, year: int) -> None:
        super().__init__(f"calendar {name} has no data for {year}: load a version that covers it")
        self.name = name
        self.year = year


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """The IANA zone of this name, such as ``Asia/Shanghai``. Raises ValueError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, UnicodeError):
        raise ValueError(f"{name!r} is not a known time zone") from None


@lru_cache(maxsize=4096)
def local_date(instant: datetime, zone_name: str) -> date:
    """The calendar date that people in the zone write at this (timezone-aware) instant. Kept, since hundreds of
    customers are looked at at one instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant carries its offset; this one has none")
    return instant.astimezone(zone(zone_name)).date()


@lru_cache(maxsize=65536)
def at_local(day: date, clock: time, zone_name: str) -> datetime:
    """The instant, in UTC, at which clocks in the zone first show ``clock`` on ``day``.

    Where clocks go back and show the time twice, it is the first of the two. Where they go forward and never show
    it, it is the moment of the jump: the first instant at which that time has passed.
    """
    where = zone(zone_name)
    local = datetime.combine(day, clock.replace(tzinfo=None))
    first = local.replace(tzinfo=where, fold=0).astimezone(UTC)
    second = local.replace(tzinfo=where, fold=1).astimezone(UTC)
    if first > second:  # only in a gap: read with the offset before it and with the one after it
        jump = offset_change(second, first, where)
        return first if jump is None else jump
    return first


def add_months(day: date, months: int) -> date:
    """The corresponding date so many months later, or the last day of that month where it has none: 29 February and
    twelve months is 28 February (so Civil Code of the PRC, art. 202)."""
    years, month = divmod(day.month - 1 + months, 12)
    year = day.year + years
    following = date(year + (month + 1) // 12, (month + 1) % 12 + 1, 1)
    return date(year, month + 1, min(day.day, (following - ONE_DAY).day))


def offset_change(after: datetime, until: datetime, where: ZoneInfo) -> datetime | None:
    """The first second in (after, until] at which the zone's offset is no longer that of ``after``; None when it
    stays. At most one change is expected in the span."""
    offset = after.astimezone(where).utcoffset()
    if until.astimezone(where).utcoffset() == offset:
        return None
    low, high = 0, int((until - after).total_seconds()) + 1
    while high - low > 1:
        middle = (low + high) // 2
        same = (after + timedelta(seconds=middle)).astimezone(where).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return (after + timedelta(seconds=high)).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class YearDays:
    """Days off besides weekends, and weekend days that are worked in exchange."""

    holidays: frozenset[date]
    workdays: frozenset[date]


@dataclass(frozen=True, slots=True)
class BusinessCalendar:
    """A country's business days by year. ``version`` and ``source`` say which announcement the data follow."""

    name: str
    years: Mapping[int, YearDays] = field(hash=False)
    version: int = 1
    source: str = ""

    def is_business_day(self, day: date) -> bool:
        """Raises CalendarYearMissing when the year is not in the data."""
        try:
            year = self.years[day.year]
        except KeyError:
            raise CalendarYearMissing(self.name, day.year) from None
        if day in year.workdays:
            return True
        return day.weekday() < _SATURDAY and day not in year.holidays

    def add_business_days(self, day: date, n: int) -> date:
        """The n-th business day after ``day``, which need not be one itself; n = 0 is ``day``. Raises ValueError for
        a negative n, CalendarYearMissing when the count runs into a year without data."""
        if n < 0:
            raise ValueError("business days are counted forwards")
        while n:
            day += ONE_DAY
            n -= self.is_business_day(day)
        return day


def parse_calendar(document: Mapping[str, object]) -> BusinessCalendar:
    """Read ``{name, version, source, years: {"2026": {holidays: [...], workdays: [...]}}}``.

    A day is a date, a span is ``"2026-02-15..2026-02-23"``. Raises DocumentError naming the path.
    """
    root = Section(document, "calendar")
    name, version, source = root.text("name"), root.whole("version", low=1), root.text("source")
    years = root.raw("years")
    root.finish()
    if not isinstance(years, Mapping) or not years:
        raise DocumentError("calendar.years", "must be a mapping of year to days")
    by_year = {_year(key): _year_days(value, f"calendar.years.{key}", _year(key)) for key, value in years.items()}
    return BusinessCalendar(name, MappingProxyType(by_year), version, source)


def _year(key: object) -> int:
    text = str(key)
    if len(text) != 4 or not text.isascii() or not text.isdigit():
        raise DocumentError("calendar.years", f"{text!r} is not a year")
    return int(text)


def _year_days(value: object, path: str, year: int) -> YearDays:
    section = Section(value, path)
    holidays = _days(section.raw("holidays", []), f"{path}.holidays", year)
    workdays = _days(section.raw("workdays", []), f"{path}.workdays", year)
    section.finish()
    both = holidays & workdays
    if both:
        raise DocumentError(path, f"{min(both)} is both a holiday and a workday")
    weekday = [day for day in workdays if day.weekday() < _SATURDAY]
    if weekday:
        raise DocumentError(f"{path}.workdays", f"{min(weekday)} is no weekend day, so it is worked anyway")
    return YearDays(holidays, workdays)


def _days(value: object, path: str, year: int) -> frozenset[date]:
    if not isinstance(value, list | tuple):
        raise DocumentError(path, "must be a list of dates or spans")
    days: set[date] = set()
    for index, item in enumerate(value):
        try:
            first, last = _span(item)
        except ValueError as wrong:
            raise DocumentError(f"{path}[{index}]", str(wrong)) from None
        if not (first.year == last.year == year and first <= last):
            raise DocumentError(f"{path}[{index}]", f"is not a span of days in {year}")
        days.update(first + timedelta(days=n) for n in range((last - first).days + 1))
    return frozenset(days)


def _span(item: object) -> tuple[date, date]:
    first, dots, last = item.partition("..") if isinstance(item, str) else (item, "", item)
    return read_day(first), read_day(last if dots else first)
