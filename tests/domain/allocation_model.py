"""Allocation as a patient clerk would do it: one minor unit at a time, everything looked up again for each."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from shared.domain.account import MoneySince, stand
from shared.domain.allocation import AllocationRules
from shared.domain.allocation_entries import (
    ChargeOffEntry,
    DisputeEndEntry,
    DisputeEntry,
    Entry,
    PaymentEntry,
    ReversalEntry,
    SnapshotEntry,
    WaiverEntry,
)
from shared.domain.calendar import local_date
from shared.domain.delinquency import days_past_due

Part = tuple[str, bool]
BAR, LIFT, BACK, PAY = range(4)  # in this order within a day


class Clerk:
    def __init__(self, entries: Iterable[Entry], rules: AllocationRules) -> None:
        self.rules = rules
        self.entries = list(set(entries))
        self.payments = self.of(PaymentEntry)
        self.owed: dict[Part, int] = {}
        self.barred: dict[str, tuple[Part, int]] = {}
        self.covered: dict[tuple[str, str], list[Part]] = {}
        self.credit = 0
        self.since = MoneySince()
        chain = self.snapshots()
        for number, snapshot in enumerate(chain):
            self.lay(snapshot, chain[number + 1].cutoff_at if number + 1 < len(chain) else None)

    def of(self, kind: type) -> list:
        return [each for each in self.entries if isinstance(each, kind)]

    def day(self, instant: datetime) -> date:
        return local_date(instant, self.rules.zone)

    def snapshots(self) -> list[SnapshotEntry]:
        def outdone(mine: SnapshotEntry) -> bool:
            return any(o.sequence > mine.sequence and o.cutoff_at <= mine.cutoff_at for o in self.of(SnapshotEntry))

        return sorted((s for s in self.of(SnapshotEntry) if not outdone(s)), key=lambda s: s.sequence)

    def gone(self, payment: PaymentEntry) -> list[datetime]:
        """The instant at which each unit of a payment that came back was gone."""
        reversals = sorted(
            (r for r in self.of(ReversalEntry) if r.payment == payment.payment),
            key=lambda r: (r.reversed_at, r.reversal_id),
        )
        units = [max(r.reversed_at, payment.posted_at) for r in reversals for _ in range(r.amount)]
        return units[: payment.amount]

    def lay(self, snapshot: SnapshotEntry, until: datetime | None) -> None:
        self.dues, self.credit, self.barred, self.since = snapshot.dues, 0, {}, MoneySince()
        self.owed = {(p.component, p.billed): 0 for p in snapshot.parts}
        for part in snapshot.parts:
            self.owed[(part.component, part.billed)] += part.amount
        self.start, self.until = snapshot.cutoff_at, until
        for waiver in sorted(self.of(WaiverEntry), key=lambda w: (w.granted_at, w.waiver_id)):
            if waiver.granted_at > self.start and self.reached(waiver.granted_at):
                self.let_off(waiver)
        happenings = [*self.of_disputes(), *self.of_payments()]
        for on, kind, _, name, detail in sorted(happenings, key=lambda h: h[:4]):
            self.happen(on, kind, name, detail)

    def happen(self, on: date, kind: int, name: str, detail: Any) -> None:
        if kind == PAY:
            self.pay(*detail, on)
            return
        if kind == BAR:
            self.bar(detail)
        elif kind == LIFT:
            del self.barred[name]
        else:
            payment, units = detail
            for _ in range(units):
                self.take_back(payment, on)
        credit, self.credit = self.credit, 0
        self.cover(credit, on, self.dpd(on))

    def reached(self, at: datetime) -> bool:
        return self.until is None or at <= self.until

    def of_disputes(self) -> list:
        ends = {e.dispute_id: e.closed_at for e in self.of(DisputeEndEntry)}
        found = []
        for each in sorted(self.of(DisputeEntry), key=lambda d: (d.opened_at, d.dispute_id)):
            end = max(ends[each.dispute_id], each.opened_at) if each.dispute_id in ends else None
            if not self.reached(each.opened_at) or (end is not None and end <= self.start):
                continue
            if each.opened_at <= self.start:
                self.bar(each)
            else:
                found.append((self.day(each.opened_at), BAR, each.opened_at, each.dispute_id, each))
            if end is not None and self.reached(end):
                found.append((self.day(end), LIFT, end, each.dispute_id, None))
        return found

    def of_payments(self) -> list:
        found = []
        for payment in self.payments:
            gone = self.gone(payment)
            if payment.posted_at <= self.start:
                found += [
                    (self.day(at), BACK, at, payment.payment_id, (payment, gone.count(at)))
                    for at in sorted(set(gone))
                    if at > self.start and self.reached(at)
                ]
            elif self.reached(payment.posted_at):
                net = payment.amount - sum(self.reached(at) for at in gone)
                found.append((payment.value_date, PAY, payment.posted_at, payment.payment_id, (payment, net)))
        return found

    def let_off(self, waiver: WaiverEntry) -> None:
        for _ in range(waiver.amount):
            for part in ((waiver.component, True), (waiver.component, False)):
                if self.owed.get(part, 0):
                    self.owed[part] -= 1
                    break

    def charged_off(self, on: date) -> bool:
        return any(self.reached(c.charged_off_at) and on >= self.day(c.charged_off_at) for c in self.of(ChargeOffEntry))

    def open_of(self, part: Part) -> int:
        return self.owed.get(part, 0) - sum(amount for where, amount in self.barred.values() if where == part)

    def bar(self, dispute: DisputeEntry) -> None:
        part = (dispute.component, dispute.billed)
        self.barred[dispute.dispute_id] = (part, min(dispute.amount, self.open_of(part)))

    def dpd(self, on: date) -> int:
        standing = stand(self.dues, self.since)
        if standing.past_due <= self.rules.grace.amount.get(self.rules.currency, 0):
            return 0
        return days_past_due(standing.oldest_due, on, self.rules.grace.days)

    def pay(self, payment: PaymentEntry, net: int, on: date) -> None:
        dpd = self.dpd(on)
        self.since = MoneySince(self.since.paid + net, self.since.given_back, self.since.given_back_on)
        self.covered[payment.payment] = self.cover(net, on, dpd)

    def cover(self, amount: int, on: date, dpd: int) -> list[Part]:
        scheme = self.rules.scheme
        components = scheme.order_at(dpd, charged_off=self.charged_off(on))
        order = [(c, billed) for billed in (True, False) for c in components]
        if not scheme.billed_first:
            order = [(c, billed) for c in components for billed in (True, False)]
        units = []
        for _ in range(amount):
            part = next((each for each in order if self.open_of(each) > 0), None)
            if part is None:
                self.credit += 1
            else:
                self.owed[part] -= 1
                units.append(part)
        return units

    def take_back(self, payment: PaymentEntry, on: date) -> None:
        covered = self.covered.get(payment.payment, [])
        part = covered.pop() if covered else (self.rules.scheme.orders[0].order[-1], True)
        self.owed[part] = self.owed.get(part, 0) + 1
        newest = on if self.since.given_back_on is None else max(on, self.since.given_back_on)
        self.since = MoneySince(self.since.paid, self.since.given_back + 1, newest)
