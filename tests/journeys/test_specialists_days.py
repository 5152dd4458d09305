"""Days of a specialist and her customers, from the first call to the last payment, through a client that was generated
from the OpenAPI document. What core banking says and what the calendar does happens behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared.application.principal import Role
from shared.domain.plan_dates import add_months
from tests.application.bank import payment, report, reversal, updated
from tests.architecture.source import ROOT
from tests.conftest import Database
from tests.journeys.generated_client import PACKAGE, Caller, generated
from tests.services.api.people import Office, office

pytestmark = pytest.mark.xdist_group("generated client")  # it is made once a process
A1 = {"account_id": "A1", "currency": "CNY"}
SIGNED = {"agreed_on": "2026-06-30", "form": "written"}


def noon(day: str | date) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+08:00")


class Days:
    """A calendar that moves, money that comes in, and people who look at what became of it."""

    def __init__(self, bank: Office) -> None:
        self.office = bank
        self._payments = 0

    @asynccontextmanager
    async def person(self, *roles: Role, name: str = "li.na") -> AsyncIterator[Caller]:
        async with self.office.person(*roles, name=name) as person:
            yield Caller(person.client)

    async def day(self, day: str | date) -> None:
        await self.office.move_to(noon(day))

    async def bank_says(self, *facts: Any) -> None:
        assert set(await self.office.bank.say(*facts)) <= {"accepted"}
        await self.office.settle()

    async def paid(
        self, amount: int, on: str | date, *, posted: str | None = None, account: str = "A1", currency: str = "CNY"
    ) -> str:
        """A payment with the value date ``on``, told when it was ``posted``; its id."""
        self._payments += 1
        name = f"P{self._payments}"
        kind, data = payment(name, account, amount=amount, currency=currency, posted=f"{posted or on}T10:00:00+08:00")
        await self.bank_says((kind, data | {"value_date": str(on)}))
        return name


@pytest.fixture
async def days(database: Database, tmp_path: Path) -> AsyncIterator[Days]:
    async with office(database, tmp_path) as bank:
        bank.bank.latest = noon("2040-01-01")
        yield Days(bank)


@pytest.fixture
async def li_na(days: Days) -> AsyncIterator[Caller]:
    async with days.person(Role.COLLECTOR) as caller:
        yield caller


async def owing(days: Days, **more: Any) -> None:
    """C1 is known, and behind with 500.00 of 4,010.00 since 20 June."""
    await days.bank_says(updated(), report(**more))


async def planned(caller: Caller, **more: Any) -> Any:
    terms = {"customer_id": "C1", "accounts": [A1], "kind": "equal", "instalments": 4, "first_on": "2026-07-20"}
    return await caller.create("plans.propose_plan", "PlanIn", terms | {"shift": "none"} | more)


async def signed(caller: Caller, plan: Any, **more: Any) -> Any:
    tag = f'"{plan.row_version}"'
    return await caller.do("plans.activate_plan", "AgreementIn", SIGNED | more, plan_id=plan.plan_id, if_match=tag)


async def plan_now(caller: Caller, plan: Any) -> tuple[str, int, int]:
    """State, instalments covered, and what is overdue."""
    shown = await caller.do("plans.get_plan", plan_id=plan.plan_id)
    (progress,) = shown.progress
    return shown.state.value, progress.covered, progress.overdue


async def approved(days: Days, plan: Any, role: Role = Role.SUPERVISOR) -> None:
    """Somebody else says yes to the one request about it."""
    async with days.person(role, name="zhao.min") as second:
        about = {"subject_id": str(plan.plan_id)}
        (asked,) = (await second.do("approvals.list_approvals", **about)).items
        tag = f'"{asked.row_version}"'
        yes = {"granted": True, "reason": "fits the case"}
        await second.do("approvals.decide_approval", "Decision", yes, approval_id=asked.approval_id, if_match=tag)


async def the_case(caller: Caller) -> Any:
    (case,) = (await caller.do("cases.list_cases", customer_id="C1")).items
    return case


async def timeline(caller: Caller) -> list[tuple[str, Any]]:
    """What happened on the case, oldest first: what, and why."""
    case = await the_case(caller)
    lines = (await caller.do("cases.list_timeline", case_id=case.case_id, limit=200)).items
    return [(line.what, line.data.additional_properties.get("reason")) for line in lines][::-1]


def test_the_generator_makes_a_function_of_every_operation_and_complains_of_nothing() -> None:
    said = generated()
    assert "WARNING" not in said, said
    assert "Unable" not in said, said
    document = orjson.loads((ROOT / "docs/openapi.json").read_bytes())
    operations = [about for path in document["paths"].values() for about in path.values() if "operationId" in about]
    made = {path.stem for path in Path(__import__(PACKAGE).__file__).parent.glob("api/*/*.py")}
    snake = {"".join("_" + c.lower() if c.isupper() else c for c in each["operationId"]) for each in operations}
    assert snake <= made


async def test_a_missed_instalment_is_paid_late_and_the_plan_goes_on(days: Days, li_na: Caller) -> None:
    await owing(days)
    plan = await signed(li_na, await planned(li_na))
    await days.day("2026-07-24")
    assert await plan_now(li_na, plan) == ("active", 0, 100_250)
    await days.paid(100_250, "2026-07-24")
    assert await plan_now(li_na, plan) == ("active", 1, 0)
    for day in ("2026-08-20", "2026-09-20", "2026-10-20"):
        await days.day(day)
        await days.paid(100_250, day)
    assert await plan_now(li_na, plan) == ("completed", 4, 0)
    said = [what for what, _ in await timeline(li_na)]
    assert said.index("plan.instalment_missed") < said.index("plan.instalment_covered") < said.index("plan.completed")


async def test_a_broken_promise_is_kept_after_all_by_a_payment_that_was_booked_late(days: Days, li_na: Caller) -> None:
    await owing(days)
    said = {"customer_id": "C1", **A1, "amount": 50_000, "due_on": "2026-07-06", "channel": "phone"}
    promise = await li_na.create("promises.take_promise", "PromiseIn", said)
    assert promise.state.value == "open"
    await days.day("2026-07-10")
    broken = await li_na.do("promises.get_promise", promise_id=promise.promise_id)
    assert (broken.state.value, broken.paid) == ("broken", 0)
    await days.paid(50_000, "2026-07-05", posted="2026-07-10")
    kept = await li_na.do("promises.get_promise", promise_id=promise.promise_id)
    assert (kept.state.value, kept.paid, kept.kept_on) == ("kept", 50_000, date(2026, 7, 5))
    reasons = [line for line in await timeline(li_na) if line[0] in ("promise.broken", "promise.kept")]
    assert reasons == [("promise.broken", "timer.promise_due"), ("promise.kept", "payment.posted.v1")]


async def test_a_plan_of_sixty_months_is_performed_to_the_end_through_leap_years(days: Days, li_na: Caller) -> None:
    await owing(days)
    contents = ["debt", "repayment", "charges", "no_new_card", "duties", "other"]
    terms = {
        "kind": "personalised",
        "instalments": 60,
        "first_on": "2026-07-31",
        "assessment_id": await assessed(li_na),
    }
    plan = await planned(li_na, **terms)
    assert plan.state.value == "proposed", "nobody grants five years alone"
    await approved(days, plan)
    plan = await li_na.do("plans.get_plan", plan_id=plan.plan_id)
    plan = await signed(li_na, plan, form="oral", recording_id="REC-1", contents=contents)
    (schedule,) = plan.schedules
    due = [each.due_on for each in schedule.instalments]
    assert due == [add_months(date(2026, 7, 31), number) for number in range(60)]
    assert {date(2028, 2, 29), date(2027, 2, 28), date(2031, 6, 30)} <= set(due)
    assert sum(each.amount for each in schedule.instalments) == schedule.financed == 401_000
    for each in schedule.instalments:
        await days.day(each.due_on)
        await days.paid(each.amount, each.due_on)
    assert await plan_now(li_na, plan) == ("completed", 60, 0)
    holds = (await li_na.do("holds.list_holds", customer_id="C1")).items
    assert [(hold.kind.value, hold.released_at is not None) for hold in holds] == [("plan", True)]


async def test_a_broken_plan_is_restructured_and_the_new_one_is_kept(days: Days, li_na: Caller) -> None:
    await owing(days)
    first = await signed(li_na, await planned(li_na))
    await days.day("2026-08-24")
    assert (await plan_now(li_na, first))[0] == "broken"
    terms = {"instalments": 8, "first_on": "2026-09-20", "replaces": str(first.plan_id)}
    second = await planned(li_na, **terms)
    second = await signed(li_na, second, agreed_on="2026-08-24")
    old = await li_na.do("plans.get_plan", plan_id=first.plan_id)
    assert (old.state.value, old.replaced_by) == ("restructured", second.plan_id)
    (schedule,) = second.schedules
    for each in schedule.instalments:
        await days.day(each.due_on)
        await days.paid(each.amount, each.due_on)
    assert await plan_now(li_na, second) == ("completed", 8, 0)


async def test_a_breached_settlement_brings_the_debt_back_as_it_was(days: Days, li_na: Caller) -> None:
    balances = {"principal": 400_000, "interest": 60_000, "fees": 10_000, "penalty": 30_000}
    await owing(days, due="2026-02-20", balances=balances)
    offer = {"customer_id": "C1", "accounts": [A1], "discount": 50_000, "first_on": "2026-07-20", "shift": "none"}
    offered = await li_na.create("settlements.propose_settlement", "SettlementIn", offer)
    where = {"settlement_id": offered.settlement_id}
    accepted = await li_na.do("settlements.accept_settlement", if_match=f'"{offered.row_version}"', **where)
    await li_na.do("settlements.activate_settlement", if_match=f'"{accepted.row_version}"', **where)
    await days.day("2026-07-01")
    await days.paid(100_000, "2026-07-01")
    await days.day("2026-07-24")
    breached = await li_na.do("settlements.get_settlement", **where)
    assert (breached.state.value, breached.received, breached.back, breached.given_up) == (
        "breached",
        100_000,
        400_000,
        0,
    )
    assert [(each.account_id, each.due_on) for each in breached.oldest_due] == [("A1", date(2026, 2, 20))]
    (line,) = (await li_na.do("accounts.get_statement", account_id="A1")).currencies
    owed = line.owed
    assert owed.principal + owed.interest + owed.fees + owed.penalty == 400_000


async def test_a_reversal_opens_a_cured_case_again(days: Days, li_na: Caller) -> None:
    await owing(days)
    await days.day("2026-07-02")
    name = await days.paid(50_000, "2026-07-02")
    cured = await the_case(li_na)
    assert (cured.state.value, cured.reopenings) == ("cured", 0)
    await days.day("2026-07-03")
    await days.bank_says(reversal(payment_id=name, at="2026-07-03T10:00:00+08:00"))
    again = await the_case(li_na)
    assert (again.case_id, again.state.value, again.reopenings) == (cured.case_id, "open", 1)
    assert again.past_due.additional_properties == {"CNY": 50_000}


async def test_two_accounts_in_two_currencies_are_paid_off_in_one_plan(days: Days, li_na: Caller) -> None:
    await owing(days)
    dollars = {"principal": 60_000, "interest": 0, "fees": 0, "penalty": 0}
    await days.bank_says(report("A2", currency="USD", unpaid=6_000, balances=dollars))
    plan = await planned(li_na, accounts=[A1, {"account_id": "A2", "currency": "USD"}])
    plan = await signed(li_na, plan)
    schedules = {schedule.currency: schedule for schedule in plan.schedules}
    assert {currency: each.financed for currency, each in schedules.items()} == {"CNY": 401_000, "USD": 60_000}
    for number in range(4):
        yuan, dollar = (schedules[currency].instalments[number] for currency in ("CNY", "USD"))
        await days.day(yuan.due_on)
        await days.paid(yuan.amount, yuan.due_on)
        shown = await li_na.do("plans.get_plan", plan_id=plan.plan_id)
        covered = {each.currency: each.covered for each in shown.progress}
        assert (shown.state.value, covered) == ("active", {"CNY": number + 1, "USD": number})
        await days.paid(dollar.amount, dollar.due_on, account="A2", currency="USD")
    assert (await li_na.do("plans.get_plan", plan_id=plan.plan_id)).state.value == "completed"


async def test_what_is_not_possible_is_answered_with_a_problem_that_the_client_knows(days: Days, li_na: Caller) -> None:
    await owing(days)
    plan = await signed(li_na, await planned(li_na))
    where = {"plan_id": plan.plan_id}
    problem = await li_na.refused(
        "plans.activate_plan", "AgreementIn", SIGNED, if_match=f'"{plan.row_version}"', **where
    )
    assert (problem.status, problem.type_.rpartition("/")[2]) == (409, "plan-state")
    reason = {"reason": "mistake"}
    stale = await li_na.refused("plans.cancel_plan", "PlanCancellation", reason, if_match='"1"', **where)
    assert stale.status == 412


async def assessed(caller: Caller) -> str:
    household = {
        "adults": 1,
        "incomes": [{"kind": "wages", "amount": 600_000}],
        "fixed": [{"kind": "housing", "amount": 200_000}],
        "flexible": [],
        "pay_day": 30,
    }
    asked = {"customer_id": "C1", "accounts": [A1], "household": household}
    found = await caller.create("assessments.assess_household", "AssessmentIn", asked)
    return str(found.assessment_id)
