"""The timers of what was agreed, by kind."""

from __future__ import annotations

from shared.application.agreements import PROMISE_DUE
from shared.application.approvals import APPROVAL_ENDS, ApprovalDesk
from shared.application.clockwork import TimerTable
from shared.application.judging import PolicyShelf
from shared.application.plan_clock import PlanClock
from shared.application.plan_judging import PLAN_LOOK
from shared.application.promises import PromiseClock
from shared.application.settlement_clock import SettlementClock
from shared.application.settlement_judging import SETTLEMENT_LOOK


def agreement_clocks(shelf: PolicyShelf) -> TimerTable:
    return {
        PROMISE_DUE: PromiseClock(shelf).tick,
        PLAN_LOOK: PlanClock(shelf).tick,
        SETTLEMENT_LOOK: SettlementClock(shelf).tick,
        APPROVAL_ENDS: ApprovalDesk(shelf).tick,
    }
