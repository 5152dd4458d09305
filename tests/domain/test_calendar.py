from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.calendar import CalendarYearMissing, at_local, local_date, parse_calendar, zone
from shared.domain.document import DocumentError
from tests.domain.seeds import load

CHINA = parse_calendar(load("policies/calendars/cn.yaml"))


@pytest.mark.parametrize(("year", "working_days"), [(2025, 248), (2026, 248)])
def test_china_has_the_announced_number_of_working_days(year, working_days):
    days = [date(year, 1, 1) + timedelta(days=n) for n in range(365)]
    assert sum(CHINA.is_business_day(day) for day in days) == working_days


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        (date(2026, 2, 14), True),  # a Saturday worked in exchange
        (date(2026, 2, 16), False),  # a Monday in the Spring Festival
        (date(2026, 2, 21), False),
        (date(2026, 2, 28), True),
        (date(2026, 9, 20), True),
        (date(2026, 9, 25), False),
        (date(2026, 10, 8), True),
        (date(2025, 10, 8), False),
        (date(2025, 10, 11), True),
        (date(2025, 11, 23), False),
    ],
)
def test_china_swaps_days(day, worked):
    assert CHINA.is_business_day(day) is worked


def test_business_days_step_over_the_spring_festival():
    assert CHINA.add_business_days(date(2026, 2, 13), 2) == date(2026, 2, 24)
    assert CHINA.add_business_days(date(2026, 2, 15), 0) == date(2026, 2, 15)


def test_business_days_are_not_counted_backwards():
    with pytest.raises(ValueError, match="forwards"):
        CHINA.add_business_days(date(2026, 2, 13), -1)


def test_a_year_that_was_not_announced_is_an_error():
    with pytest.raises(CalendarYearMissing, match="cn has no data for 2027") as missing:
        CHINA.add_business_days(date(2026, 12, 28), 10)
    assert (missing.value.name, missing.value.year) == ("cn", 2027)


@given(st.dates(date(2025, 1, 1), date(2026, 9, 1)), st.integers(0, 60))
def test_the_nth_business_day_has_n_business_days_up_to_it(day, n):
    found = CHINA.add_business_days(day, n)
    between = [day + timedelta(days=ahead) for ahead in range(1, (found - day).days + 1)]
    assert sum(CHINA.is_business_day(each) for each in between) == n
    assert n == 0 or CHINA.is_business_day(found)


def test_an_unknown_zone_is_said_to_be_one():
    for name in ("Asia/Nowhere", "", "../etc/passwd", "Asia", "\x00"):
        with pytest.raises(ValueError, match="not a known time zone"):
            zone(name)


def test_a_date_is_that_of_the_zone():
    instant = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)
    assert local_date(instant, "Asia/Shanghai") == date(2026, 11, 25)
    assert local_date(instant, "America/New_York") == date(2026, 11, 24)
    with pytest.raises(ValueError, match="offset"):
        local_date(datetime(2026, 11, 24), "Asia/Shanghai")  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    ("day", "clock", "where", "instant"),
    [
        (date(2026, 11, 24), time(8), "Asia/Shanghai", datetime(2026, 11, 24, 0, tzinfo=UTC)),
        # never shown: the moment of the jump from 02:00 to 03:00
        (date(2026, 3, 8), time(2, 30), "America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
        # shown twice: the first
        (date(2026, 11, 1), time(1, 30), "America/New_York", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)),
        # a midnight that does not exist
        (date(2026, 3, 8), time(0), "America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),
        # half an hour forward
        (date(2026, 10, 4), time(2, 15), "Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        # a day that was left out
        (date(2011, 12, 30), time(9), "Pacific/Apia", datetime(2011, 12, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_local_time_becomes_an_instant(day, clock, where, instant):
    assert at_local(day, clock, where) == instant


GOOD = {"name": "x", "version": 1, "source": "test", "years": {"2026": {"holidays": ["2026-01-01"], "workdays": []}}}


@pytest.mark.parametrize(
    ("years", "problem"),
    [
        ({}, "years: must be a mapping"),
        ({"26": {}}, "'26' is not a year"),
        ({"2026": {"holidays": ["2025-12-31"]}}, r"2026.holidays\[0\]: is not a span of days in 2026"),
        ({"2026": {"holidays": ["2026-02-30"]}}, r"holidays\[0\]: '2026-02-30' is not a date"),
        ({"2026": {"holidays": ["2026-02-03..2026-02-01"]}}, "is not a span"),
        ({"2026": {"workdays": ["2026-02-04"]}}, "is no weekend day"),
        ({"2026": {"holidays": ["2026-02-14"], "workdays": ["2026-02-14"]}}, "both a holiday and a workday"),
        ({"2026": {"holiday": []}}, "2026.holiday: is not a known key"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused_with_its_place(years, problem):
    with pytest.raises(DocumentError, match=problem):
        parse_calendar({**GOOD, "years": years})


def test_years_may_be_numbers_and_days_dates():
    calendar = parse_calendar({**GOOD, "years": {2026: {"holidays": [date(2026, 1, 1)]}}})
    assert not calendar.is_business_day(date(2026, 1, 1))
