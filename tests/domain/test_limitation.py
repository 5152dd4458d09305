"""The clock of limitation: three years to the day, started anew by what is proved, and never past twenty."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.calendar import add_months, parse_calendar
from shared.domain.contact import Proposal, decide, parse_rules
from shared.domain.contact_facts import LegalStanding, Manner
from shared.domain.contact_vectors import ordinary_facts
from shared.domain.limitation import Interruption, InterruptionKind, Suspension, limitation_clock
from tests.domain.seeds import CALENDAR, packs

PACKS = {name: parse_rules(document) for name, document in packs().items()}
CHINA = PACKS["cn"].rule("cn-limitation-3y").check
BRITAIN = PACKS["uk"].rule("uk-statute-barred").check
BEIJING = ZoneInfo("Asia/Shanghai")
DUE = date(2023, 11, 24)
Kind = InterruptionKind


def at(day, hour=12):
    return datetime(day.year, day.month, day.day, hour, tzinfo=BEIJING)


def sms(day, **changes):
    return replace(Interruption(Kind.DEMAND, at(day), "receipt-1", arrived=True, to_point_left=True), **changes)


def clock(due=DUE, *events, suspensions=(), rule=CHINA, calendar=CALENDAR):
    return limitation_clock(due, events, suspensions, rule, calendar, "Asia/Shanghai")


def test_three_years_from_the_due_date_which_is_the_earlier_of_the_two_starts():
    ran = clock()
    assert (ran.counted_from, ran.ends_on, ran.moved) == (DUE, date(2026, 11, 24), False)
    assert not ran.barred_on(date(2026, 11, 24))
    assert ran.barred_on(date(2026, 11, 25))


@pytest.mark.parametrize(
    ("due", "ends"),
    [
        (date(2024, 2, 29), date(2027, 2, 28)),  # no such day that year
        (date(2025, 2, 28), date(2028, 2, 28)),  # the corresponding day, not the month's last
        (date(2023, 12, 31), date(2026, 12, 31)),
        (date(2021, 3, 31), date(2024, 3, 31)),
    ],
)
def test_it_ends_on_the_corresponding_date_or_the_months_last_day(due, ends):
    assert clock(due).ends_on == ends


def test_a_last_day_in_the_holidays_moves_to_the_day_after_them():
    spring_festival = clock(date(2023, 2, 17))
    assert (spring_festival.ends_on, spring_festival.moved) == (date(2026, 2, 24), True)
    sunday = clock(date(2023, 11, 22))
    assert (sunday.ends_on, sunday.moved) == (date(2026, 11, 23), True)
    worked_saturday = clock(date(2023, 2, 28))
    assert (worked_saturday.ends_on, worked_saturday.moved) == (date(2026, 2, 28), False)


def test_where_the_years_holidays_are_not_announced_the_earlier_day_stands():
    ran = clock(date(2024, 10, 1))
    assert (ran.ends_on, ran.moved) == (date(2027, 10, 1), None)
    only_2026 = parse_calendar(
        {"name": "x", "version": 1, "source": "s", "years": {"2026": {"holidays": ["2026-12-31"]}}}
    )
    over_new_year = clock(date(2023, 12, 31), calendar=only_2026)
    assert (over_new_year.ends_on, over_new_year.moved) == (date(2026, 12, 31), None)


def test_a_delivered_message_to_the_number_on_file_starts_it_anew():
    ran = clock(DUE, sms(date(2025, 3, 31)))
    assert (ran.counted_from, ran.ends_on) == (date(2025, 3, 31), date(2028, 3, 31))
    assert [each.event.proof for each in ran.interrupted_by] == ["receipt-1"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"proof": None}, "nothing on record proves it"),
        ({"arrived": False}, "that it arrived is not proved"),
        ({"arrived": None}, "that it arrived is not proved"),
        ({"to_point_left": False}, "it did not go to a number or address that the holder left"),
        ({"to_point_left": None}, "it did not go to a number or address that the holder left"),
        ({"at": at(DUE - timedelta(days=1))}, "it was before the period began"),
    ],
)
def test_what_is_not_proved_does_not_count_and_it_is_told_why(changes, why):
    ran = clock(DUE, sms(date(2025, 3, 31), **changes))
    assert ran.ends_on == date(2026, 11, 24)
    assert [each.refused for each in ran.events] == [why]


def test_the_last_interruption_counts_whatever_the_order_they_come_in():
    first, second = sms(date(2024, 5, 1)), Interruption(Kind.PART_PAYMENT, at(date(2025, 6, 30)), "payment-1")
    assert clock(DUE, first, second) == clock(DUE, second, first)
    assert clock(DUE, second, first).counted_from == date(2025, 6, 30)


def test_the_day_is_the_day_in_china():
    late = sms(DUE, at=datetime(2025, 3, 31, 17, tzinfo=ZoneInfo("UTC")))  # one in the morning of 1 April
    assert clock(DUE, late).counted_from == date(2025, 4, 1)


def test_after_the_end_a_demand_comes_too_late_and_a_new_agreement_does_not():
    too_late = sms(date(2026, 11, 25))
    assert clock(DUE, too_late).events[0].refused == "the period had run out"
    in_time = sms(date(2026, 11, 24))
    assert clock(DUE, in_time).ends_on == date(2029, 11, 24)
    agreed = Interruption(Kind.AGREEMENT, at(date(2027, 1, 8)), "plan-1")
    assert clock(DUE, too_late, agreed).counted_from == date(2027, 1, 8)


def test_twenty_years_are_the_end_of_everything():
    due = date(2006, 11, 24)
    demands = [sms(date(year, 11, 1)) for year in range(2008, 2027, 2)]
    ran = clock(due, *demands)
    assert (ran.ends_on, ran.long_stop_on) == (date(2026, 11, 24), date(2026, 11, 24))


def test_an_obstacle_in_the_last_six_months_leaves_six_more_after_its_end():
    war = Suspension("force majeure", date(2026, 7, 1), date(2026, 9, 15))
    assert clock(suspensions=[war]).ends_on == date(2027, 3, 15)
    early = Suspension("force majeure", date(2025, 1, 1), date(2026, 5, 24))
    assert clock(suspensions=[early]).ends_on == date(2026, 11, 24)
    reaching_in = Suspension("no guardian", date(2025, 1, 1), date(2026, 5, 25))
    assert clock(suspensions=[reaching_in]).ends_on == date(2026, 11, 25)
    too_late = Suspension("no heir", date(2026, 11, 25), None)
    assert clock(suspensions=[too_late]).ends_on == date(2026, 11, 24)


def test_while_an_obstacle_lasts_there_is_no_end_but_the_long_one():
    ran = clock(suspensions=[Suspension("no heir known", date(2026, 8, 1))])
    assert ran.ends_on is None
    assert ran.guard_until == date(2043, 11, 24)
    assert not ran.barred_on(date(2042, 1, 1))


def test_it_warns_at_thirty_and_thirty_three_months():
    ran = clock(date(2024, 8, 31))
    assert ran.alerts == (date(2027, 2, 28), date(2027, 5, 31))
    assert ran.alerts_by(date(2027, 2, 27)) == ()
    assert ran.alerts_by(date(2027, 2, 28)) == (date(2027, 2, 28),)
    assert ran.alerts_by(date(2028, 1, 1)) == ran.alerts
    assert clock(date(2024, 8, 31), sms(date(2026, 8, 31))).alerts == (date(2029, 2, 28), date(2029, 5, 31))


def test_elsewhere_other_years_and_other_interruptions():
    demand = sms(date(2024, 5, 1))
    ran = clock(DUE, demand, rule=BRITAIN)
    assert (ran.ends_on, ran.long_stop_on) == (date(2029, 11, 24), None)
    assert ran.events[0].refused == "demand does not interrupt here"
    with pytest.raises(ValueError, match="depends on more"):
        clock(rule=PACKS["us"].rule("us-time-barred").check)


def test_the_clock_guards_the_step_in_court():
    ran = clock()

    def suit(day, **standing):
        facts = replace(
            ordinary_facts(PACKS["cn"], {}), standing=LegalStanding(limitation_ends_on=ran.guard_until, **standing)
        )
        proposal = Proposal("legal", "dunning", at(day), "c-1", manner=Manner(legal_step="suit"))
        return decide(proposal, facts, PACKS["cn"]).outcome

    assert suit(date(2026, 11, 24)) == "allow"
    assert suit(date(2026, 11, 25)) == "forbid"
    assert suit(date(2026, 11, 25), legal_approval=True) == "allow"


days = st.dates(date(2020, 1, 1), date(2026, 11, 24))
proofs = st.builds(
    Interruption,
    kind=st.sampled_from(list(Kind)),
    at=days.map(at),
    proof=st.sampled_from([None, "r"]),
    arrived=st.sampled_from([None, True, False]),
    to_point_left=st.sampled_from([None, True]),
)


@settings(max_examples=100, deadline=None)
@given(days, st.lists(proofs, max_size=6), proofs)
def test_proof_never_shortens_and_each_event_is_judged_once(due, events, one_more):
    before, after = clock(due, *events), clock(due, *events, one_more)
    assert after.ends_on >= before.ends_on
    assert len(after.events) == len(events) + 1
    assert after.ends_on <= after.long_stop_on
    proved = [each for each in after.events if each.refused is None]
    assert after.counted_from == (proved[-1].on if proved else due)
    assert [each.event.at for each in after.events] == sorted(each.event.at for each in after.events)


@settings(max_examples=200, deadline=None)
@given(st.dates(date(2000, 1, 1), date(2030, 12, 31)), st.integers(-400, 400))
def test_months_are_added_to_the_corresponding_day_or_the_last(day, months):
    later = add_months(day, months)
    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)
