"""Which part of the debt each payment covered: replayed from facts, whatever the order in which they arrived.

Between two snapshots the newest one is the truth and the money that moved since is laid over it, ordered by the day it
counts for. A payment covers the parts in the order that the scheme gives for the days past due before it; what is
disputed is left out, so is what was waived since the snapshot; what is left over is credit. A payment that came back is
replayed as if it had been smaller. One that the snapshot has inside comes back to the parts that it had covered. The
next snapshot wins over all of it.

Minimum dues are covered oldest first, apart from the parts: after the 90th day a payment lowers principal first, and
the unpaid minimum ages all the same (``shared.domain.account.stand`` gives the same dues).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from shared.domain.allocation_book import SegmentBook
from shared.domain.allocation_entries import Entry, PaymentKey, SnapshotEntry, distinct
from shared.domain.allocation_facts import AccountFacts
from shared.domain.allocation_scheme import AllocationScheme
from shared.domain.policy import Grace


@dataclass(frozen=True, slots=True)
class AllocationRules:
    """How one account's money is laid: its issuer's scheme, the policy's grace, and the zone of its days."""

    scheme: AllocationScheme
    grace: Grace
    currency: str
    zone: str


class Share(NamedTuple):
    component: str
    billed: bool
    amount: int


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one entry. ``kind``: ``payment`` (``amount`` net of what came back before the next snapshot, which
    is ``came_back``), ``given_back`` (a payment inside the snapshot was reversed: ``shares`` were added to what is
    owed), ``credit_used`` (credit covered what became payable), ``waiver`` (let off). ``shares`` and ``to_credit`` sum
    to ``amount``. ``entry`` is the payment's (source, id) or the waiver's (id), empty for credit; ``sequence`` the
    snapshot it was laid over, ``dpd`` the days past due that chose the order."""

    kind: str
    entry: tuple[str, ...]
    on: date
    amount: int
    dpd: int
    shares: tuple[Share, ...]
    to_credit: int
    sequence: int
    recovery: bool = False
    came_back: int = 0


@dataclass(frozen=True, slots=True)
class PartBalance:
    component: str
    billed: bool
    owed: int
    disputed: int


@dataclass(frozen=True, slots=True)
class Period:
    """From one snapshot to the next: ``opening - waived + given_back - paid + credit = closing``, to the minor unit.
    ``drift`` is what the next snapshot owes beyond that: charges and purchases since, or a correction; None for the
    last."""

    sequence: int
    opening: int
    paid: int
    given_back: int
    credit: int
    closing: int
    drift: int | None
    waived: int = 0


@dataclass(frozen=True, slots=True)
class Replayed:
    """An account's money as of the replay. ``estimated``: something moved since the last snapshot. ``unallocated`` are
    payments that the first snapshot has inside, or that came for an account never reported; ``waiting`` reversals
    whose payment is not known. ``recovered`` came in after the charge-off and stayed."""

    parts: tuple[PartBalance, ...]
    credit: int
    past_due: int
    oldest_due: date | None
    sequence: int | None
    estimated: bool
    charged_off: bool
    recovered: int
    lines: tuple[Line, ...]
    periods: tuple[Period, ...]
    unallocated: tuple[PaymentKey, ...]
    waiting: tuple[tuple[str, str], ...]

    @property
    def owed(self) -> int:
        return sum(part.owed for part in self.parts)

    @property
    def payable(self) -> int:
        """What is owed and not disputed."""
        return sum(part.owed - part.disputed for part in self.parts)

    def by_component(self) -> Mapping[str, int]:
        owed: dict[str, int] = {}
        for part in self.parts:
            owed[part.component] = owed.get(part.component, 0) + part.owed
        return owed


def replay(entries: Iterable[Entry], rules: AllocationRules, as_of: datetime | None = None) -> Replayed:
    """Lay an account's entries over each other; ``as_of`` leaves out what happened later. What was known at a time is
    asked by giving only the entries received by then.

    The result depends on the set of entries alone. Raises ConflictingEntries for one identity with two contents,
    ValueError for a component that the scheme does not order.
    """
    facts = AccountFacts(distinct(entries, as_of), rules.zone)
    chain = facts.chain()
    first = facts.posted(None, chain[0].cutoff_at if chain else None)
    carried = _Carried()
    lines: list[Line] = []
    periods: list[Period] = []
    book: SegmentBook | None = None
    for snapshot, following in zip(chain, [*chain, None][1:], strict=True):
        book = SegmentBook(rules.scheme, snapshot, rules.grace, rules.currency)
        segment = _Segment(facts, snapshot, following, book, carried)
        lines += segment.run()
        periods.append(segment.period())
    return Replayed(
        parts=() if book is None else tuple(PartBalance(*each) for each in book.balances()),
        credit=0 if book is None else book.credit,
        past_due=0 if book is None else book.past_due,
        oldest_due=None if book is None else book.oldest_due,
        sequence=chain[-1].sequence if chain else None,
        estimated=book is not None and book.moved,
        charged_off=facts.charge_off is not None,
        recovered=carried.recovered,
        lines=tuple(lines),
        periods=tuple(periods),
        unallocated=tuple(each.payment for each in first),
        waiting=facts.waiting,
    )


class _Carried:
    """What one segment leaves to the next: what each payment covered, newest last, and what was recovery."""

    def __init__(self) -> None:
        self.covered: dict[PaymentKey, list[tuple[int, int]]] = {}
        self.recovery: set[PaymentKey] = set()
        self.recovered = 0


_WAIVER, _DISPUTE, _DISPUTE_END, _GIVEN_BACK, _PAYMENT = range(5)


class _Event(NamedTuple):
    """Sorted as it stands: by day, then kind, then instant, then identity. ``came_back`` goes with payments."""

    on: date
    kind: int
    at: datetime
    key: tuple[str, ...]
    amount: int = 0
    came_back: int = 0
    component: str = ""
    billed: bool = True


class _Segment:
    """From one snapshot to the next: its events by the day they count for, laid over its balances."""

    def __init__(
        self,
        facts: AccountFacts,
        snapshot: SnapshotEntry,
        following: SnapshotEntry | None,
        book: SegmentBook,
        carried: _Carried,
    ) -> None:
        self._facts, self._book, self._carried = facts, book, carried
        self._snapshot, self._following = snapshot, following
        self._from, self._until = snapshot.cutoff_at, None if following is None else following.cutoff_at
        charge_off = facts.charge_off
        counts = charge_off is not None and self._reached(charge_off)
        self._charged_off_on = facts.day(charge_off) if counts and charge_off is not None else None
        self._opening = book.owed
        self._lines: list[Line] = []

    def _reached(self, at: datetime) -> bool:
        return self._until is None or at <= self._until

    def run(self) -> list[Line]:
        self._waive()
        events = [*self._disputes(), *self._money()]
        for event in sorted(events):
            if event.kind == _PAYMENT:
                self._pay(event)
                continue
            if event.kind == _DISPUTE:
                self._book.bar(event.key[0], event.component, billed=event.billed, amount=event.amount)
            elif event.kind == _DISPUTE_END:
                self._book.lift(event.key[0])
            else:
                self._give_back(event)
            self._use_credit(event.on)
        return self._lines

    def _waive(self) -> None:
        """Before the money, whatever the days: a payment that is told late and counts for an earlier day covers other
        parts, and does not take the place of what the bank let off."""
        for entry in self._facts.waived_in(self._from, self._until):
            on = self._facts.day(entry.granted_at)
            taken = self._book.waive(entry.component, entry.amount)
            event = _Event(on, _WAIVER, entry.granted_at, (entry.waiver_id,))
            self._note("waiver", event, self._book.days_past_due(on), sum(part for _, part in taken), taken)

    def period(self) -> Period:
        book, drift = self._book, None
        if self._following is not None:
            drift = sum(part.amount for part in self._following.parts) - (book.owed - book.credit)
        sequence = self._snapshot.sequence
        return Period(sequence, self._opening, book.paid, book.given_back, book.credit, book.owed, drift, book.waived)

    def _disputes(self) -> Iterator[_Event]:
        """Those that last into the segment; one that was open at the cut-off bars its part at once."""
        for entry, opened_at, closed_at in self._facts.disputes:
            if not self._reached(opened_at) or (closed_at is not None and closed_at <= self._from):
                continue
            key = (entry.dispute_id,)
            if opened_at <= self._from:
                self._book.bar(entry.dispute_id, entry.component, billed=entry.billed, amount=entry.amount)
            else:
                on = self._facts.day(opened_at)
                yield _Event(on, _DISPUTE, opened_at, key, entry.amount, 0, entry.component, entry.billed)
            if closed_at is not None and self._reached(closed_at):
                yield _Event(self._facts.day(closed_at), _DISPUTE_END, closed_at, key)

    def _money(self) -> Iterator[_Event]:
        for payment in self._facts.posted(self._from, self._until):
            undone = self._facts.undone(payment.payment, self._until)
            net = payment.amount - undone
            yield _Event(payment.value_date, _PAYMENT, payment.posted_at, payment.payment, net, undone)
        for at, payment, amount in self._facts.came_back_in(self._from, self._until):
            if payment.posted_at <= self._from:
                yield _Event(self._facts.day(at), _GIVEN_BACK, at, payment.payment, amount)

    def _recovering(self, on: date) -> bool:
        return self._charged_off_on is not None and on >= self._charged_off_on

    def _pay(self, event: _Event) -> None:
        source, payment_id = event.key
        dpd, recovery = self._book.days_past_due(event.on), self._recovering(event.on)
        taken, left = self._book.pay(event.amount, dpd, charged_off=recovery)
        self._carried.covered[source, payment_id] = taken
        if recovery:
            self._carried.recovery.add((source, payment_id))
            self._carried.recovered += event.amount
        self._note("payment", event, dpd, event.amount, taken, to_credit=left, recovery=recovery)

    def _give_back(self, event: _Event) -> None:
        """To the parts that the payment had covered, the last covered first; what we never saw covered to the part
        that a payment reaches last."""
        source, payment_id = event.key
        covered = self._carried.covered.get((source, payment_id), [])
        dpd, parts, left = self._book.days_past_due(event.on), [], event.amount
        while covered and left:
            number, had = covered.pop()
            back = min(had, left)
            parts.append((number, back))
            left -= back
            if back < had:
                covered.append((number, had - back))
        if left:
            parts.append((self._book.last_part(), left))
        self._book.give_back(parts, event.on)
        recovery = (source, payment_id) in self._carried.recovery
        if recovery:
            self._carried.recovered -= event.amount
        self._note("given_back", event, dpd, event.amount, parts, recovery=recovery)

    def _use_credit(self, on: date) -> None:
        dpd, recovery = self._book.days_past_due(on), self._recovering(on)
        taken = self._book.use_credit(dpd, charged_off=recovery)
        if taken:
            event = _Event(on, _PAYMENT, self._from, ())
            self._note("credit_used", event, dpd, sum(amount for _, amount in taken), taken, recovery=recovery)

    def _note(
        self,
        kind: str,
        event: _Event,
        dpd: int,
        amount: int,
        taken: Sequence[tuple[int, int]],
        *,
        to_credit: int = 0,
        recovery: bool = False,
    ) -> None:
        shares = tuple(Share(*self._book.name(number), part) for number, part in taken)
        self._lines.append(
            Line(
                kind,
                event.key,
                event.on,
                amount,
                dpd,
                shares,
                to_credit,
                self._snapshot.sequence,
                recovery=recovery,
                came_back=event.came_back,
            )
        )
