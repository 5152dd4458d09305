"""THE table: which event of ours runs which use case of the scheduler."""

from __future__ import annotations

from shared.application.pipeline import Consumer
from shared.application.planning import Planner


def consumer(planner: Planner) -> Consumer:
    return Consumer(
        "scheduler",
        {
            "arrears.account.delinquent.v1": planner.replan,
            "arrears.account.cured.v1": planner.replan,
            "arrears.account.charged_off.v1": planner.replan,
            "arrears.account.closed.v1": planner.replan,
            "arrears.bucket.changed.v1": planner.replan,
            "arrears.case.opened.v1": planner.replan,
            "arrears.case.reopened.v1": planner.replan,
            "arrears.case.updated.v1": planner.replan,
            "arrears.case.cured.v1": planner.replan,
            "arrears.case.closed.v1": planner.replan,
            "arrears.case.follow_up_deferred.v1": planner.replan,
            "arrears.case.follow_up_cancelled.v1": planner.replan,
            "arrears.customer.merged.v1": planner.replan,
            "arrears.payment.received.v1": planner.replan,
            "arrears.payment.reversed.v1": planner.replan,
            "arrears.hold.placed.v1": planner.replan,
            "arrears.hold.released.v1": planner.replan,
            "arrears.hold.ended.v1": planner.replan,
            "arrears.promise.made.v1": planner.replan,
            "arrears.promise.kept.v1": planner.replan,
            "arrears.promise.partially_kept.v1": planner.replan,
            "arrears.promise.broken.v1": planner.replan,
            "arrears.promise.reopened.v1": planner.replan,
            "arrears.promise.cancelled.v1": planner.replan,
            "arrears.message.sent.v1": planner.note_outcomes,
            "arrears.message.failed.v1": planner.note_outcomes,
            "arrears.message.suppressed.v1": planner.note_outcomes,
        },
    )
