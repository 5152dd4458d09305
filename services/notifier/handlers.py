"""THE table: which event of ours runs which use case of the notifier."""

from __future__ import annotations

from shared.application.pipeline import Consumer
from shared.application.plan_messages import PlanMessages
from shared.application.reminding import Reminding


def consumer(reminding: Reminding) -> Consumer:
    plans = PlanMessages(reminding.shelf)
    return Consumer(
        "notifier",
        {
            "arrears.reminder.due.v1": reminding.take_up_reminders,
            "arrears.case.cured.v1": reminding.thank_for_cure,
            "arrears.complaint.acknowledged.v1": reminding.acknowledge_complaint,
            "arrears.plan.instalment_due.v1": plans.remind_of_instalment,
            "arrears.plan.instalment_covered.v1": plans.thank_for_instalment,
            "arrears.plan.completed.v1": plans.tell_of_end,
            "arrears.plan.broken.v1": plans.tell_of_end,
        },
    )
