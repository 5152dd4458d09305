"""How a debt came about: reports, and between them each payment with the parts and dues it covered, in order.

Parts and dues are covered apart (``shared.domain.allocation``): a payment's ``shares`` with what went to credit sum to
what stayed of it, and so do its ``dues`` with what was ``beyond_dues``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, NamedTuple

from shared.domain.account import Due
from shared.domain.allocation import Line, Period, Replayed
from shared.domain.allocation_entries import (
    DisputeEndEntry,
    DisputeEntry,
    PaymentEntry,
    PaymentKey,
    ReversalEntry,
    SnapshotEntry,
    WaiverEntry,
)
from shared.domain.calendar import local_date
from shared.domain.statement_facts import Told


@dataclass(frozen=True, slots=True)
class PartShare:
    component: str
    amount: int


@dataclass(frozen=True, slots=True)
class DueShare:
    due_date: date
    amount: int


@dataclass(frozen=True, slots=True)
class StatementEntry:
    """One step. ``kind``:

    - ``snapshot``: a report; ``amount`` is owed by it, ``shares`` says of what, ``dues`` what of each due was not
      covered, ``drift`` by how much it differs from what we had.
    - ``payment``: ``amount`` is what stayed of it, ``came_back`` what did not; ``shares`` and ``dues`` it covered.
    - ``reversal``: a payment was taken back. If a report has the payment inside, a ``given_back`` follows, with what is
      owed again; otherwise the payment is laid smaller from the start.
    - ``credit_used``: credit covered what became payable.
    - ``dispute``, ``dispute_end``: an amount of a part is left out from here on, and no longer.
    - ``waiver``: ``amount`` of a part was let off; it counts until a report cut off later, which has it booked.
    - ``charge_off``: what comes in from here on is recovery.

    ``counts`` is false for what changes nothing: a report that another one replaced, a payment that the first report
    has inside, a reversal whose payment is not known. ``owed`` is what is owed after the step, None before the first
    report, and ``change`` by how much the step moved it: the changes of all entries sum to what is owed.
    """

    kind: str
    on: date
    amount: int
    at: datetime | None = None
    told_at: datetime | None = None
    source: str | None = None
    id: str | None = None
    payment_id: str | None = None
    came_back: int = 0
    shares: tuple[PartShare, ...] = ()
    dues: tuple[DueShare, ...] = ()
    beyond_dues: int = 0
    to_credit: int = 0
    days_past_due: int | None = None
    recovery: bool = False
    drift: int | None = None
    counts: bool = True
    owed: int | None = None
    change: int = 0


def came_about(told: Iterable[Told], replayed: Replayed, zone: str) -> tuple[StatementEntry, ...]:
    """The entries of a replay with what each did, oldest report first; between two reports by the day they count for.
    Nothing depends on the order in which they are given."""
    history = _History(sorted(told, key=lambda each: (each.entry.at, each.entry.key)), replayed, zone)
    return tuple(_with_changes(history.steps()))


def _with_changes(steps: Iterable[StatementEntry]) -> Iterator[StatementEntry]:
    before = 0
    for step in steps:
        owed = before if step.owed is None else step.owed
        yield replace(step, change=owed - before)
        before = owed


class _Place(NamedTuple):
    """Where a step stands between two reports: by day, then what happened before, with and after the day's money."""

    on: date
    rank: int
    number: int


_BEFORE, _MONEY, _AFTER = range(3)


class _History:
    def __init__(self, told: Sequence[Told], replayed: Replayed, zone: str) -> None:
        self._replayed, self._zone = replayed, zone
        self._snapshots: dict[int, tuple[SnapshotEntry, datetime]] = {}
        self._payments: dict[PaymentKey, tuple[PaymentEntry, datetime]] = {}
        self._waivers: dict[str, Told] = {}
        self._others: list[Told] = []
        for each in told:
            if isinstance(each.entry, SnapshotEntry):
                self._snapshots[each.entry.sequence] = (each.entry, each.told_at)
            elif isinstance(each.entry, PaymentEntry):
                self._payments[each.entry.payment] = (each.entry, each.told_at)
            elif isinstance(each.entry, WaiverEntry):
                self._waivers[each.entry.waiver_id] = each
            else:
                self._others.append(each)
        self._lines: dict[int, list[Line]] = {period.sequence: [] for period in replayed.periods}
        for line in replayed.lines:
            self._lines[line.sequence].append(line)
        laid = {line.entry[0] for line in replayed.lines if line.kind == "waiver"}
        self._others += [each for waiver_id, each in self._waivers.items() if waiver_id not in laid]
        self._replaced = [sequence for sequence in self._snapshots if sequence not in self._lines]

    def steps(self) -> Iterator[StatementEntry]:
        periods = self._replayed.periods
        begins = [self._snapshots[period.sequence][0].cutoff_at for period in periods]
        yield from self._before(begins[0] if begins else None)
        drift = None
        for period, begin, until in zip(periods, begins, [*begins[1:], None], strict=True):
            yield self._snapshot(period.sequence, drift=drift, owed=period.opening)
            yield from self._between(period, begin, until)
            drift = period.drift

    def _before(self, first: datetime | None) -> Iterator[StatementEntry]:
        """What the first report has inside, or came without any."""
        steps = self._facts(None, first)
        for key in self._replayed.unallocated:
            step = _payment(*self._payments[key])
            steps.append((_Place(step.on, _MONEY, len(steps)), step))
        yield from (step for _, step in sorted(steps, key=_by_place))

    def _between(self, period: Period, after: datetime, until: datetime | None) -> Iterator[StatementEntry]:
        steps = self._facts(after, until)
        dues = _Dues(self._snapshots[period.sequence][0].dues)
        for number, line in enumerate(self._lines[period.sequence]):
            steps.append((_Place(line.on, _MONEY, number), self._line(line, dues)))
        owed = period.opening
        for _, step in sorted(steps, key=_by_place):
            if step.kind in ("payment", "credit_used", "waiver"):
                owed -= step.amount - step.to_credit
            elif step.kind == "given_back":
                owed += step.amount
            yield replace(step, owed=owed)

    def _facts(self, after: datetime | None, until: datetime | None) -> list[tuple[_Place, StatementEntry]]:
        """What is no money of its own, in (after, until]."""
        found: list[tuple[_Place, StatementEntry]] = []

        def inside(at: datetime) -> bool:
            return (after is None or at > after) and (until is None or at <= until)

        for sequence in self._replaced:
            if inside(self._snapshots[sequence][0].cutoff_at):
                step = self._snapshot(sequence, counts=False)
                found.append((_Place(step.on, _BEFORE, len(found)), step))
        for each in self._others:
            if inside(each.entry.at):
                rank = _AFTER if self._is_of_money_since(each, after) else _BEFORE
                step = self._fact(each)
                found.append((_Place(step.on, rank, len(found)), step))
        return found

    def _is_of_money_since(self, told: Told, after: datetime | None) -> bool:
        if not isinstance(told.entry, ReversalEntry) or told.entry.payment not in self._payments:
            return False
        return after is None or self._payments[told.entry.payment][0].posted_at > after

    def _snapshot(self, sequence: int, **known: Any) -> StatementEntry:
        entry, told_at = self._snapshots[sequence]
        return StatementEntry(
            "snapshot",
            local_date(entry.cutoff_at, self._zone),
            sum(part.amount for part in entry.parts),
            at=entry.cutoff_at,
            told_at=told_at,
            id=str(sequence),
            shares=_summed((part.component, part.amount) for part in entry.parts),
            dues=tuple(DueShare(due.due_date, due.unpaid) for due in entry.dues if due.unpaid),
            **known,
        )

    def _line(self, line: Line, dues: _Dues) -> StatementEntry:
        shares = _summed((share.component, share.amount) for share in line.shares)
        if line.kind == "credit_used":
            return StatementEntry("credit_used", line.on, line.amount, shares=shares, days_past_due=line.dpd)
        if line.kind == "waiver":
            step = self._fact(self._waivers[line.entry[0]])
            return replace(step, amount=line.amount, shares=shares, counts=line.amount > 0)
        source, payment_id = line.entry
        if line.kind == "given_back":
            back = dues.give_back(line.amount, line.on)
            return StatementEntry(
                "given_back", line.on, line.amount, source=source, payment_id=payment_id, shares=shares, dues=back
            )
        covered, beyond = dues.cover(line.amount)
        return replace(
            _payment(*self._payments[source, payment_id]),
            amount=line.amount,
            came_back=line.came_back,
            shares=shares,
            dues=covered,
            beyond_dues=beyond,
            to_credit=line.to_credit,
            days_past_due=line.dpd,
            recovery=line.recovery,
            counts=True,
        )

    def _fact(self, told: Told) -> StatementEntry:
        entry, told_at = told.entry, told.told_at
        plain = StatementEntry("charge_off", local_date(entry.at, self._zone), 0, at=entry.at, told_at=told_at)
        match entry:
            case ReversalEntry():
                return replace(
                    plain,
                    kind="reversal",
                    amount=entry.amount,
                    source=entry.source,
                    id=entry.reversal_id,
                    payment_id=entry.payment_id,
                    counts=entry.payment in self._payments,
                )
            case DisputeEntry():
                shares = (PartShare(entry.component, entry.amount),)
                return replace(plain, kind="dispute", amount=entry.amount, id=entry.dispute_id, shares=shares)
            case DisputeEndEntry():
                return replace(plain, kind="dispute_end", id=entry.dispute_id)
            case WaiverEntry():
                shares = (PartShare(entry.component, entry.amount),)
                return replace(
                    plain, kind="waiver", amount=entry.amount, id=entry.waiver_id, shares=shares, counts=False
                )
            case _:
                return plain


def _payment(entry: PaymentEntry, told_at: datetime) -> StatementEntry:
    """A payment that covers nothing yet."""
    return StatementEntry(
        "payment",
        entry.value_date,
        entry.amount,
        at=entry.posted_at,
        told_at=told_at,
        source=entry.source,
        id=entry.payment_id,
        payment_id=entry.payment_id,
        counts=False,
    )


class _Dues:
    """Dues of one report while money covers them, oldest first; what comes back is on the newest."""

    def __init__(self, reported: Sequence[Due]) -> None:
        self._days = [due.due_date for due in reported]
        self._unpaid = [due.unpaid for due in reported]
        self._beyond = 0

    def cover(self, amount: int) -> tuple[tuple[DueShare, ...], int]:
        """What of each due the amount covers, and what goes beyond them."""
        shares = []
        for place, unpaid in enumerate(self._unpaid):
            if not amount:
                break
            part = min(amount, unpaid)
            if part:
                self._unpaid[place] -= part
                amount -= part
                shares.append(DueShare(self._days[place], part))
        self._beyond += amount
        return tuple(shares), amount

    def give_back(self, amount: int, on: date) -> tuple[DueShare, ...]:
        """What is due again; what was paid beyond the dues covers it first."""
        covered = min(self._beyond, amount)
        self._beyond -= covered
        if amount == covered:
            return ()
        if not self._days:
            self._days, self._unpaid = [on], [0]
        self._unpaid[-1] += amount - covered
        return (DueShare(self._days[-1], amount - covered),)


def _summed(parts: Iterable[tuple[str, int]]) -> tuple[PartShare, ...]:
    """By component, billed and unbilled together, in the order in which they come."""
    sums: dict[str, int] = {}
    for component, amount in parts:
        sums[component] = sums.get(component, 0) + amount
    return tuple(PartShare(component, amount) for component, amount in sums.items() if amount)


def _by_place(placed: tuple[_Place, StatementEntry]) -> _Place:
    return placed[0]
