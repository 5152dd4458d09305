"""Plans as somebody would watch them who looks every morning and every evening, and never looks back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from shared.domain.payment import Received
from shared.domain.plan_coverage import BreakRule
from shared.domain.plan_schedule import Schedule


class Watchman:
    def __init__(self, schedule: Schedule, received: Sequence[Received], rule: BreakRule, on: date) -> None:
        self.schedule, self.rule, self.received = schedule, rule, received
        self.tolerance = rule.tolerance.get(schedule.currency, 0)
        self.state, self.ended_on = "active", None
        day = min([each.on for each in received] + [schedule.start_on])
        while day <= on and self.state == "active":
            self.morning(day)
            if self.state == "active":
                self.evening(day)
            day += timedelta(days=1)
        self.came = self.by(on)
        self.lacking = self.uncovered(self.came)
        self.missed = [each for each in self.lacking if on > self.last_day(each)]

    def by(self, day: date) -> int:
        return sum(each.amount for each in self.received if each.on <= day)

    def last_day(self, number: int) -> date:
        return self.schedule.instalments[number].due_on + timedelta(days=self.rule.grace_days)

    def needed(self, number: int) -> int:
        return sum(each.amount for each in self.schedule.instalments[: number + 1])

    def uncovered(self, came: int) -> list[int]:
        count = len(self.schedule.instalments)
        return [n for n in range(count) if came < max(1, self.needed(n) - self.tolerance)]

    def morning(self, day: date) -> None:
        came = self.by(day - timedelta(days=1))
        missed = [n for n in self.uncovered(came) if day > self.last_day(n)]
        if not missed:
            return
        late = (day - self.schedule.instalments[missed[0]].due_on).days
        bound = self.rule.overdue.get(self.schedule.currency)
        overdue = self.needed(missed[-1]) - came
        if len(missed) >= self.rule.missed or late > self.rule.days_late or (bound is not None and overdue >= bound):
            self.state, self.ended_on = "broken", day

    def evening(self, day: date) -> None:
        asked = 0
        begun = True
        for each in self.schedule.instalments:
            asked += each.principal + (each.interest + each.fee if begun else 0)
            begun = day > each.due_on
        if self.by(day) >= max(1, asked - self.tolerance) and self.by(day):
            self.state, self.ended_on = "completed", day
