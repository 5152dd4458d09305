"""What a household can pay, and which plans fit: against every plan there is, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.affordability import RELIEF, Affordability, Route, affordable
from shared.domain.affordability_words import LANGUAGES, explain
from shared.domain.document import DocumentError
from shared.domain.household import Budget, Item, Span, Statement, StatementError, budget_of, parse_guide
from shared.domain.outcome import Refused
from shared.domain.plan_dates import pay_day_rule
from shared.domain.plan_quote import Quote, quote
from shared.domain.plan_schedule import Charges
from shared.domain.plan_terms import Offer, PlanKind, PlanPolicy, Terms
from tests.domain.agreements import PLANS, RECKONED_AT, TODAY, debt
from tests.domain.seeds import CALENDAR, load

DOCUMENT = load("policies/affordability/cn.yaml")
GUIDE = parse_guide(DOCUMENT)
LIVING = tuple(Item(kind, figure.adult) for kind, figure in GUIDE.flexible.items())
ALONE = Statement(
    adults=1,
    children=0,
    incomes=(Item("wages", 600_000),),
    fixed=(Item("housing", 200_000),),
    flexible=LIVING,
    pay_day=15,
)
PER_HEAD = sum(figure.adult for figure in GUIDE.flexible.values())


def budget(available: int, pay_day: int = 15, currency: str = "CNY") -> Budget:
    return Budget(currency, available, 0, 0, 0, pay_day, ())


def solve(owed: int, available: int, policy: PlanPolicy = PLANS, pay_day: int = 15) -> Affordability:
    return affordable("C1", (debt(owed),), budget(available, pay_day), policy, CALENDAR, RECKONED_AT, TODAY)


# The household


def test_what_is_left_is_income_less_costs_and_a_reserve() -> None:
    made = budget_of(ALONE, GUIDE)
    assert (made.income, made.fixed, made.flexible, made.reserve) == (600_000, 200_000, PER_HEAD, 30_000)
    assert (made.available, made.findings) == (600_000 - 200_000 - PER_HEAD - 30_000, ())
    poor = budget_of(replace(ALONE, incomes=(Item("pension", 150_000),)), GUIDE)
    assert (poor.reserve, poor.available < 0) == (20_000, True)


def test_the_guide_is_that_of_a_head_of_the_population() -> None:
    """28,227 yuan a year less what is counted as stated: housing (6,263)."""
    assert abs(PER_HEAD * 12 - (2_822_700 - 626_300)) <= 12 * 7


def test_other_spans_become_months_to_the_careful_side() -> None:
    weekly = replace(ALONE, incomes=(Item("wages", 100_001, Span.WEEK),), fixed=(Item("housing", 100_001, Span.YEAR),))
    made = budget_of(weekly, GUIDE)
    assert (made.income, made.fixed) == (433_337, 8_334)
    twice = replace(ALONE, incomes=(Item("wages", 100), Item("wages", 1_200, Span.QUARTER), Item("pension", 7)))
    assert budget_of(twice, GUIDE).income == 507


def test_what_does_not_come_month_by_month_counts_in_part() -> None:
    made = budget_of(replace(ALONE, incomes=(Item("business", 500_000),)), GUIDE)
    (finding,) = made.findings
    assert (made.income, finding.code, finding.counted) == (350_000, "counted_in_part", 350_000)


@pytest.mark.parametrize(
    ("stated", "explained", "counted", "code"),
    [
        (70_092, False, 70_092, None),
        (84_110, False, 84_110, None),  # a fifth over the guide
        (84_111, False, 84_110, "above_guide"),
        (200_000, True, 200_000, None),
        (35_046, False, 35_046, None),
        (35_045, False, 35_046, "below_floor"),
        (0, True, 0, None),  # eats where they work
    ],
)
def test_flexible_costs_are_held_against_the_guide(
    stated: int, explained: bool, counted: int, code: str | None
) -> None:
    flexible = tuple(replace(each, amount=stated) if each.kind == "food" else each for each in LIVING)
    said = replace(ALONE, flexible=flexible, explained=frozenset({"food"} if explained else set()))
    made = budget_of(said, GUIDE)
    assert made.flexible == PER_HEAD - 70_092 + counted
    assert [finding.code for finding in made.findings] == ([code] if code else [])


def test_what_was_not_stated_is_needed_all_the_same() -> None:
    made = budget_of(replace(ALONE, flexible=()), GUIDE)
    assert made.flexible == sum(figure.adult // 2 for figure in GUIDE.flexible.values())
    family = budget_of(replace(ALONE, flexible=(), adults=2, children=2), GUIDE)
    assert family.flexible > 3 * made.flexible


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"adults": 0}, "has an adult"),
        ({"children": -1}, "no fewer"),
        ({"pay_day": 32}, "no 32th"),
        ({"incomes": (Item("lottery", 1),)}, "'lottery' is not one of wages"),
        ({"fixed": (Item("housing", -1),)}, "housing is a negative amount"),
    ],
)
def test_a_statement_that_makes_no_sense_is_refused(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(StatementError, match=problem):
        budget_of(replace(ALONE, **changes), GUIDE)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"currency": "RMB"}, r"affordability\.currency: 'RMB' is not one of"),
        ({"incomes": []}, r"affordability\.incomes: names no kind"),
        ({"incomes": [{"kind": "wages", "counted_bps": 10_001}]}, r"incomes\[0\]\.counted_bps: must be between"),
        ({"flexible": [{"kind": "food", "adult": 1.5, "child": 1}]}, r"flexible\[0\]\.adult: must be a whole number"),
        ({"flexible": [{"kind": "food", "adult": 1, "child": 1}] * 2}, r"flexible\[1\]\.kind: 'food' is there twice"),
        ({"reserve": 1}, r"affordability\.reserve: is not a known key"),
    ],
)
def test_a_guide_that_makes_no_sense_is_refused_with_its_place(changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(DocumentError, match=problem):
        parse_guide(DOCUMENT | changes)


# The plans


def largest(made: Quote) -> int:
    return max(each.amount for each in made.schedules[0].instalments)


def test_three_ways_to_choose_an_ordinary_plan_on_the_day_after_pay_day() -> None:
    found = solve(2_400_000, 150_000)
    assert (found.route, found.proofs) == (Route.ORDINARY, ())
    assert found.options is not None
    counts = [len(each.schedules[0].instalments) for each in vars_of(found)]
    assert counts == [24, 18, 18]
    assert all(largest(each) <= 150_000 for each in vars_of(found))
    assert {each.nominal_on.day for each in found.options.least_cost.schedules[0].instalments} == {16}


def vars_of(found: Affordability) -> list[Quote]:
    assert found.options is not None
    return [found.options.lowest_instalment, found.options.shortest_term, found.options.least_cost]


def test_a_plan_that_takes_all_that_is_left_and_not_a_cent_more_is_affordable() -> None:
    for available, count in [(40_000, 3), (39_999, 4)]:
        found = solve(120_000, available, replace(PLANS, offers=(replace(PLANS.offers[0], most=4),)))
        assert found.options is not None
        assert len(found.options.shortest_term.schedules[0].instalments) == count


def test_what_can_be_paid_at_once_costs_nothing() -> None:
    found = solve(120_000, 150_000)
    assert found.options is not None
    assert [len(found.options.shortest_term.schedules[0].instalments), found.options.least_cost.costs[0].cost] == [1, 0]


def test_hardship_comes_with_the_proof_that_no_ordinary_plan_is_affordable() -> None:
    found = solve(3_600_000, 150_000)
    (proof,) = found.proofs
    assert (found.route, proof.longest, proof.tried) == (Route.HARDSHIP, 24, 24)
    assert proof.lowest is not None
    assert proof.short_by == proof.lowest - 150_000 > 0
    assert {each.kind for each in vars_of(found)} <= RELIEF


def test_if_nothing_is_affordable_nothing_is_offered_and_a_person_looks() -> None:
    found = solve(90_000_000, 150_000)
    assert (found.route, found.options, len(found.proofs)) == (Route.REVIEW, None, 2)
    assert found.proofs[1].lowest == 1_500_000, "a sixtieth"
    assert solve(500_000, -1).route is Route.REVIEW


def test_a_debt_too_small_for_any_plan_is_no_proof_of_poverty() -> None:
    found = solve(900, 150_000, replace(PLANS, offers=PLANS.offers[1:]))
    assert (found.route, [proof.lowest for proof in found.proofs]) == (Route.REVIEW, [None, None])


def test_the_law_ends_a_personalised_plan_after_five_years_even_if_the_pay_day_is_far() -> None:
    only = replace(PLANS, offers=PLANS.offers[-1:])
    near, far = solve(6_000_000, 150_000, only, pay_day=3), solve(6_000_000, 150_000, only, pay_day=2)
    assert [len(vars_of(each)[0].schedules[0].instalments) for each in (near, far)] == [60, 59]


def test_another_currency_needs_a_budget_of_its_own() -> None:
    with pytest.raises(ValueError, match="budget is in CNY"):
        affordable("C1", (debt(100_000, currency="USD"),), budget(9), PLANS, CALENDAR, RECKONED_AT, TODAY)
    usd = budget(50_000, currency="USD")
    found = affordable("C1", (debt(100_000, currency="USD"),), usd, PLANS, CALENDAR, RECKONED_AT, TODAY)
    assert found.route is Route.ORDINARY


def every_plan(owed: int, policy: PlanPolicy, pay_day: int) -> Iterator[Quote]:
    """All that the policy offers, quoted one after the other."""
    dates = pay_day_rule(date(2026, 3, 3), pay_day)
    for offer in policy.offers:
        for count in range(offer.least, offer.most + 1):
            terms = Terms(kind=offer.kind, instalments=count, dates=dates, charges=offer.charges)
            try:
                yield quote("C1", (debt(owed),), terms, policy, CALENDAR, RECKONED_AT, TODAY)
            except Refused:
                continue


offers = st.builds(
    Offer,
    st.sampled_from([PlanKind.PAY_DAY, PlanKind.PAY_DAY, PlanKind.HARDSHIP, PlanKind.PERSONALISED]),
    st.integers(1, 4),
    st.integers(4, 9),
    st.builds(Charges, st.sampled_from([0, 300, 900])),
)


@given(
    owed=st.integers(1, 200_000),
    available=st.integers(-100, 60_000),
    rows=st.lists(offers, min_size=1, max_size=3),
    pay_day=st.integers(1, 31),
)
@settings(max_examples=60)
def test_looking_at_every_plan_finds_the_same(owed: int, available: int, rows: list[Offer], pay_day: int) -> None:
    policy = replace(PLANS, offers=tuple(rows))
    found = solve(owed, available, policy, pay_day)
    plans = list(every_plan(owed, policy, pay_day))
    for route, relief in [(Route.ORDINARY, False), (Route.HARDSHIP, True)]:
        of_route = [each for each in plans if (each.kind in RELIEF) is relief]
        fitting = [each for each in of_route if largest(each) <= available]
        if fitting:
            assert found.route is route
            lowest, shortest, cheapest = vars_of(found)
            assert all(each in fitting for each in (lowest, shortest, cheapest))
            assert largest(lowest) == min(largest(each) for each in fitting)
            assert len(shortest.schedules[0].instalments) == min(len(each.schedules[0].instalments) for each in fitting)
            assert cheapest.costs[0].total == min(each.costs[0].total for each in fitting)
            return
        proof = found.proofs[int(relief)]
        assert proof.tried == len(of_route)
        assert proof.lowest == min((largest(each) for each in of_route), default=None)
        assert proof.lowest is None or proof.lowest > available
    assert found.route is Route.REVIEW


@given(owed=st.integers(20_000, 500_000), count=st.integers(2, 12), bps=st.sampled_from([0, 300, 1_200]))
@settings(max_examples=60)
def test_no_other_way_of_paying_monthly_would_need_less_than_the_lowest_instalment(
    owed: int, count: int, bps: int
) -> None:
    """A clerk who pays a fixed amount each month, tried from one cent on, needs the same but for cents of rounding."""
    offer = Offer(PlanKind.PAY_DAY, count, count, Charges(bps))
    found = solve(owed, owed, replace(PLANS, offers=(offer,)))
    if found.options is None:
        return  # an instalment would be smaller than the policy allows

    def paid_off(amount: int) -> bool:
        left = owed
        for _ in range(count):
            left += (2 * left * bps + 120_000) // 240_000
            left -= min(left, amount)
        return left == 0

    low, high = 0, 2 * owed
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if paid_off(middle) else (middle, high)
    assert 0 <= largest(found.options.lowest_instalment) - high <= count


# In words


def all_words(found: Affordability) -> dict[str, str]:
    return {language: "\n".join(explain(found, language)) for language in LANGUAGES}


def test_a_customer_reads_what_they_can_pay_and_what_it_costs() -> None:
    words = all_words(solve(2_400_000, 150_000))
    assert "还清最快、总费用最低的方案：分18期" in words["zh-CN"]
    assert "1,500.00元" in words["zh-CN"]
    assert "首期2026年3月16日" in words["zh-CN"]
    assert "The shortest term and the least cost: 18 instalments of at most CNY " in words["en"]
    assert "the first is due on 16 March 2026." in words["en"]
    assert "% a year)" in words["en"]


def test_a_customer_who_can_pay_nothing_is_asked_to_sign_nothing() -> None:
    words = all_words(solve(90_000_000, 0))
    assert "没有余额可用于还款" in words["zh-CN"]
    assert "没有您能够负担的方案" in words["zh-CN"]
    assert "Nothing is left for repayment." in words["en"]
    assert "There is no plan that you could afford" in words["en"]


def test_every_finding_and_every_route_has_its_words_in_both_languages() -> None:
    flexible = (Item("food", 1), Item("other", 900_000))
    said = budget_of(replace(ALONE, flexible=flexible, incomes=(Item("business", 1_900_000),)), GUIDE)
    assert {finding.code for finding in said.findings} == {"counted_in_part", "below_floor", "above_guide"}
    for owed, policy in [
        (100_000, PLANS),
        (60_000_000, PLANS),
        (900, replace(PLANS, offers=PLANS.offers[1:])),
        (30_000, replace(PLANS, offers=PLANS.offers[3:4])),
        (20_000_000, PLANS),
    ]:
        found = affordable("C1", (debt(owed),), said, policy, CALENDAR, RECKONED_AT, TODAY)
        for language, text in all_words(found).items():
            assert "{" not in text, "a figure is missing"
            assert language == "en" or not any(word in text for word in ("business", "food"))
    with pytest.raises(ValueError, match="'fr' is not one of"):
        explain(found, "fr")


def test_a_kind_that_a_bank_added_is_called_by_its_name() -> None:
    own = parse_guide(DOCUMENT | {"flexible": [{"kind": "pets", "adult": 10_000, "child": 0}]})
    found = affordable(
        "C1",
        (debt(100_000),),
        budget_of(replace(ALONE, flexible=()), own),
        PLANS,
        CALENDAR,
        RECKONED_AT,
        TODAY,
    )
    assert any("pets" in sentence for sentence in explain(found, "en"))
