"""What we announce of a plan: ids, dates and amounts; with every instalment its figures, so that nobody has to ask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from shared.domain.announcement import Announcement
from shared.domain.plan import Plan, PlanState
from shared.domain.plan_coverage import Coverage, InstalmentStanding

TOPIC = "arrears.plan"


def plan_news(word: str, plan: Plan, previous: PlanState | None) -> Announcement:
    data: dict[str, Any] = {
        **_named(plan),
        "kind": plan.kind.value,
        "accounts": sorted({account_id for account_id, _ in plan.accounts}),
        "state": plan.state.value,
        "previous": None if previous is None else previous.value,
        "reason": plan.reason,
        "left": [{"currency": each.currency, "amount": each.left} for each in plan.progress],
        "ended_on": None if plan.ended_on is None else plan.ended_on.isoformat(),
        "replaces": None if plan.replaces is None else str(plan.replaces),
        "replaced_by": None if plan.replaced_by is None else str(plan.replaced_by),
        "policy_version": plan.policy_version,
    }
    return Announcement(TOPIC, f"arrears.plan.{word}.v1", plan.customer_id, data)


def instalment_news(plan: Plan, coverages: Sequence[Coverage]) -> tuple[Announcement, ...]:
    """What became of instalments since the plan was last judged, currency by currency, in their order."""
    return tuple(
        Announcement(TOPIC, f"arrears.plan.instalment_{word}.v1", plan.customer_id, _instalment(plan, coverage, each))
        for before, coverage in zip(plan.progress, coverages, strict=True)
        for word, each in _changes(before.covered, before.missed_through, coverage)
    )


def moved_news(before: Plan, after: Plan, coverages: Sequence[Coverage]) -> tuple[Announcement, ...]:
    """The instalments of a plan that are due on another day than before; ``coverages`` are those of ``after``."""
    return tuple(
        Announcement(TOPIC, "arrears.plan.instalment_moved.v1", after.customer_id, _instalment(after, coverage, each))
        for schedule, coverage in zip(before.schedules, coverages, strict=True)
        for was, each in zip(schedule.instalments, coverage.instalments, strict=True)
        if was.due_on != each.due_on
    )


def _changes(covered: int, missed_through: int, now: Coverage) -> Iterator[tuple[str, InstalmentStanding]]:
    for each in now.instalments:
        if covered < each.number <= now.covered:
            yield "covered", each
        elif now.covered < each.number <= covered:
            yield "uncovered", each
        if now.covered < each.number <= now.missed_through and not covered < each.number <= missed_through:
            yield "missed", each


def _instalment(plan: Plan, coverage: Coverage, each: InstalmentStanding) -> dict[str, Any]:
    return {
        **_named(plan),
        "currency": coverage.currency,
        "number": each.number,
        "due_on": each.due_on.isoformat(),
        "amount": each.amount,
        "paid": each.paid,
        "covered_on": None if each.covered_on is None else each.covered_on.isoformat(),
        "overdue": coverage.overdue,
        "left": coverage.left,
    }


def _named(plan: Plan) -> dict[str, Any]:
    return {"plan_id": str(plan.plan_id), "customer_id": plan.customer_id}
