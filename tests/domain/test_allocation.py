"""Which part of the debt a payment covers, and what a late fact changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.account import Due
from shared.domain.allocation import AllocationRules, Replayed, replay
from shared.domain.allocation_entries import (
    ChargeOffEntry,
    ConflictingEntries,
    DisputeEndEntry,
    DisputeEntry,
    Entry,
    Part,
    PaymentEntry,
    ReversalEntry,
    SnapshotEntry,
    snapshot_of,
)
from shared.domain.allocation_scheme import AllocationScheme, parse_allocation, scheme_of
from shared.domain.document import DocumentError
from shared.domain.policy import Grace
from tests.domain.seeds import POLICY, load
from tests.domain.test_account import account

SCHEME = scheme_of(POLICY)
RULES = AllocationRules(SCHEME, POLICY.grace, "CNY", "Asia/Shanghai")
AUGUST = date(2026, 8, 25)
CUTOFF = datetime(2026, 11, 1, tzinfo=UTC)
SNAPSHOT = SnapshotEntry(
    sequence=1,
    cutoff_at=CUTOFF,
    parts=(Part("principal", 500_000), Part("interest", 30_000), Part("fees", 2_000), Part("penalty", 8_000)),
    dues=(Due(AUGUST, 50_000, 50_000), Due(date(2026, 9, 25), 52_000, 52_000)),
)


def paid(name: str, amount: int, on: date, *, days_later: int = 0) -> PaymentEntry:
    posted_at = datetime.combine(on, datetime.min.time(), UTC) + timedelta(days=days_later, hours=4)
    return PaymentEntry("core", name, amount, on, posted_at)


def reversed_(name: str, payment: str, amount: int, at: datetime) -> ReversalEntry:
    return ReversalEntry("core", name, payment, amount, at)


def shares(result: Replayed, entry: str) -> list[tuple[str, dict[str, int], int]]:
    """(kind, what by component, credit) of each line of a payment."""
    return [
        (line.kind, {share.component: share.amount for share in line.shares}, line.to_credit)
        for line in result.lines
        if line.entry == ("core", entry)
    ]


@pytest.mark.parametrize(
    ("posted_on", "dpd", "covered"),
    [
        (date(2026, 11, 23), 90, {"interest": 30_000, "fees": 2_000, "penalty": 8_000, "principal": 60_000}),
        (date(2026, 11, 24), 91, {"principal": 100_000}),
    ],
)
def test_scenario_17_interest_and_fees_come_first_to_the_90th_day_and_principal_from_the_91st(
    posted_on: date, dpd: int, covered: dict[str, int]
) -> None:
    result = replay([SNAPSHOT, paid("p1", 100_000, posted_on)], RULES)
    assert shares(result, "p1") == [("payment", covered, 0)]
    assert result.lines[0].dpd == dpd
    assert result.owed == 440_000


def test_a_payment_that_covers_the_oldest_due_brings_the_next_one_back_below_the_switch() -> None:
    first, second = paid("p1", 50_000, date(2026, 11, 24)), paid("p2", 10_000, date(2026, 11, 24), days_later=0)
    result = replay([SNAPSHOT, first, second], RULES)
    assert shares(result, "p1") == [("payment", {"principal": 50_000}, 0)]
    assert shares(result, "p2") == [("payment", {"interest": 10_000}, 0)], "60 days past due: the September minimum"


def test_a_payment_the_snapshot_has_inside_is_not_counted_twice() -> None:
    result = replay([SNAPSHOT, paid("p1", 100_000, date(2026, 10, 20))], RULES)
    assert (result.owed, result.estimated, result.unallocated) == (540_000, False, (("core", "p1"),))


def test_the_next_snapshot_wins_and_says_by_how_much_we_were_off() -> None:
    later = replace(SNAPSHOT, sequence=2, cutoff_at=CUTOFF + timedelta(days=30), parts=(Part("principal", 455_000),))
    result = replay([SNAPSHOT, paid("p1", 100_000, date(2026, 11, 20)), later], RULES)
    assert [(p.opening, p.paid, p.closing, p.drift) for p in result.periods] == [
        (540_000, 100_000, 440_000, 15_000),
        (455_000, 0, 455_000, None),
    ]
    assert (result.owed, result.estimated) == (455_000, False)
    assert len(shares(result, "p1")) == 1, "what the payment covered stays on record"


def test_a_back_dated_payment_replays_what_came_after_it() -> None:
    """Posted in December for November 10th: the payment of the 24th then meets 60 days past due instead of 91."""
    dear = replace(SNAPSHOT, parts=(Part("principal", 500_000), Part("interest", 80_000)))
    later = paid("late", 40_000, date(2026, 11, 24))
    assert shares(replay([dear, later], RULES), "late") == [("payment", {"principal": 40_000}, 0)]
    back_dated = paid("early", 50_000, date(2026, 11, 10), days_later=22)
    result = replay([dear, later, back_dated], RULES)
    assert shares(result, "early") == [("payment", {"interest": 50_000}, 0)]
    assert shares(result, "late") == [("payment", {"interest": 30_000, "principal": 10_000}, 0)]
    assert (result.past_due, result.oldest_due) == (12_000, date(2026, 9, 25))


def test_a_payment_that_came_back_is_as_if_it_had_never_come_and_what_followed_moves_up() -> None:
    bounced, later = paid("p1", 40_000, date(2026, 11, 10)), paid("p2", 40_000, date(2026, 11, 12))
    gone = reversed_("r1", "p1", 40_000, datetime(2026, 11, 15, tzinfo=UTC))
    result = replay([SNAPSHOT, bounced, later, gone], RULES)
    assert shares(result, "p1") == [("payment", {}, 0)]
    assert result.lines[0].came_back == 40_000
    assert shares(result, "p2") == [("payment", {"interest": 30_000, "fees": 2_000, "penalty": 8_000}, 0)]
    before = replay([SNAPSHOT, bounced, later, gone], RULES, as_of=datetime(2026, 11, 14, tzinfo=UTC))
    assert before.owed == 460_000, "asked as of the day before, the payment was still there"


def test_what_a_snapshot_has_inside_comes_back_to_the_parts_it_had_covered() -> None:
    later = replace(
        SNAPSHOT, sequence=2, cutoff_at=CUTOFF + timedelta(days=30), parts=(Part("principal", 480_000),), dues=()
    )
    bounced = paid("p1", 60_000, date(2026, 11, 10))
    gone = reversed_("r1", "p1", 50_000, datetime(2026, 12, 5, tzinfo=UTC))
    result = replay([later, gone, bounced, SNAPSHOT], RULES)
    assert shares(result, "p1")[1] == (
        "given_back",
        {"principal": 20_000, "penalty": 8_000, "fees": 2_000} | {"interest": 20_000},
        0,
    )
    assert (result.owed, result.past_due, result.oldest_due) == (530_000, 50_000, date(2026, 12, 5))


def test_a_reversal_waits_for_its_payment_and_the_end_is_the_same() -> None:
    payment, gone = paid("p1", 40_000, date(2026, 11, 10)), reversed_("r1", "p1", 15_000, CUTOFF + timedelta(days=14))
    assert replay([SNAPSHOT, gone], RULES).waiting == (("core", "r1"),)
    result = replay([gone, payment, SNAPSHOT], RULES)
    assert (result.owed, result.waiting) == (515_000, ())


def test_more_than_is_owed_becomes_credit_and_covers_what_comes_back() -> None:
    small = replace(SNAPSHOT, parts=(Part("principal", 10_000),), dues=())
    inside, over = paid("p0", 9_000, date(2026, 10, 1)), paid("p1", 15_000, date(2026, 11, 10))
    assert replay([small, over], RULES).credit == 5_000
    result = replay([small, inside, over, reversed_("r", "p0", 9_000, CUTOFF + timedelta(days=20))], RULES)
    assert [line.kind for line in result.lines] == ["payment", "given_back", "credit_used"]
    assert (result.credit, result.owed) == (0, 4_000)


def test_what_is_disputed_is_left_out_until_the_dispute_is_over() -> None:
    small = replace(SNAPSHOT, parts=(Part("principal", 10_000), Part("fees", 3_000)), dues=())
    dispute = DisputeEntry("d1", "fees", 2_500, CUTOFF + timedelta(days=1))
    payment = paid("p1", 12_000, date(2026, 11, 10))
    open_ = replay([small, dispute, payment], RULES)
    assert shares(open_, "p1") == [("payment", {"fees": 500, "principal": 10_000}, 1_500)]
    assert (open_.owed, open_.payable, open_.credit) == (2_500, 0, 1_500)
    over = replay([small, dispute, payment, DisputeEndEntry("d1", CUTOFF + timedelta(days=20))], RULES)
    assert (over.owed, over.payable, over.credit) == (1_000, 1_000, 0)


def test_a_dispute_lasts_over_the_next_snapshot() -> None:
    dispute = DisputeEntry("d1", "fees", 2_000, CUTOFF + timedelta(days=1))
    later = replace(SNAPSHOT, sequence=2, cutoff_at=CUTOFF + timedelta(days=10))
    result = replay([SNAPSHOT, dispute, later, paid("p1", 40_000, date(2026, 11, 20))], RULES)
    assert shares(result, "p1") == [("payment", {"interest": 30_000, "penalty": 8_000, "principal": 2_000}, 0)]


def test_what_stands_on_a_statement_comes_before_what_does_not() -> None:
    parts = (Part("principal", 1_000), Part("principal", 4_000, billed=False), Part("interest", 300, billed=False))
    bills = replace(SNAPSHOT, parts=parts, dues=())
    result = replay([bills, paid("p1", 1_200, date(2026, 11, 10))], RULES)
    assert [(s.component, s.billed, s.amount) for s in result.lines[0].shares] == [
        ("principal", True, 1_000),
        ("interest", False, 200),
    ]
    by_component = replace(RULES, scheme=replace(SCHEME, billed_first=False))
    result = replay([bills, paid("p1", 1_200, date(2026, 11, 10))], by_component)
    assert [(s.component, s.billed, s.amount) for s in result.lines[0].shares] == [
        ("interest", False, 300),
        ("principal", True, 900),
    ]


def test_after_the_charge_off_money_is_recovery() -> None:
    off = ChargeOffEntry(CUTOFF + timedelta(days=9))
    entries: list[Entry] = [
        SNAPSHOT,
        off,
        paid("before", 1_000, date(2026, 11, 5)),
        paid("p1", 700, date(2026, 11, 12)),
    ]
    result = replay(entries, RULES)
    assert [(line.entry[1], line.recovery) for line in result.lines] == [("before", False), ("p1", True)]
    assert shares(result, "p1") == [("payment", {"principal": 700}, 0)], "79 days past due, but charged off"
    assert (result.charged_off, result.recovered) == (True, 700)
    assert replay([*entries, reversed_("r", "p1", 200, CUTOFF + timedelta(days=20))], RULES).recovered == 500


def test_a_corrected_report_with_an_earlier_cut_off_replaces_the_one_it_corrects() -> None:
    wrong = replace(SNAPSHOT, sequence=2, cutoff_at=CUTOFF + timedelta(days=5), parts=(Part("principal", 1),))
    right = replace(SNAPSHOT, sequence=3, cutoff_at=CUTOFF + timedelta(days=4), parts=(Part("principal", 9_000),))
    result = replay([wrong, right, SNAPSHOT, paid("p1", 1_000, date(2026, 11, 5))], RULES)
    assert [period.sequence for period in result.periods] == [1, 3]
    assert result.owed == 8_000
    same_cutoff = replace(right, sequence=4, parts=(Part("principal", 9_500),))
    result = replay([same_cutoff, right, SNAPSHOT, paid("p1", 1_000, date(2026, 11, 5))], RULES)
    assert ([period.sequence for period in result.periods], result.owed) == ([1, 4], 8_500)


def test_without_a_report_nothing_is_covered_and_nothing_lost() -> None:
    result = replay([paid("p1", 700, date(2026, 11, 12))], RULES)
    assert (result.owed, result.sequence, result.unallocated) == (0, None, (("core", "p1"),))


def test_the_same_fact_twice_is_one_and_with_other_content_an_error() -> None:
    payment = paid("p1", 700, date(2026, 11, 12))
    assert replay([SNAPSHOT, payment, replace(payment)], RULES) == replay([SNAPSHOT, payment], RULES)
    with pytest.raises(ConflictingEntries, match="payment core p1 was told twice"):
        replay([SNAPSHOT, payment, replace(payment, amount=701)], RULES)


def test_a_part_that_the_issuer_does_not_order_is_an_error_and_no_guess() -> None:
    strange = replace(SNAPSHOT, parts=(Part("insurance", 100),))
    with pytest.raises(ValueError, match="no place for 'insurance'"):
        replay([strange], RULES)


def test_the_policys_order_lays_the_four_parts_that_core_banking_reports() -> None:
    entry = snapshot_of(account())
    assert entry.parts == (Part("principal", 5000), Part("interest", 100), Part("fees", 0), Part("penalty", 50))
    assert SCHEME.order_at(91) == SCHEME.recovery == POLICY.allocation[-1].order
    assert replay([entry], RULES).by_component() == {"principal": 5000, "interest": 100, "penalty": 50}


ISSUERS = parse_allocation(load("policies/allocation/cn.yaml"))
ALL_PARTS = {"annual_fee": 300, "cash_fee": 200, "penalty": 400, "fees": 100, "interest": 500, "principal": 9_000}


@pytest.mark.parametrize(
    ("issuer", "dpd", "order"),
    [
        ("guangfa", 90, ["annual_fee", "cash_fee", "penalty", "fees", "interest", "principal"]),
        ("guangfa", 91, ["principal", "annual_fee", "cash_fee", "penalty", "fees", "interest"]),
        ("bohai", 90, ["interest", "penalty", "fees", "principal"]),
        ("bohai", 91, ["principal", "penalty", "fees", "interest"]),
    ],
)
def test_an_issuers_own_order_inside_the_groups_is_data(issuer: str, dpd: int, order: list[str]) -> None:
    scheme = ISSUERS[issuer]
    parts = tuple(Part(name, amount) for name, amount in ALL_PARTS.items() if name in scheme.components)
    snapshot = SnapshotEntry(1, CUTOFF, parts, (Due(AUGUST, 50, 50),))
    payment = paid("p1", sum(part.amount for part in parts), AUGUST + timedelta(days=dpd))
    result = replay([snapshot, payment], replace(RULES, scheme=scheme, grace=Grace(3, {})))
    assert [share.component for share in result.lines[0].shares] == order
    assert result.owed == 0


def edited(**changes: object) -> dict[str, object]:
    issuer = {
        "issuer": "x",
        "components": ["interest", "principal"],
        "orders": [{"till_dpd": 90, "order": ["interest", "principal"]}, {"order": ["principal", "interest"]}],
        "recovery": ["principal", "interest"],
        "verified": True,
        "source": "its terms",
    }
    return {"name": "t", "version": 1, "issuers": [issuer | changes]}


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (edited(components=[]), r"allocation\.issuers\[0\]\.components: names no component"),
        (edited(recovery=["principal"]), r"issuers\[0\]\.recovery: must order all of interest, principal"),
        (edited(orders=[{"order": ["interest"]}]), r"issuers\[0\]\.orders\[0\]\.order: must order all"),
        (edited(orders=[{"till_dpd": 90, "order": ["interest", "principal"]}]), r"orders: needs till_dpd on every"),
        (edited(orders=[{"order": ["fees", "principal"]}]), r"orders\[0\]\.order: 'fees' is not one of"),
        (edited(verified="yes"), r"issuers\[0\]\.verified: must be true or false"),
        (edited(sauce="x"), r"issuers\[0\]\.sauce: is not a known key"),
        ({"name": "t", "version": 1, "issuers": []}, r"allocation\.issuers: needs issuers"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_its_place(document: dict[str, object], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        parse_allocation(document)


def test_a_scheme_is_a_value() -> None:
    assert parse_allocation(edited()) == parse_allocation(edited())
    assert isinstance(parse_allocation(edited())["x"], AllocationScheme)
