"""A case opens beyond the grace, cures, closes, re-opens; buckets roll by the calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import NOTHING_SINCE, Account, AccountStatus, Due, MoneySince, restand, stand
from shared.domain.case import Case, CaseState, Judgement, Subject, judge
from shared.domain.delinquency import bucket_entries, bucket_on, days_past_due, next_roll
from tests.domain.seeds import POLICY
from tests.domain.test_account import account

DUE = date(2026, 4, 20)


def at(day: date, hour: int = 10) -> datetime:
    """Ten in the morning in Shanghai."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC) - timedelta(hours=8)


def owing(unpaid: int = 50_000, due: date = DUE, **changes: object) -> Account:
    dues = (Due(due, unpaid, unpaid),) if unpaid else ()
    return account(reported_dues=dues, standing=stand(dues, NOTHING_SINCE), **changes)


def looked_at(
    *accounts: Account, on: datetime, case: Case | None = None, before: Judgement | None = None, opened: int = 0
) -> Judgement:
    case = before.case if before is not None else case
    standing = before.standing if before is not None else None
    opened = max(opened, case.ordinal if case is not None else 0)
    subject = Subject("C1", "standard", "Asia/Shanghai", accounts, case, standing, opened)
    return judge(subject, POLICY, on, "test")


def test_within_the_grace_there_is_no_case_and_the_clock_is_set_for_its_end() -> None:
    judgement = looked_at(owing(), on=at(DUE + timedelta(days=3)))
    assert judgement.case is None
    assert list(judgement.rolls.values()) == [at(DUE + timedelta(days=4), hour=0)]


def test_after_the_grace_the_case_opens_and_the_count_starts_at_the_due_date() -> None:
    day = DUE + timedelta(days=4)
    judgement = looked_at(owing(), on=at(day))
    assert judgement.case is not None
    assert (judgement.case.state, judgement.case.bucket) == (CaseState.OPEN, "M1")
    assert days_past_due(DUE, day, POLICY.grace.days) == 4
    assert {news.type for news in judgement.announcements} == {
        "arrears.account.delinquent.v1",
        "arrears.case.opened.v1",
    }


def test_a_missing_amount_within_the_tolerance_is_as_good_as_paid() -> None:
    assert looked_at(owing(1_000), on=at(DUE + timedelta(days=60))).case is None
    assert looked_at(owing(1_001), on=at(DUE + timedelta(days=60))).case is not None


def test_one_case_gathers_all_accounts_and_takes_the_worst_bucket() -> None:
    first, second = owing(), owing(account_id="A2", due=date(2026, 2, 20))
    judgement = looked_at(first, second, on=at(DUE + timedelta(days=5)))
    assert judgement.case is not None
    assert judgement.case.bucket == "M3"
    assert judgement.standing is not None
    assert judgement.standing.anchor == date(2026, 2, 20)
    assert judgement.standing.past_due == {"CNY": 100_000}


def test_currencies_are_never_added_up() -> None:
    judgement = looked_at(owing(), owing(account_id="A2", currency="USD"), on=at(DUE + timedelta(days=5)))
    assert judgement.standing is not None
    assert judgement.standing.past_due == {"CNY": 50_000, "USD": 50_000}


def test_paying_cures_the_case_and_leaves_nothing_to_follow() -> None:
    opened = looked_at(owing(), on=at(DUE + timedelta(days=5)))
    paid = restand(opened.accounts[0], MoneySince(paid=50_000))
    cured = looked_at(paid, on=at(DUE + timedelta(days=6)), before=opened)
    assert cured.case is not None
    assert cured.case.state is CaseState.CURED
    assert cured.standing is not None
    assert cured.standing.anchor is None


def test_trouble_soon_after_a_cure_reopens_the_same_case_later_trouble_opens_a_new_one() -> None:
    opened = looked_at(owing(), on=at(DUE + timedelta(days=5)))
    paid = restand(opened.accounts[0], MoneySince(paid=50_000))
    cured = looked_at(paid, on=at(DUE + timedelta(days=6)), before=opened)
    late = owing(due=date(2026, 5, 1))
    soon = looked_at(late, on=at(DUE + timedelta(days=30)), before=cured)
    later = looked_at(late, on=at(DUE + timedelta(days=40)), before=cured)
    assert soon.case is not None
    assert later.case is not None
    assert (soon.case.case_id == cured.case.case_id, soon.case.reopenings) == (True, 1)  # type: ignore[union-attr]
    assert (later.case.ordinal, later.case.reopenings) == (2, 0)


def test_when_the_last_account_closes_so_does_the_case() -> None:
    opened = looked_at(owing(), on=at(DUE + timedelta(days=5)))
    gone = opened.accounts[0]._replace(status=AccountStatus.CLOSED)
    closed = looked_at(gone, on=at(DUE + timedelta(days=6)), before=opened)
    assert closed.case is not None
    assert closed.case.state is CaseState.CLOSED


def test_a_charged_off_account_is_followed_on_as_recovery() -> None:
    opened = looked_at(owing(), on=at(DUE + timedelta(days=5)))
    written_off = opened.accounts[0]._replace(status=AccountStatus.CHARGED_OFF)
    judgement = looked_at(written_off, on=at(DUE + timedelta(days=200)), before=opened)
    assert judgement.case is not None
    assert (judgement.case.state, judgement.case.bucket) == (CaseState.OPEN, "M7+")


def test_judging_again_changes_nothing() -> None:
    once = looked_at(owing(), on=at(DUE + timedelta(days=5)))
    again = looked_at(once.accounts[0], on=at(DUE + timedelta(days=5)), before=once)
    assert (again.announcements, again.events, again.buckets, again.standing) == ((), (), (), None)


@pytest.mark.parametrize(("days", "bucket"), [(3, "M0"), (4, "M1"), (30, "M1"), (31, "M2"), (91, "M4"), (181, "M7+")])
def test_buckets_by_days_past_due(days: int, bucket: str) -> None:
    assert bucket_on(owing(), POLICY, DUE + timedelta(days=days)) == bucket


@given(looks=st.lists(st.integers(0, 250), min_size=1, max_size=30).map(sorted))
def test_however_seldom_we_look_the_bucket_history_is_the_same(looks: list[int]) -> None:
    def history(days: list[int]) -> list[tuple[str, date]]:
        current, lines = owing(), []
        for day in days:
            for entry in bucket_entries(current, POLICY, DUE + timedelta(days=day)):
                lines.append((entry.bucket, entry.entered_on))
                current = current._replace(bucket=entry.bucket, bucket_since=entry.entered_on)
        return lines

    every_day = [line for line in history(list(range(looks[-1] + 1))) if line]
    assert history(looks)[-1:] == every_day[-1:]
    if len(history(looks)) > 1:
        assert history(looks)[1:] == every_day[len(every_day) - len(history(looks)) + 1 :]


@given(day=st.integers(0, 400))
def test_the_next_roll_is_the_first_day_on_which_the_bucket_differs(day: int) -> None:
    today = DUE + timedelta(days=day)
    roll, now = next_roll(owing(), POLICY, today), bucket_on(owing(), POLICY, today)
    if roll is None:
        assert now == "M7+"
    else:
        assert bucket_on(owing(), POLICY, roll) != now
        assert bucket_on(owing(), POLICY, roll - timedelta(days=1)) == now
