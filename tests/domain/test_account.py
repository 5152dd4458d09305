"""Where an account stands: the last report, and the money that moved since."""

from __future__ import annotations

from datetime import UTC, date, datetime

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.account import (
    NOTHING_SINCE,
    Account,
    Balances,
    Due,
    MoneySince,
    covered_by,
    restand,
    stand,
)

APRIL, MAY = date(2026, 4, 20), date(2026, 5, 20)
TWO_DUES = (Due(APRIL, 1000, 600), Due(MAY, 1000, 1000))
CUTOFF = datetime(2026, 5, 24, 18, tzinfo=UTC)

dues = st.lists(st.integers(1, 10_000), min_size=0, max_size=8).map(
    lambda unpaid: tuple(Due(date(2026, 1 + index, 20), amount, amount) for index, amount in enumerate(unpaid))
)


def account(**changes: object) -> Account:
    fields = {
        "account_id": "A1",
        "currency": "CNY",
        "customer_id": "C1",
        "product": "credit-card",
        "card_last4": "1234",
        "credit_limit": 100_000,
        "sequence": 1,
        "cutoff_at": CUTOFF,
        "balances": Balances(5000, 100, 0, 50),
        "reported_dues": TWO_DUES,
        "standing": stand(TWO_DUES, NOTHING_SINCE),
    }
    return Account(**(fields | changes))  # type: ignore[arg-type]


def test_without_later_money_the_report_stands_as_it_is() -> None:
    standing = stand(TWO_DUES, NOTHING_SINCE)
    assert (standing.past_due, standing.oldest_due, standing.estimated) == (1600, APRIL, False)


def test_a_payment_covers_the_oldest_due_first_and_makes_the_standing_an_estimate() -> None:
    standing = stand(TWO_DUES, MoneySince(paid=900))
    assert [due.unpaid for due in standing.dues] == [0, 700]
    assert (standing.oldest_due, standing.estimated) == (MAY, True)


def test_a_part_payment_does_not_move_the_oldest_due() -> None:
    assert stand(TWO_DUES, MoneySince(paid=599)).oldest_due == APRIL


def test_paying_more_than_is_due_leaves_nothing_past_due() -> None:
    standing = stand(TWO_DUES, MoneySince(paid=5000))
    assert (standing.past_due, standing.oldest_due) == (0, None)


def test_a_reversal_of_a_payment_inside_the_report_comes_back_on_the_newest_due() -> None:
    standing = stand(TWO_DUES, MoneySince(given_back=500, given_back_on=date(2026, 5, 26)))
    assert [due.unpaid for due in standing.dues] == [600, 1500]
    assert standing.dues[-1].minimum_due >= standing.dues[-1].unpaid


def test_a_reversal_on_a_current_account_makes_a_due_of_its_own_day() -> None:
    standing = stand((), MoneySince(given_back=500, given_back_on=date(2026, 5, 26)))
    assert standing.oldest_due == date(2026, 5, 26)


def test_an_account_that_nothing_happened_to_is_the_same_object() -> None:
    before = account()
    assert restand(before, NOTHING_SINCE) is before


def test_what_a_payment_covered_is_told_by_due() -> None:
    before, after = stand(TWO_DUES, NOTHING_SINCE), stand(TWO_DUES, MoneySince(paid=700))
    assert covered_by(before, after) == {APRIL: 600, MAY: 100}


@given(dues=dues, paid=st.integers(0, 100_000))
def test_no_cent_is_made_or_lost(dues: tuple[Due, ...], paid: int) -> None:
    before, after = stand(dues, NOTHING_SINCE), stand(dues, MoneySince(paid=paid))
    assert before.past_due - after.past_due == min(paid, before.past_due)
    assert after.past_due == sum(due.unpaid for due in after.dues)
    assert sum(covered_by(before, after).values()) == min(paid, before.past_due)


@given(dues=dues, paid=st.integers(0, 50_000), more=st.integers(0, 50_000))
def test_more_payment_never_means_a_worse_standing(dues: tuple[Due, ...], paid: int, more: int) -> None:
    less, plenty = stand(dues, MoneySince(paid=paid)), stand(dues, MoneySince(paid=paid + more))
    assert plenty.past_due <= less.past_due
    assert (plenty.oldest_due or date.max) >= (less.oldest_due or date.max)


@given(dues=dues)
def test_dues_are_covered_strictly_oldest_first(dues: tuple[Due, ...]) -> None:
    standing = stand(dues, MoneySince(paid=sum(due.unpaid for due in dues) // 2))
    seen_unpaid = False
    for due in standing.dues:
        assert not (seen_unpaid and due.unpaid < due.minimum_due), "a newer due was paid before an older one"
        seen_unpaid = seen_unpaid or due.unpaid > 0
