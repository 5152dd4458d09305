"""THE table: which kind of timer runs which use case."""

from __future__ import annotations

from collections.abc import Sequence

from shared.application.agreements import PROMISE_DUE
from shared.application.approvals import APPROVAL_ENDS, ApprovalDesk
from shared.application.book import Book
from shared.application.clockwork import BucketRolls, DueTimer, TimerTable
from shared.application.complaint_clock import ComplaintClock
from shared.application.complaints import KINDS
from shared.application.contact_permits import PERMIT_END, permits_ended
from shared.application.holds import HOLD_END, hold_ended
from shared.application.housekeeping import HOUSEKEEPING, keep_house
from shared.application.judging import BUCKET_ROLL, LIMITATION_LOOK
from shared.application.limitation import Limitations
from shared.application.plan_clock import PlanClock
from shared.application.plan_judging import PLAN_LOOK
from shared.application.planning import FOLLOW_UP, Planner, PlanningStore
from shared.application.promises import PromiseClock
from shared.application.sending import RuleShelf
from shared.domain.complaint import Clock


def table(planner: Planner, rolls: BucketRolls, shelf: RuleShelf) -> TimerTable:
    async def follow_up_due(tx: PlanningStore, book: Book, _timers: Sequence[DueTimer]) -> None:
        await planner.replan_locked(tx, book)

    complaints = ComplaintClock()
    return {
        BUCKET_ROLL: rolls.roll,
        HOLD_END: hold_ended,
        PERMIT_END: permits_ended,
        KINDS[Clock.ACKNOWLEDGE]: complaints.tick,
        KINDS[Clock.ANSWER]: complaints.tick,
        PROMISE_DUE: PromiseClock(rolls.shelf).tick,
        PLAN_LOOK: PlanClock(rolls.shelf).tick,
        LIMITATION_LOOK: Limitations(shelf).look,
        APPROVAL_ENDS: ApprovalDesk(rolls.shelf).tick,
        FOLLOW_UP: follow_up_due,
        HOUSEKEEPING: keep_house,
    }
