"""The timers of what was agreed, by kind."""

from __future__ import annotations

from shared.application.agreements import PROMISE_DUE
from shared.application.approvals import APPROVAL_ENDS, ApprovalDesk
from shared.application.clockwork import TimerTable
from shared.application.judging import PolicyShelf
from shared.application.plan_clock import PlanClock
from shared.application.plan_judging import INSTALMENT_REMINDER, PLAN_LOOK
from shared.application.promises import PromiseClock
from shared.application.settlement_clock import SettlementClock
from shared.application.settlement_judging import SETTLEMENT_LOOK


def agreement_clocks(shelf: PolicyShelf) -> TimerTable:
    plans = PlanClock(shelf)
    return {
        PROMISE_DUE: PromiseClock(shelf).tick,
        PLAN_LOOK: plans.tick,
        INSTALMENT_REMINDER: plans.remind,
        SETTLEMENT_LOOK: SettlementClock(shelf).tick,
        APPROVAL_ENDS: ApprovalDesk(shelf).tick,
    }
