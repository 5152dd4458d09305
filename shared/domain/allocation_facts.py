"""An account's entries by kind, with what a replay asks of them worked out once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from shared.domain.allocation_entries import (
    ChargeOffEntry,
    DisputeEndEntry,
    DisputeEntry,
    Entry,
    PaymentEntry,
    PaymentKey,
    ReversalEntry,
    SnapshotEntry,
    WaiverEntry,
)
from shared.domain.calendar import local_date


class CameBack(NamedTuple):
    """``amount`` of a payment is gone from ``at`` on."""

    at: datetime
    payment: PaymentEntry
    amount: int


class Dispute(NamedTuple):
    entry: DisputeEntry
    opened_at: datetime
    closed_at: datetime | None


class AccountFacts:
    """Nothing here depends on the order in which the entries are given."""

    def __init__(self, entries: Sequence[Entry], zone: str) -> None:
        self._zone = zone
        self._snapshots = [each for each in entries if isinstance(each, SnapshotEntry)]
        self._payments = sorted(
            (each for each in entries if isinstance(each, PaymentEntry)), key=lambda each: (each.posted_at, each.key)
        )
        self._posted_at = [each.posted_at for each in self._payments]
        self.charge_off = next((each.charged_off_at for each in entries if isinstance(each, ChargeOffEntry)), None)
        self.disputes = _disputes(entries)
        self._waivers = sorted(
            (each for each in entries if isinstance(each, WaiverEntry)), key=lambda each: (each.granted_at, each.key)
        )
        self._waived_at = [each.granted_at for each in self._waivers]
        known = {each.payment: each for each in self._payments}
        reversals = sorted(
            (each for each in entries if isinstance(each, ReversalEntry)), key=lambda each: (each.reversed_at, each.key)
        )
        self.waiting = tuple(sorted((r.source, r.reversal_id) for r in reversals if r.payment not in known))
        self._came_back = _came_back([r for r in reversals if r.payment in known], known)
        self._gone_at = [each.at for each in self._came_back]
        self._undone: dict[PaymentKey, list[CameBack]] = {}
        for each in self._came_back:
            self._undone.setdefault(each.payment.payment, []).append(each)

    def day(self, instant: datetime) -> date:
        return local_date(instant, self._zone)

    def chain(self) -> list[SnapshotEntry]:
        """The snapshots that count, oldest first: rising in sequence and in cut-off. A newer sequence with an earlier
        cut-off corrects, and so replaces, those that were cut off at or after it."""
        chain: list[SnapshotEntry] = []
        for each in sorted(self._snapshots, key=lambda each: each.sequence, reverse=True):
            if not chain or each.cutoff_at < chain[-1].cutoff_at:
                chain.append(each)
        return chain[::-1]

    def posted(self, after: datetime | None, until: datetime | None) -> list[PaymentEntry]:
        return self._payments[_between(self._posted_at, after, until)]

    def waived_in(self, after: datetime, until: datetime | None) -> list[WaiverEntry]:
        return self._waivers[_between(self._waived_at, after, until)]

    def came_back_in(self, after: datetime, until: datetime | None) -> list[CameBack]:
        return self._came_back[_between(self._gone_at, after, until)]

    def undone(self, payment: PaymentKey, until: datetime | None) -> int:
        """How much of a payment had come back by then."""
        return sum(each.amount for each in self._undone.get(payment, ()) if until is None or each.at <= until)


def _between(instants: Sequence[datetime], after: datetime | None, until: datetime | None) -> slice:
    first = 0 if after is None else bisect_right(instants, after)
    return slice(first, len(instants) if until is None else bisect_right(instants, until))


def _disputes(entries: Iterable[Entry]) -> list[Dispute]:
    ends = {each.dispute_id: each.closed_at for each in entries if isinstance(each, DisputeEndEntry)}
    disputes = []
    for each in entries:
        if isinstance(each, DisputeEntry):
            closed_at = ends.get(each.dispute_id)
            disputes.append(
                Dispute(each, each.opened_at, None if closed_at is None else max(closed_at, each.opened_at))
            )
    return sorted(disputes, key=lambda each: (each.opened_at, each.entry.dispute_id))


def _came_back(reversals: Iterable[ReversalEntry], payments: dict[PaymentKey, PaymentEntry]) -> list[CameBack]:
    """Never more of a payment than all of it in sum, nor before it was there."""
    left = {key: payment.amount for key, payment in payments.items()}
    came_back = []
    for reversal in reversals:
        payment = payments[reversal.payment]
        amount = min(left[payment.payment], reversal.amount)
        if amount:
            left[payment.payment] -= amount
            came_back.append(CameBack(max(reversal.reversed_at, payment.posted_at), payment, amount))
    return sorted(came_back, key=lambda each: (each.at, each.payment.key))
