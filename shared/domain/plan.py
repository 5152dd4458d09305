"""A repayment plan: its states, and what is kept of one.

A plan that is active stops collection from the customer (CBRC order 2011 no. 2, art. 70), except for reminders of what
falls due; one that is broken does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from shared.domain.document import content_hash
from shared.domain.payment import AccountKey
from shared.domain.plan_coverage import BreakRule, Coverage
from shared.domain.plan_schedule import Schedule
from shared.domain.plan_terms import Agreement, Debt, PlanKind, PlanRefused, RemindRule, Terms


class PlanState(StrEnum):
    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVE = "active"
    COMPLETED = "completed"
    BROKEN = "broken"
    RESTRUCTURED = "restructured"
    CANCELLED = "cancelled"


class PlanAction(StrEnum):
    APPROVE = "approve"
    ACTIVATE = "activate"
    COMPLETE = "complete"
    BREAK = "break"
    RESUME = "resume"  # the past changed: neither complete nor broken after all
    RESTRUCTURE = "restructure"
    CANCEL = "cancel"


TRANSITIONS: Mapping[PlanState, Mapping[PlanAction, PlanState]] = MappingProxyType(
    {
        PlanState.PROPOSED: {PlanAction.APPROVE: PlanState.APPROVED, PlanAction.CANCEL: PlanState.CANCELLED},
        PlanState.APPROVED: {PlanAction.ACTIVATE: PlanState.ACTIVE, PlanAction.CANCEL: PlanState.CANCELLED},
        PlanState.ACTIVE: {
            PlanAction.COMPLETE: PlanState.COMPLETED,
            PlanAction.BREAK: PlanState.BROKEN,
            PlanAction.RESTRUCTURE: PlanState.RESTRUCTURED,
            PlanAction.CANCEL: PlanState.CANCELLED,
        },
        PlanState.BROKEN: {
            PlanAction.RESUME: PlanState.ACTIVE,
            PlanAction.COMPLETE: PlanState.COMPLETED,
            PlanAction.RESTRUCTURE: PlanState.RESTRUCTURED,
        },
        PlanState.COMPLETED: {PlanAction.RESUME: PlanState.ACTIVE, PlanAction.BREAK: PlanState.BROKEN},
        PlanState.RESTRUCTURED: {},
        PlanState.CANCELLED: {},
    }
)

LIVE = frozenset({PlanState.PROPOSED, PlanState.APPROVED, PlanState.ACTIVE})
JUDGED = frozenset({PlanState.ACTIVE, PlanState.BROKEN, PlanState.COMPLETED})


def transition(state: PlanState, action: PlanAction) -> PlanState:
    """The state after the action. Raises PlanRefused, saying what would be possible."""
    try:
        return TRANSITIONS[state][action]
    except KeyError:
        possible = ", ".join(TRANSITIONS[state]) or "nothing"
        raise PlanRefused("wrong-state", f"a plan that is {state} can not {action}; possible: {possible}") from None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one currency was when the plan was last judged: so many instalments covered, those up to number
    ``missed_through`` missed, the rest in minor units."""

    currency: str
    received: int = 0
    covered: int = 0
    missed_through: int = 0
    overdue: int = 0
    left: int = 0

    @classmethod
    def of(cls, coverage: Coverage) -> Progress:
        return cls(
            coverage.currency,
            coverage.received,
            coverage.covered,
            coverage.missed_through,
            coverage.overdue,
            coverage.left,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """``schedules`` and ``progress`` by currency, in the same order. ``rule`` is the break rule of the day it was
    proposed. ``approvers`` are the roles one of which has to approve; none once it is approved. ``replaces`` and
    ``replaced_by`` tie a restructured plan to its successor, ``generation`` counts them from 0. ``remind`` says when
    the customer is reminded of an instalment, ``reminded_on`` up to which day that is done. ``waived`` are the codes of
    what stood against it and was put aside by who proposed it."""

    plan_id: UUID
    customer_id: str
    terms: Terms
    debts: tuple[Debt, ...]
    schedules: tuple[Schedule, ...]
    shares: Mapping[AccountKey, tuple[int, ...]] = field(hash=False)
    reckoned_at: datetime
    rule: BreakRule
    proposed_by: str
    proposed_on: date
    assessment_id: UUID | None
    approvers: tuple[str, ...]
    policy_version: int
    state: PlanState = PlanState.PROPOSED
    approved_by: str | None = None
    agreement: Agreement | None = None
    active_from: date | None = None
    progress: tuple[Progress, ...] = ()
    ended_on: date | None = None
    reason: str = "proposed"
    replaces: UUID | None = None
    replaced_by: UUID | None = None
    generation: int = 0
    remind: RemindRule | None = None
    reminded_on: date | None = None
    waived: tuple[str, ...] = ()

    @property
    def kind(self) -> PlanKind:
        return self.terms.kind

    @property
    def accounts(self) -> frozenset[AccountKey]:
        return frozenset(debt.account for debt in self.debts)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of what is approved, whoever has the accounts: which debts are paid when and how."""
        return content_hash(
            {
                "kind": self.kind.value,
                "debts": sorted([debt.account_id, debt.currency, debt.amount] for debt in self.debts),
                "instalments": [
                    [schedule.currency, each.nominal_on, each.amount]
                    for schedule in self.schedules
                    for each in schedule.instalments
                ],
            }
        )

    @property
    def stops_collection(self) -> bool:
        return self.state is PlanState.ACTIVE
