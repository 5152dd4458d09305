"""The schedule is a function of facts, policy and date, never of when we last ran (L8)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.case import CaseStanding
from shared.domain.follow_up import (
    FollowUpState,
    Identity,
    OnRecord,
    Outlook,
    Plan,
    Stop,
    Timetable,
    plan,
)
from tests.domain.seeds import CALENDAR, POLICY

TIMETABLE = Timetable(POLICY, CALENDAR)
ANCHOR = date(2026, 4, 20)
LADDER = POLICY.ladder_for("standard")
START = datetime(2026, 4, 24, tzinfo=UTC)  # 08:00 in Shanghai, four days past due


def standing(at: datetime, anchor: date | None = ANCHOR, amount: int = 50_000) -> CaseStanding:
    return CaseStanding(at, anchor, {"CNY": amount} if anchor else {}, "standard")


def outlook(
    standings: list[CaseStanding],
    record: dict[Identity, OnRecord] | None = None,
    stops: tuple[Stop, ...] = (),
) -> Outlook:
    return Outlook(TIMETABLE, "Asia/Shanghai", standings, stops, record or {})


def run(standings: list[CaseStanding], looks: list[datetime], stops: tuple[Stop, ...] = ()) -> dict[Identity, str]:
    """Plan at each look, keeping the record as the scheduler would; what became of every step."""
    record: dict[Identity, OnRecord] = {}
    for now in looks:
        known = [each for each in standings if each.at <= now]
        begun = tuple(stop for stop in stops if stop.since <= now)
        made = plan(outlook(known, record, begun), now)
        for selection, _ in made.passed:
            record[(selection.step.id, selection.anchor)] = OnRecord(FollowUpState.PASSED_OVER)
        if made.issue is not None:
            record[(made.issue.step.id, made.issue.anchor)] = OnRecord(FollowUpState.ISSUED)
    return {identity: known.state.value for identity, known in record.items()}


def issued(made: Plan) -> str | None:
    return None if made.issue is None else made.issue.step.id


def test_the_first_step_is_due_on_its_day_at_its_hour() -> None:
    first = LADDER[0]
    made = plan(outlook([standing(START)]), START)
    assert made.issue is None
    assert made.coming is not None
    assert (made.coming.step.id, made.coming.at) == (first.id, datetime(2026, 4, 24, 2, tzinfo=UTC))


def test_a_late_run_issues_only_the_newest_step_and_records_each_one_it_passed_over() -> None:
    later = START + timedelta(days=14)
    made = plan(outlook([standing(START)]), later)
    steps = [step.id for step in LADDER]
    passed = [selection.step.id for selection, _ in made.passed]
    assert made.issue is not None
    assert passed
    assert {reason for _, reason in made.passed} == {"late"}
    assert steps.index(made.issue.step.id) == len(passed)


def test_a_due_that_was_followed_for_no_time_takes_no_step_from_the_next_one() -> None:
    """In the instant in which the case opens again the old due comes back and goes: money bounces, a report follows."""
    again, later = START + timedelta(days=30), ANCHOR + timedelta(days=5)
    standings = [standing(START), standing(START + timedelta(days=20), None), standing(again), standing(again, later)]
    end = again + timedelta(days=20)
    in_time = run(standings, [START + timedelta(days=day) for day in range(51)])
    late = run(standings, [end])
    on_the_later = [{step for step, anchor in steps if anchor == later} for steps in (in_time, late)]
    assert on_the_later[0] == on_the_later[1]
    assert LADDER[0].id in on_the_later[0]


def test_steps_that_were_due_before_the_case_began_are_overtaken_by_the_newest() -> None:
    born = START + timedelta(days=30)
    made = plan(outlook([standing(born)]), born)
    assert made.issue is not None
    assert made.issue.at == born
    assert {reason for _, reason in made.passed} == {"overtaken"}


def test_a_cure_before_we_ran_leaves_only_passed_over_steps() -> None:
    cured = START + timedelta(days=5)
    made = plan(outlook([standing(START), standing(cured, None)]), cured + timedelta(days=1))
    assert made.issue is None
    assert made.coming is None
    assert {reason for _, reason in made.passed} == {"moot"}


def test_a_step_done_once_is_not_repeated_because_a_part_payment_moved_the_days_past_due() -> None:
    moved = standing(START + timedelta(days=3), date(2026, 4, 23))
    looks = [START + timedelta(hours=hour) for hour in range(24 * 10)]
    done = run([standing(START), moved], looks)
    steps = [step for step, _ in done]
    assert len(steps) == len(set(steps))


def test_a_step_done_once_is_not_repeated_because_the_customer_moved_and_then_paid_a_part() -> None:
    """In the new zone its hour would have come after the payment: it was done all the same."""
    first = LADDER[0]
    paid = standing(START + timedelta(hours=3), ANCHOR + timedelta(days=30))  # an hour after the step was done
    record = {(first.id, ANCHOR): OnRecord(FollowUpState.ISSUED)}
    moved = outlook([standing(START), paid], record)._replace(zone="America/New_York")
    made = plan(moved, START + timedelta(days=40))
    steps = [selection.step.id for selection, _ in made.passed]
    assert first.id not in [*steps, made.issue.step.id if made.issue else None]


def test_after_a_cure_the_ladder_begins_again() -> None:
    cured, again = START + timedelta(days=2), START + timedelta(days=20)
    fresh = standing(again, date(2026, 5, 10))
    looks = [START + timedelta(hours=hour) for hour in range(24 * 30)]
    done = run([standing(START), standing(cured, None), fresh], looks)
    first = LADDER[0].id
    assert {(first, ANCHOR), (first, date(2026, 5, 10))} <= set(done)


def cured_and_back(hours: int = 6) -> list[CaseStanding]:
    """The payment that cured the case bounced: it is open again on the same due."""
    return [standing(START), standing(START + timedelta(hours=5), None), standing(START + timedelta(hours=hours))]


def test_a_step_slept_through_that_is_due_again_on_the_same_anchor_is_spoken_of_once() -> None:
    made = plan(outlook(cured_and_back()), START + timedelta(hours=8))
    assert issued(made) == LADDER[0].id
    assert made.passed == ()


def test_a_step_slept_through_that_comes_again_on_the_same_anchor_is_not_passed_over() -> None:
    held = Stop(START + timedelta(hours=6), START + timedelta(hours=12))
    made = plan(outlook(cured_and_back(), stops=(held,)), START + timedelta(hours=8))
    assert made.coming is not None
    assert (made.coming.step.id, made.issue, made.passed) == (LADDER[0].id, None, ())


def test_a_hold_moves_what_falls_into_it_to_its_end_and_an_open_hold_stops_all() -> None:
    end = START + timedelta(days=5)
    made = plan(outlook([standing(START)], stops=(Stop(START, end),)), START + timedelta(hours=1))
    assert made.coming is not None
    assert made.coming.at == end
    endless = plan(outlook([standing(START)], stops=(Stop(START, None),)), START + timedelta(days=90))
    assert (endless.issue, endless.passed, endless.coming) == (None, (), None)


def test_a_deferral_by_a_person_is_kept() -> None:
    until = START + timedelta(days=2)
    record = {(LADDER[0].id, ANCHOR): OnRecord(FollowUpState.DEFERRED, until)}
    assert issued(plan(outlook([standing(START)], record), START + timedelta(days=1))) is None
    assert issued(plan(outlook([standing(START)], record), until)) == LADDER[0].id


def test_a_cancelled_step_stays_cancelled() -> None:
    record = {(LADDER[0].id, ANCHOR): OnRecord(FollowUpState.CANCELLED)}
    made = plan(outlook([standing(START)], record), START + timedelta(hours=12))
    assert (made.issue, made.passed) == (None, ())


def test_after_a_cancelled_step_the_one_behind_it_comes() -> None:
    record = {(LADDER[0].id, ANCHOR): OnRecord(FollowUpState.CANCELLED)}
    made = plan(outlook([standing(START)], record), START)
    assert made.coming is not None
    assert made.coming.step.id == LADDER[1].id


def test_a_business_day_step_in_a_year_without_a_calendar_waits_instead_of_guessing() -> None:
    business = [step.id for step in LADDER if step.day_kind == "business"]
    assert business, "the seed has business-day steps"
    anchor = date(2026, 12, 28)
    assert set(TIMETABLE.unannounced("standard", anchor)) <= set(business)
    assert TIMETABLE.unannounced("standard", anchor)


amounts = st.integers(1, 10**7)
histories = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from([None, 0, 30, 61, 92]), amounts), min_size=0, max_size=6
)


def standings_of(history: list[tuple[int, int | None, int]]) -> list[CaseStanding]:
    at, result = START, [standing(START)]
    for days, shift, amount in history:
        at += timedelta(days=days)
        anchor = None if shift is None else ANCHOR + timedelta(days=shift)
        if anchor is not None and anchor > at.date() - timedelta(days=4):
            anchor = None
        result.append(standing(at, anchor, amount))
    return result


@given(history=histories, sleeps=st.sets(st.integers(0, 150)), stop=st.none() | st.tuples(st.integers(0, 60), amounts))
def test_sleeping_changes_nothing_but_which_steps_were_passed_over(
    history: list[tuple[int, int | None, int]], sleeps: set[int], stop: tuple[int, int] | None
) -> None:
    standings = standings_of(history)
    begin = START + timedelta(days=stop[0]) if stop else START
    stops = (Stop(begin, begin + timedelta(days=1 + stop[1] % 20)),) if stop else ()
    end = START + timedelta(days=160)
    hourly = [START + timedelta(hours=hour) for hour in range(24 * 160)]
    instants = sorted({each.at for each in standings} | {s.until for s in stops if s.until} | set(hourly[::12]))
    awake = run(standings, [*instants, end], stops)
    asleep = run(standings, [*(now for now in instants if (now - START).days not in sleeps), end], stops)
    assert set(awake) == set(asleep)
    done_late = {identity for identity, state in asleep.items() if state == "issued"}
    done_in_time = {identity for identity, state in awake.items() if state == "issued"}
    assert done_late <= done_in_time


@given(history=histories, day=st.integers(0, 200))
def test_planning_twice_at_the_same_instant_does_nothing_the_second_time(
    history: list[tuple[int, int | None, int]], day: int
) -> None:
    standings = [each for each in standings_of(history) if each.at <= START + timedelta(days=day)]
    now = START + timedelta(days=day)
    first = plan(outlook(standings), now)
    record = {(s.step.id, s.anchor): OnRecord(FollowUpState.PASSED_OVER) for s, _ in first.passed}
    if first.issue is not None:
        record[(first.issue.step.id, first.issue.anchor)] = OnRecord(FollowUpState.ISSUED)
    second = plan(outlook(standings, record), now)
    assert (second.issue, second.passed, second.coming) == (None, (), first.coming)
