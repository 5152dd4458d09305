"""The balances of one account between two snapshots, while money is laid over them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import accumulate

from shared.domain.allocation_entries import SnapshotEntry
from shared.domain.allocation_scheme import AllocationScheme
from shared.domain.delinquency import days_past_due
from shared.domain.policy import Grace

Taken = list[tuple[int, int]]
"""(number of the part, minor units), in the order in which they were taken"""


class SegmentBook:
    """Parts are numbered, two for each component of the scheme: billed, then unbilled. Raises ValueError for a part
    that the scheme does not order, or a negative one."""

    def __init__(self, scheme: AllocationScheme, snapshot: SnapshotEntry, grace: Grace, currency: str) -> None:
        self._scheme = scheme
        self._numbers = {name: number for number, name in enumerate(scheme.components)}
        self._owed = [0] * (2 * len(scheme.components))
        self._barred = [0] * len(self._owed)
        for part in snapshot.parts:
            if part.amount < 0:
                raise ValueError(f"{part.component} is owed a negative amount")
            self._owed[self.number(part.component, billed=part.billed)] += part.amount
        self._disputes: dict[str, tuple[int, int]] = {}
        self._orders: dict[tuple[str, ...], list[int]] = {}
        self._due_dates = [due.due_date for due in snapshot.dues]
        self._unpaid = list(accumulate(due.unpaid for due in snapshot.dues))
        self._given_back_on: date | None = None
        self._grace_days = grace.days
        self._tolerance = grace.amount.get(currency, 0)
        self.credit = 0
        self.paid = 0
        self.given_back = 0
        self.waived = 0

    def number(self, component: str, *, billed: bool) -> int:
        try:
            return 2 * self._numbers[component] + (not billed)
        except KeyError:
            raise ValueError(f"{self._scheme.issuer} has no place for {component!r} in its order") from None

    def name(self, number: int) -> tuple[str, bool]:
        return self._scheme.components[number // 2], number % 2 == 0

    @property
    def owed(self) -> int:
        return sum(self._owed)

    @property
    def moved(self) -> bool:
        return bool(self.paid or self.given_back)

    @property
    def past_due(self) -> int:
        reported = self._unpaid[-1] if self._unpaid else 0
        return max(0, reported + self.given_back - self.paid)

    @property
    def oldest_due(self) -> date | None:
        """The due date of the oldest minimum not covered; what came back is on the newest."""
        if not self.past_due:
            return None
        if not self._due_dates:
            return self._given_back_on
        place = bisect_right(self._unpaid, self.paid)
        return self._due_dates[min(place, len(self._due_dates) - 1)]

    def days_past_due(self, on: date) -> int:
        if self.past_due <= self._tolerance:
            return 0
        return days_past_due(self.oldest_due, on, self._grace_days)

    def balances(self) -> Iterator[tuple[str, bool, int, int]]:
        """(component, billed, owed, disputed) of each part that is owed or was ever barred."""
        for number, owed in enumerate(self._owed):
            if owed:
                yield *self.name(number), owed, self._barred[number]

    def waive(self, component: str, amount: int) -> Taken:
        """What a waiver let off, at most what is owed of its component, billed first."""
        taken: Taken = []
        for number in (self.number(component, billed=True), self.number(component, billed=False)):
            part = min(amount, self._owed[number])
            if part:
                self._owed[number] -= part
                taken.append((number, part))
                amount -= part
                self.waived += part
        return taken

    def pay(self, amount: int, dpd: int, *, charged_off: bool) -> tuple[Taken, int]:
        """What a payment took from which part, and what was left for credit."""
        self.paid += amount
        taken, left = self._take(amount, self._order(dpd, charged_off=charged_off))
        self.credit += left
        return taken, left

    def use_credit(self, dpd: int, *, charged_off: bool) -> Taken:
        if not self.credit:
            return []
        taken, self.credit = self._take(self.credit, self._order(dpd, charged_off=charged_off))
        return taken

    def give_back(self, parts: Sequence[tuple[int, int]], on: date) -> None:
        for number, amount in parts:
            self._owed[number] += amount
            self.given_back += amount
        self._given_back_on = on if self._given_back_on is None else max(on, self._given_back_on)

    def last_part(self) -> int:
        """The billed part that a payment reaches last while the account is young: where comes back what we never saw
        covered."""
        return self.number(self._scheme.orders[0].order[-1], billed=True)

    def bar(self, dispute_id: str, component: str, *, billed: bool, amount: int) -> None:
        """Leave an amount out from now on, at most what is owed of the part and not disputed already."""
        number = self.number(component, billed=billed)
        barred = min(amount, self._owed[number] - self._barred[number])
        self._disputes[dispute_id] = (number, barred)
        self._barred[number] += barred

    def lift(self, dispute_id: str) -> None:
        number, barred = self._disputes.pop(dispute_id)
        self._barred[number] -= barred

    def _order(self, dpd: int, *, charged_off: bool) -> list[int]:
        order = self._scheme.order_at(dpd, charged_off=charged_off)
        known = self._orders.get(order)
        if known is None:
            numbers = [self._numbers[name] for name in order]
            pairs = [(2 * number, 2 * number + 1) for number in numbers]
            if self._scheme.billed_first:
                known = [billed for billed, _ in pairs] + [unbilled for _, unbilled in pairs]
            else:
                known = [number for pair in pairs for number in pair]
            self._orders[order] = known
        return known

    def _take(self, amount: int, order: Sequence[int]) -> tuple[Taken, int]:
        taken: Taken = []
        for number in order:
            if not amount:
                break
            part = min(amount, self._owed[number] - self._barred[number])
            if part:
                self._owed[number] -= part
                taken.append((number, part))
                amount -= part
        return taken, amount
