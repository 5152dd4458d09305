"""What is said next of the repayment plans for which the ladder waits, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.application.book import Book
from shared.application.foreseeing import foreseen
from shared.application.limitation import ClaimOnFile
from shared.application.permit_facts import PointOnFile
from shared.application.plan_judging import standing_on
from shared.application.sending import RuleShelf
from shared.application.sending_desk import Desk, bound_by
from shared.domain.calendar import at_local, local_date
from shared.domain.contact_facts import Purpose
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_coverage import Coverage
from shared.domain.plan_reminders import next_reminder, open_on


@dataclass(frozen=True, slots=True)
class PlanInForce:
    """A plan of the customer, and how its currencies stand today."""

    plan: Plan
    coverages: Sequence[Coverage]


@dataclass(frozen=True, slots=True)
class _Reminder:
    channels: tuple[str, ...]
    purpose: str = Purpose.DUE_REMINDER.value


def plans_in_force(book: Book, customer_id: str, zone: str) -> tuple[PlanInForce, ...]:
    """From what was loaded of the customer's agreements."""
    page = book.agreements.get(customer_id)
    if page is None:
        return ()
    today = local_date(book.now, zone)
    active = [filed.plan for filed in page.plans.values() if filed.plan.state is PlanState.ACTIVE]
    return tuple(
        PlanInForce(plan, standing_on(book, plan, today))
        for plan in sorted(active, key=lambda each: (each.reckoned_at, each.plan_id))
    )


def explain_plan(
    about: PlanInForce,
    desk: Desk,
    reached: tuple[Sequence[PointOnFile], Sequence[ClaimOnFile]],
    zone: str,
    now: datetime,
    shelf: RuleShelf,
) -> dict[str, Any]:
    """The next reminder of an instalment with what the contact rules say of each channel then, as plain data."""
    plan = about.plan
    answer: dict[str, Any] = {"plan_id": plan.plan_id, "state": plan.state.value, "reminder": None, "why_none": None}
    if plan.remind is None:
        return answer | {"why_none": "it was agreed without reminders"}
    coming = next_reminder(plan)
    if coming is None:
        return answer | {"why_none": "every instalment to come is paid, or was spoken of"}
    said = shelf.repayment().plans.messages
    at = max(at_local(coming.on, plan.remind.at, zone), now)
    seen = bound_by(desk, {account_id for account_id, _ in plan.accounts})
    amounts: Mapping[str, int] = open_on(about.coverages, coming.due_on)
    reminder = {
        "due_on": coming.due_on,
        "at": at,
        "amounts": [{"currency": currency, "amount": amount} for currency, amount in sorted(amounts.items())],
        "template": said.reminder,
        "gate": foreseen(_Reminder(said.channels), at, seen, *reached, shelf),
    }
    return answer | {"reminder": reminder}
