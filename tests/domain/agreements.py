"""Debts, payments, plans and settlements for the tests, as a specialist would set them up."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from shared.domain.account import Balances
from shared.domain.assessment import Assessment
from shared.domain.payment import Payment
from shared.domain.plan import Plan
from shared.domain.plan_dates import DateRule, Shift, add_months, pay_day_rule
from shared.domain.plan_life import NewPlan, activate, propose
from shared.domain.plan_quote import Quote, quote
from shared.domain.plan_schedule import Charges
from shared.domain.plan_terms import Agreement, Content, Debt, Form, PlanKind, Terms
from tests.domain.seeds import CALENDAR, REPAYMENT

TODAY = date(2026, 3, 2)
RECKONED_AT = datetime(2026, 3, 2, 1, tzinfo=UTC)  # 09:00 in Shanghai
PLANS = REPAYMENT.plans
SIGNED = Agreement(TODAY, Form.WRITTEN, contents=frozenset(Content))


def debt(amount: int, account_id: str = "A1", currency: str = "CNY", **parts: int) -> Debt:
    """Principal of ``amount``, and other parts by name."""
    return Debt(
        account_id, currency, Balances(amount, parts.get("interest", 0), parts.get("fees", 0), parts.get("penalty", 0))
    )


def terms(kind: PlanKind = PlanKind.EQUAL, count: int = 6, **changes: Any) -> Terms:
    dates = DateRule(date(2026, 3, 31), day=31, shift=Shift.NONE)
    return Terms(**({"kind": kind, "instalments": count, "dates": dates} | changes))


def quoted(*debts: Debt, asked: Terms | None = None, today: date = TODAY) -> Quote:
    return quote("C1", debts or (debt(600_000),), asked or terms(), PLANS, CALENDAR, RECKONED_AT, today)


ASSESSED = Assessment(
    assessment_id=UUID(int=7),
    customer_id="C1",
    accounts=frozenset({("A1", "CNY"), ("A2", "CNY")}),
    available=10_000_000,
    valid_until=date(2030, 1, 1),
)


def new_plan(made: Quote, **changes: Any) -> NewPlan:
    fields = {"plan_id": UUID(int=1), "quote": made, "proposed_by": "u-7", "roles": {"collector"}}
    return NewPlan(**(fields | changes))


def active(made: Quote | None = None, **changes: Any) -> Plan:
    """A plan in force. ``roles`` default to what may grant it alone."""
    made = made or quoted()
    proposed = propose(new_plan(made, **({"roles": {"collector", "supervisor"}} | changes)), (), PLANS, made.quoted_on)
    return activate(proposed.state, replace(SIGNED, agreed_on=made.quoted_on), PLANS, made.quoted_on).state


def monthly_pay_day(day: int, earliest: date = TODAY, after: int = 1) -> DateRule:
    return pay_day_rule(earliest, day, after)


def charged(annual_bps: int = 0, fee_bps: int = 0) -> Charges:
    return Charges(annual_bps, fee_bps)


def pay(name: str, amount: int, on: date, **changes: Any) -> Payment:
    """Posted on its day at 10:00 in Shanghai, unless ``posted_on`` says otherwise."""
    posted_on = changes.pop("posted_on", on)
    fields = {
        "source": "core",
        "payment_id": name,
        "account_id": "A1",
        "currency": "CNY",
        "amount": amount,
        "value_date": on,
        "posted_at": datetime.combine(posted_on, datetime.min.time(), UTC) + timedelta(hours=2),
    }
    return Payment(**(fields | changes))


def month_end(months: int) -> date:
    """The plan's due days in ``terms``: March 31st is number 1."""
    return add_months(date(2026, 3, 31), months - 1)
