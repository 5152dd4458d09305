"""A plan's life: quoted, proposed, approved within limits, in force, and how it ends."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.domain.outcome import Refused
from shared.domain.plan import TRANSITIONS, PlanAction, PlanState, transition
from shared.domain.plan_dates import DateRule, Frequency, Shift
from shared.domain.plan_life import (
    activate,
    approve,
    cancel,
    fix_dates,
    judge,
    lapses_on,
    next_look,
    objections,
    propose,
    restructure,
)
from shared.domain.plan_quote import Quote, quote
from shared.domain.plan_schedule import Steps
from shared.domain.plan_terms import Agreement, Content, Form, PlanKind, PlanPolicy, PlanRefused, Terms
from tests.domain.agreements import (
    ASSESSED,
    PLANS,
    RECKONED_AT,
    SIGNED,
    TODAY,
    active,
    charged,
    debt,
    month_end,
    monthly_pay_day,
    new_plan,
    pay,
    quoted,
    terms,
)
from tests.domain.seeds import CALENDAR


def words(outcome: Any) -> list[str]:
    return [news.type.removeprefix("arrears.plan.").removesuffix(".v1") for news in outcome.announcements]


# Quotes


def test_a_quote_shows_what_is_paid_when_and_what_it_costs() -> None:
    made = quoted(debt(600_000), asked=terms(count=6, charges=charged(1_200)))
    (schedule,), (cost,) = made.schedules, made.costs
    assert [each.amount for each in schedule.instalments] == [103_529] * 5 + [103_530]
    assert (cost.total, cost.cost, cost.nominal_bps) == (621_175, 21_175, 1_200)
    assert (made.valid_until, made.months, made.warnings) == (TODAY + timedelta(days=7), 6, ())


def test_two_accounts_and_another_currency_make_one_plan_whose_currencies_sum_apart() -> None:
    made = quoted(debt(200_000, "A1"), debt(100_001, "A2"), debt(70_000, "A1", "USD"))
    cny, usd = made.schedules
    assert ((cny.currency, cny.total), (usd.currency, usd.total)) == (("CNY", 300_001), ("USD", 70_000))
    assert made.financed == {"CNY": 300_001, "USD": 70_000}
    assert {account: sum(row) for account, row in made.shares.items()} == {
        ("A1", "CNY"): 200_000,
        ("A2", "CNY"): 100_001,
        ("A1", "USD"): 70_000,
    }
    by_instalment = zip(made.shares["A1", "CNY"], made.shares["A2", "CNY"], strict=True)
    assert [sum(row) for row in by_instalment] == [each.amount for each in cny.instalments]


def test_a_dear_plan_and_days_not_announced_yet_are_said() -> None:
    long = terms(count=12, charges=charged(1_825, 75), dates=DateRule(date(2026, 3, 31), day=31))
    assert quoted(asked=long).warnings == ("dear", "provisional")


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (terms(dates=DateRule(TODAY)), "first-too-early"),
        (terms(dates=DateRule(TODAY + timedelta(days=46))), "first-too-late"),
        (terms(count=25), "too-long"),
        (terms(count=61, kind=PlanKind.PERSONALISED), "too-long"),
        (terms(charges=charged(1_826)), "rate"),
        (terms(charges=charged(0, 76)), "fee"),
        (terms(kind=PlanKind.HARDSHIP, charges=charged(901)), "rate"),
        (terms(kind=PlanKind.CUSTOM), "no-amounts"),
        (terms(kind=PlanKind.CUSTOM, amounts={"USD": (1,)}), "no-amounts"),
        (terms(kind=PlanKind.STEP_UP), "no-steps"),
        (terms(kind=PlanKind.PAY_DAY, dates=DateRule(date(2026, 3, 31))), "no-pay-day"),
        (terms(kind=PlanKind.PERSONALISED, dates=DateRule(date(2026, 3, 9), Frequency.WEEKLY)), "frequency"),
        (terms(count=2, kind=PlanKind.CUSTOM, amounts={"CNY": (9_999,)}), "instalment-too-small"),
    ],
)
def test_terms_that_the_policy_does_not_offer_are_refused_with_a_code(asked: Any, code: str) -> None:
    with pytest.raises(Refused) as refused:
        quoted(asked=asked)
    assert refused.value.code == code


def test_hardship_relieves() -> None:
    no_relief = replace(PLANS, usual_bps=900)
    with pytest.raises(PlanRefused, match="less than the usual 900"):
        quote_with(no_relief, terms(kind=PlanKind.HARDSHIP, charges=charged(900)))
    frozen = quote_with(PLANS, terms(kind=PlanKind.HARDSHIP, count=36))
    assert frozen.costs[0].cost == 0


def quote_with(policy: PlanPolicy, asked: Terms) -> Quote:
    return quote("C1", (debt(600_000),), asked, policy, CALENDAR, RECKONED_AT, TODAY)


def test_a_plan_is_of_debts() -> None:
    for debts, code in [
        ((debt(0),), "nothing-owed"),
        ((debt(1_000), debt(2_000)), "account-twice"),
    ]:
        with pytest.raises(PlanRefused) as refused:
            quoted(*debts)
        assert refused.value.code == code


def test_a_step_up_and_a_pay_day_plan_are_quoted() -> None:
    stepped = terms(kind=PlanKind.STEP_UP, count=24, steps={"CNY": Steps(5_000, 12)})
    amounts = [each.amount for each in quoted(asked=stepped).schedules[0].instalments]
    assert amounts == [22_500] * 12 + [27_500] * 12
    aligned = terms(kind=PlanKind.PAY_DAY, dates=monthly_pay_day(15, after=2))
    assert [each.nominal_on.day for each in quoted(asked=aligned).schedules[0].instalments] == [17] * 6


# Proposals and approval


def test_within_the_proposers_limit_a_plan_is_approved_at_once() -> None:
    outcome = propose(new_plan(quoted()), (), PLANS, TODAY)
    assert words(outcome) == ["proposed", "approved"]
    assert (outcome.state.state, outcome.state.approved_by) == (PlanState.APPROVED, "u-7")
    assert outcome.state.reason == "within_limit"


@pytest.mark.parametrize(
    ("amount", "asked", "approvers"),
    [
        (2_000_001, terms(), ("supervisor", "compliance")),
        (1_000_000, terms(count=13), ("supervisor", "compliance")),
        (1_000_000, terms(kind=PlanKind.HARDSHIP), ("supervisor", "compliance")),
        (60_000_000, terms(), ("compliance",)),
    ],
)
def test_over_the_limit_it_waits_for_those_whose_limit_covers_it(amount: int, asked: Any, approvers: Any) -> None:
    outcome = propose(new_plan(quoted(debt(amount), asked=asked), assessment=ASSESSED), (), PLANS, TODAY)
    assert words(outcome) == ["proposed"]
    assert outcome.state.approvers == approvers
    approved = approve(outcome.state, "u-9")
    assert (approved.state.state, approved.state.approved_by, approved.state.approvers) == ("approved", "u-9", ())


def test_what_no_limit_covers_is_refused() -> None:
    for made in (quoted(debt(500_000_001)), quoted(debt(1_000_000, currency="EUR"))):
        with pytest.raises(PlanRefused, match="nobody's limit"):
            propose(new_plan(made, roles={"supervisor", "admin"}), (), PLANS, TODAY)


def test_the_fingerprint_of_a_quote_is_that_of_what_was_told() -> None:
    made = quoted()
    later = quoted(today=TODAY + timedelta(days=3))
    assert later.fingerprint == made.fingerprint != quoted(asked=terms(count=7)).fingerprint
    moved = quoted(debt(590_000, interest=10_000))
    assert (moved.financed, moved.fingerprint != made.fingerprint) == (made.financed, True)
    two = [debt(500_000), debt(100_000, "A2")]
    assert quoted(*two).fingerprint == quoted(*reversed(two)).fingerprint


def test_a_quote_does_not_hold_for_ever() -> None:
    made = quoted()
    assert objections(new_plan(made), (), PLANS, TODAY + timedelta(days=7)) == {}
    assert list(objections(new_plan(made), (), PLANS, TODAY + timedelta(days=8))) == ["quote-expired"]


def test_an_account_is_in_one_plan_at_a_time() -> None:
    running = active()
    again = new_plan(quoted(debt(1_000_000), debt(5_000, "A2")), plan_id=UUID(int=2))
    with pytest.raises(PlanRefused, match="another plan is under way"):
        propose(again, [running], PLANS, TODAY)
    other = new_plan(quoted(debt(600_000, "A2")), plan_id=UUID(int=2))
    assert objections(other, [running], PLANS, TODAY) == {}
    ended = cancel(running, TODAY, "customer").state
    assert objections(again, [ended], PLANS, TODAY) == {}


def test_what_is_waivable_is_waived_only_by_name() -> None:
    asked = new_plan(quoted(asked=terms(kind=PlanKind.HARDSHIP)), roles={"supervisor"})
    with pytest.raises(PlanRefused, match="needs an assessment"):
        propose(asked, (), PLANS, TODAY)
    assert propose(replace(asked, waived={"no-assessment"}), (), PLANS, TODAY).state.state is PlanState.APPROVED
    with pytest.raises(PlanRefused, match="was good until"):
        propose(replace(asked, waived={"quote-expired", "no-assessment"}), (), PLANS, TODAY + timedelta(days=9))


# The personalised instalment agreement of art. 70


def personalised(**changes: Any) -> Any:
    made = quoted(asked=terms(kind=PlanKind.PERSONALISED, count=60))
    return new_plan(made, assessment=ASSESSED, **changes)


def test_five_years_are_the_most_and_collection_stops_while_it_is_kept() -> None:
    proposed = propose(personalised(), (), PLANS, TODAY).state
    assert proposed.approvers == ("supervisor", "compliance")
    approved = approve(proposed, "u-9").state
    assert not approved.stops_collection
    signed = activate(approved, SIGNED, PLANS, TODAY)
    assert words(signed) == ["activated"]
    assert signed.state.stops_collection


def test_its_six_contents_are_all_there_or_it_is_not_signed() -> None:
    approved = approve(propose(personalised(), (), PLANS, TODAY).state, "u-9").state
    for content in Content:
        lacking = Agreement(TODAY, Form.WRITTEN, contents=frozenset(Content) - {content})
        with pytest.raises(PlanRefused, match=f"does not say: {content.value}$"):
            activate(approved, lacking, PLANS, TODAY)


def test_an_oral_agreement_is_recorded() -> None:
    approved = approve(propose(personalised(), (), PLANS, TODAY).state, "u-9").state
    oral = replace(SIGNED, form=Form.ORAL)
    with pytest.raises(PlanRefused, match="is recorded"):
        activate(approved, oral, PLANS, TODAY)
    assert activate(approved, replace(oral, recording_id="rec-1"), PLANS, TODAY).state.state is PlanState.ACTIVE


def test_there_is_no_second_one_unless_somebody_with_the_right_to_says_so() -> None:
    first = activate(approve(propose(personalised(), (), PLANS, TODAY).state, "u-9").state, SIGNED, PLANS, TODAY).state
    broken = judge(first, [], month_end(3), "timer").state
    second = personalised(plan_id=UUID(int=2))
    assert list(objections(second, [broken], PLANS, TODAY)) == ["second-personalised"]
    assert propose(replace(second, waived={"second-personalised"}), [broken], PLANS, TODAY)
    never_signed = cancel(propose(personalised(), (), PLANS, TODAY).state, TODAY, "refused").state
    assert objections(second, [never_signed], PLANS, TODAY) == {}
    assert objections(second, [broken], replace(PLANS, second_personalised=True), TODAY) == {}


# In force


def test_the_first_instalment_must_not_be_past_when_it_is_signed() -> None:
    approved = propose(new_plan(quoted()), (), PLANS, TODAY).state
    with pytest.raises(PlanRefused, match="quote it again"):
        activate(approved, SIGNED, PLANS, month_end(1) + timedelta(days=1))


def test_money_posted_before_the_debts_were_reckoned_does_not_count_again() -> None:
    plan = active()
    known = pay("p0", 100_000, TODAY, posted_at=plan.reckoned_at)
    later = pay("p1", 100_000, TODAY - timedelta(days=1), posted_on=TODAY)
    after = judge(plan, [known, later], TODAY, "payment.posted").state
    assert (after.progress[0].received, after.progress[0].covered) == (100_000, 1)


def test_each_covered_and_missed_instalment_is_told_once_with_its_figures() -> None:
    plan = active()
    first = judge(plan, [pay("p1", 150_000, month_end(1))], month_end(1), "payment.posted")
    assert words(first) == ["instalment_covered"]
    told = first.announcements[0].data
    assert (told["number"], told["amount"], told["paid"], told["left"]) == (1, 100_000, 100_000, 450_000)
    assert words(judge(first.state, [pay("p1", 150_000, month_end(1))], month_end(1), "timer")) == []
    missed = judge(first.state, [pay("p1", 150_000, month_end(1))], date(2026, 5, 4), "instalment_due")
    assert words(missed) == ["instalment_missed"]
    assert (missed.announcements[0].data["paid"], missed.announcements[0].data["overdue"]) == (50_000, 50_000)
    back = judge(missed.state, [pay("p1", 150_000, month_end(1), reversed_amount=90_000)], date(2026, 5, 5), "reversed")
    assert words(back) == ["instalment_uncovered", "instalment_missed", "broken"]


def test_one_currency_that_breaks_breaks_the_plan_and_all_have_to_be_paid_to_complete_it() -> None:
    plan = active(quoted(debt(200_000), debt(30_000, "A1", "USD"), asked=terms(count=2)))
    cny = [pay("p1", 200_000, month_end(1))]
    usd = [pay("p2", 30_000, date(2026, 4, 10), currency="USD")]
    paid = judge(plan, cny + usd, date(2026, 4, 10), "payment.posted").state
    assert (paid.state, paid.ended_on) == (PlanState.COMPLETED, date(2026, 4, 10))
    assert judge(plan, cny, date(2026, 4, 30), "timer").state.state is PlanState.ACTIVE
    assert judge(plan, cny, date(2026, 5, 4), "timer").state.state is PlanState.BROKEN


def test_a_plan_is_broken_from_the_day_on_which_its_first_currency_broke() -> None:
    plan = active(quoted(debt(300_000), debt(30_000, "A1", "USD"), asked=terms(count=3)))
    dollars = [pay("p1", 10_000, month_end(1), currency="USD")]
    both = judge(plan, dollars, date(2026, 9, 1), "timer").state
    assert (both.state, both.ended_on) == (PlanState.BROKEN, date(2026, 5, 1)), "the dollars followed on May 31st"


def test_a_payment_on_either_account_counts_for_their_currency() -> None:
    plan = active(quoted(debt(200_000, "A1"), debt(100_000, "A2"), asked=terms(count=3)))
    after = judge(plan, [pay("p1", 100_000, month_end(1), account_id="A2")], month_end(1), "payment.posted").state
    assert after.progress[0].covered == 1
    stranger = judge(plan, [pay("p1", 100_000, month_end(1), account_id="A3")], month_end(1), "payment.posted").state
    assert stranger.progress[0].received == 0


def test_the_next_look_is_when_the_calendar_may_change_something() -> None:
    plan = active()
    assert next_look(plan, TODAY) == date(2026, 4, 4)
    assert next_look(plan, date(2026, 4, 4)) == date(2026, 5, 1), "31 days after the first"
    assert next_look(cancel(plan, TODAY, "customer").state, TODAY) is None
    looked, day = 0, TODAY
    while (following := next_look(plan, day)) is not None:
        looked, day = looked + 1, following
    assert looked <= 2 * 6, "a year's plan costs a dozen looks"


def test_a_proposal_that_nobody_takes_up_lapses() -> None:
    proposed = propose(new_plan(quoted(debt(3_000_000))), (), PLANS, TODAY).state
    assert lapses_on(proposed, PLANS) == TODAY + timedelta(days=16)
    lapsed = cancel(proposed, TODAY + timedelta(days=16), "expired").state
    assert (lapsed.state, lapsed.reason, lapses_on(lapsed, PLANS)) == (PlanState.CANCELLED, "expired", None)


def test_when_a_year_is_announced_the_days_to_come_are_shifted_and_no_others() -> None:
    plan = active(quoted(asked=terms(count=12, dates=DateRule(date(2026, 3, 31), day=31))))
    loose = [each for each in plan.schedules[0].instalments if not each.announced]
    assert [each.due_on.isoformat() for each in loose] == ["2027-01-31", "2027-02-28"]
    announced = replace(CALENDAR, years={**CALENDAR.years, 2027: CALENDAR.years[2026]})
    fixed = fix_dates(plan, announced, date(2027, 2, 1))
    assert [each.due_on.isoformat() for each in fixed.schedules[0].instalments[-2:]] == ["2027-01-31", "2027-03-01"]
    assert fix_dates(fixed, announced, date(2027, 2, 1)) is fixed
    assert fix_dates(plan, CALENDAR, TODAY) is plan


def test_a_broken_plan_is_restructured_by_an_active_one_and_only_so_often() -> None:
    old = judge(active(), [], month_end(3), "timer").state
    asked = new_plan(quoted(debt(600_000)), plan_id=UUID(int=2), replaces=old)
    successor = propose(asked, [old], PLANS, TODAY).state
    assert (successor.replaces, successor.generation) == (old.plan_id, 1)
    with pytest.raises(PlanRefused, match="by an active plan"):
        restructure(old, successor, TODAY)
    running = activate(successor, SIGNED, PLANS, TODAY).state
    outcome = restructure(old, running, TODAY)
    assert (outcome.state.state, outcome.state.replaced_by) == (PlanState.RESTRUCTURED, running.plan_id)
    third = replace(asked, plan_id=UUID(int=3), replaces=judge(running, [], month_end(3), "timer").state)
    assert list(objections(third, [outcome.state, third.replaces], PLANS, TODAY)) == ["restructured-too-often"]
    assert judge(outcome.state, [], month_end(9), "timer").state is outcome.state, "what people decided stays"


@pytest.mark.parametrize("state", PlanState)
@pytest.mark.parametrize("action", PlanAction)
def test_what_the_table_does_not_name_is_refused_with_what_is_possible(state: PlanState, action: PlanAction) -> None:
    if action in TRANSITIONS[state]:
        assert transition(state, action) is TRANSITIONS[state][action]
        return
    with pytest.raises(PlanRefused, match=f"a plan that is {state} can not {action}; possible: "):
        transition(state, action)


def test_what_is_approved_is_told_by_its_content() -> None:
    plan = active()
    assert plan.fingerprint == replace(plan, state=PlanState.BROKEN, reason="x").fingerprint
    dearer = active(quoted(asked=terms(charges=charged(100))))
    later = active(quoted(asked=terms(dates=DateRule(date(2026, 3, 30), shift=Shift.NONE))))
    assert len({plan.fingerprint, dearer.fingerprint, later.fingerprint}) == 3
