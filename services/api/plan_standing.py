"""How each instalment of a plan stands on a day, as its route answers it."""

from __future__ import annotations

from datetime import date
from typing import Any

from services.api.deps import ApiDeps
from services.api.reading import policy_of
from services.api.statements import AHEAD
from shared.adapters.postgres.views.plans import PlanWithMoney
from shared.application.judging import zone_of
from shared.application.refusals import FieldError, Invalid, NotFound
from shared.domain.calendar import local_date
from shared.domain.plan import JUDGED, Plan
from shared.domain.plan_coverage import Coverage, InstalmentState, payoff
from shared.domain.plan_life import standing
from shared.domain.plan_schedule import Schedule


async def standing_on(deps: ApiDeps, found: PlanWithMoney, on: date | None) -> dict[str, Any]:
    """On the customer's today when no day is given. Raises Invalid for a day on which the plan does not stand."""
    today = local_date(found.now, zone_of(found.time_zone, await policy_of(deps)))
    day = today if on is None else on
    if not found.plan.proposed_on <= day <= today + AHEAD:
        wrong = FieldError("on", "is before the plan was made, or more than 366 days ahead")
        raise Invalid("The plan does not stand on that day.", errors=[wrong])
    return _shown(found, day)


def _shown(found: PlanWithMoney, on: date) -> dict[str, Any]:
    """Each currency with its instalments at the end of ``on``, by all payments known now."""
    plan = found.plan
    coverages = standing(plan, found.payments, on)
    return {
        "plan_id": plan.plan_id,
        "state": plan.state.value,
        "on": on,
        "currencies": [
            _coverage(each, _payoff(plan, schedule, each, on))
            for schedule, each in zip(plan.schedules, coverages, strict=True)
        ],
    }


def _payoff(plan: Plan, schedule: Schedule, coverage: Coverage, on: date) -> int | None:
    if plan.state not in JUDGED:
        return None
    return 0 if coverage.completed_on is not None else payoff(schedule, coverage.received, on)


def _coverage(coverage: Coverage, ends_for: int | None) -> dict[str, Any]:
    ended = coverage.completed_on is not None
    instalments = []
    for each in coverage.instalments:
        left = 0 if ended else each.amount - each.paid
        late = left if each.state is InstalmentState.MISSED else 0
        told = {name: getattr(each, name) for name in ("number", "due_on", "amount", "paid", "covered_on", "state")}
        instalments.append(told | {"open": left, "late": late})
    about = {
        name: getattr(coverage, name)
        for name in ("currency", "received", "covered", "missed", "overdue", "left", "waived", "over")
    }
    return about | {"instalments": instalments, "payoff": ends_for}


def no_such_plan() -> NotFound:
    return NotFound("There is no such plan, or it is not among yours.")
