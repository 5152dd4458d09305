"""THE table: which event of ours runs which use case of the notifier."""

from __future__ import annotations

from shared.application.pipeline import Consumer
from shared.application.reminding import Reminding


def consumer(reminding: Reminding) -> Consumer:
    return Consumer(
        "notifier",
        {
            "arrears.reminder.due.v1": reminding.take_up_reminders,
            "arrears.case.cured.v1": reminding.thank_for_cure,
            "arrears.complaint.acknowledged.v1": reminding.acknowledge_complaint,
        },
    )
