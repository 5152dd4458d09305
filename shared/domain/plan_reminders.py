"""When a customer is reminded of an instalment, and of how much of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from shared.domain.announcement import Announcement
from shared.domain.outcome import Outcome
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_coverage import Coverage


@dataclass(frozen=True, slots=True)
class Reminder:
    """On day ``on``, of what is due on ``due_on``."""

    on: date
    due_on: date


def next_reminder(plan: Plan) -> Reminder | None:
    """Its day may be past when nobody looked. Of the first instalment that was not covered when the plan was last
    judged, and of which the customer was not told before or on the day of the agreement."""
    if plan.remind is None or plan.state is not PlanState.ACTIVE:
        return None
    before = timedelta(days=plan.remind.days)
    told = _told(plan)
    open_days = (
        each.due_on
        for schedule, progress in zip(plan.schedules, plan.progress, strict=True)
        for each in schedule.instalments[progress.covered :]
    )
    due_on = min((each for each in open_days if each - before > told), default=None)
    return None if due_on is None else Reminder(due_on - before, due_on)


def remind(plan: Plan, coverages: Sequence[Coverage], today: date) -> Outcome[Plan]:
    """Announce the instalments whose reminder is due ``today`` or was since the last one; one whose day is over, or
    that is covered, is passed over."""
    if plan.remind is None or plan.state is not PlanState.ACTIVE:
        return Outcome(plan)
    before, told = timedelta(days=plan.remind.days), _told(plan)
    days = sorted({each.due_on for schedule in plan.schedules for each in schedule.instalments})
    now = [due_on for due_on in days if told < due_on - before <= today]
    if not now:
        return Outcome(plan)
    news = tuple(_news(plan, due_on, open_on(coverages, due_on)) for due_on in now if due_on >= today)
    return Outcome(replace(plan, reminded_on=now[-1] - before), tuple(each for each in news if each.data["amounts"]))


def open_on(coverages: Sequence[Coverage], due_on: date) -> Mapping[str, int]:
    """What has to come in up to ``due_on`` and is not there yet, in minor units by currency; nothing when all of it is
    covered."""
    lacking = {
        each.currency: sum(
            part.amount - part.paid for part in each.instalments if part.due_on <= due_on and part.covered_on is None
        )
        for each in coverages
    }
    return {currency: amount for currency, amount in lacking.items() if amount > 0}


def covered_through(coverages: Sequence[Coverage]) -> date | None:
    """The newest due day up to which every currency is covered; None when the first is not."""
    days = sorted({part.due_on for each in coverages for part in each.instalments})
    covered = [day for day in days if not open_on(coverages, day)]
    return covered[-1] if covered else None


def _told(plan: Plan) -> date:
    return max(day for day in (plan.reminded_on, plan.active_from, plan.proposed_on) if day is not None)


def _news(plan: Plan, due_on: date, amounts: Mapping[str, int]) -> Announcement:
    data = {
        "plan_id": str(plan.plan_id),
        "customer_id": plan.customer_id,
        "due_on": due_on.isoformat(),
        "amounts": [{"currency": currency, "amount": amount} for currency, amount in sorted(amounts.items())],
        "policy_version": plan.policy_version,
    }
    return Announcement("arrears.plan", "arrears.plan.instalment_due.v1", plan.customer_id, data)
