"""What was found that a household can pay, as it stands for a time, and what of it stands against a plan."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.domain.payment import AccountKey
from shared.domain.plan_dates import Frequency, add_months
from shared.domain.plan_quote import Quote
from shared.domain.plan_schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """Up to ``valid_until`` a month leaves ``available`` minor units for the debts on ``accounts``, which may be less
    than nothing."""

    assessment_id: UUID
    customer_id: str
    accounts: frozenset[AccountKey]
    available: int
    valid_until: date


def objections(assessment: Assessment, made: Quote, today: date) -> Mapping[str, str]:
    """What stands against the plan that names this assessment, by code. The words tell what the plan asks for, never
    what the household has."""
    uncovered = sorted({debt.account_id for debt in made.debts if debt.account not in assessment.accounts})
    most = max(dearest_month(schedule, made.terms.dates.frequency) for schedule in made.schedules)
    against = {
        "assessment-expired": f"the assessment was good until {assessment.valid_until}"
        if today > assessment.valid_until
        else "",
        "assessment-of-others": f"the assessment was not about {', '.join(uncovered)}" if uncovered else "",
        "not-affordable": f"the plan asks for up to {most} a month, which is more than the assessment found available"
        if not uncovered and most > assessment.available
        else "",
    }
    return {code: words for code, words in against.items() if words}


def dearest_month(schedule: Schedule, frequency: Frequency) -> int:
    """The most that falls due within a month of it, by the rhythm of its days: one instalment where they are monthly,
    else as many as a month can hold."""
    if frequency is Frequency.MONTHLY:
        return max(each.amount for each in schedule.instalments)
    days = [each.nominal_on for each in schedule.instalments]
    sums = [0, *schedule.cumulative]
    return max(sums[bisect_left(days, add_months(day, 1))] - sums[start] for start, day in enumerate(days))
