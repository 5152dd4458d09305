"""What an account's money is replayed from: snapshots of the ledger, and what moved it in between.

Each entry is a fact with an identity of its own; the same fact told twice is one, the same identity with other content
is an error that intake should have refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from shared.domain.account import Account, Due
from shared.domain.policy import COMPONENTS

PaymentKey = tuple[str, str]
"""(source, payment id)"""


class ConflictingEntries(ValueError):
    """One identity, two contents."""


class Part(NamedTuple):
    """An amount owed, in minor units: which component, and whether it stands on a statement already."""

    component: str
    amount: int
    billed: bool = True


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """What core banking reported as of ``cutoff_at``, dues oldest first. Of several the highest ``sequence`` wins."""

    sequence: int
    cutoff_at: datetime
    parts: tuple[Part, ...]
    dues: tuple[Due, ...]

    @property
    def key(self) -> tuple[object, ...]:
        return ("snapshot", self.sequence)

    @property
    def at(self) -> datetime:
        return self.cutoff_at


@dataclass(frozen=True, slots=True)
class PaymentEntry:
    """It is inside a snapshot iff ``posted_at <= cutoff_at``; it counts for ``value_date``."""

    source: str
    payment_id: str
    amount: int
    value_date: date
    posted_at: datetime

    @property
    def key(self) -> tuple[object, ...]:
        return ("payment", self.source, self.payment_id)

    @property
    def payment(self) -> PaymentKey:
        return (self.source, self.payment_id)

    @property
    def at(self) -> datetime:
        return self.posted_at


@dataclass(frozen=True, slots=True)
class ReversalEntry:
    """``amount`` of a payment was taken back. It may come before its payment, and waits for it."""

    source: str
    reversal_id: str
    payment_id: str
    amount: int
    reversed_at: datetime

    @property
    def key(self) -> tuple[object, ...]:
        return ("reversal", self.source, self.reversal_id)

    @property
    def payment(self) -> PaymentKey:
        return (self.source, self.payment_id)

    @property
    def at(self) -> datetime:
        return self.reversed_at


@dataclass(frozen=True, slots=True)
class DisputeEntry:
    """From ``opened_at`` on no payment goes to the disputed amount of a part, at most to what is owed of it."""

    dispute_id: str
    component: str
    amount: int
    opened_at: datetime
    billed: bool = True

    @property
    def key(self) -> tuple[object, ...]:
        return ("dispute", self.dispute_id)

    @property
    def at(self) -> datetime:
        return self.opened_at


@dataclass(frozen=True, slots=True)
class DisputeEndEntry:
    """The dispute is over and its amount payable again; what the bank gave in to is not owed in its next snapshot."""

    dispute_id: str
    closed_at: datetime

    @property
    def key(self) -> tuple[object, ...]:
        return ("dispute-end", self.dispute_id)

    @property
    def at(self) -> datetime:
        return self.closed_at


@dataclass(frozen=True, slots=True)
class ChargeOffEntry:
    """The bank charged the account off: what comes in from that day on is recovery."""

    charged_off_at: datetime

    @property
    def key(self) -> tuple[object, ...]:
        return ("charge-off",)

    @property
    def at(self) -> datetime:
        return self.charged_off_at


@dataclass(frozen=True, slots=True)
class WaiverEntry:
    """``amount`` of a part was let off. The first snapshot cut off at or after ``granted_at`` has it booked."""

    waiver_id: str
    component: str
    amount: int
    granted_at: datetime

    @property
    def key(self) -> tuple[object, ...]:
        return ("waiver", self.waiver_id)

    @property
    def at(self) -> datetime:
        return self.granted_at


Entry = SnapshotEntry | PaymentEntry | ReversalEntry | DisputeEntry | DisputeEndEntry | ChargeOffEntry | WaiverEntry


def distinct(entries: Iterable[Entry], as_of: datetime | None) -> list[Entry]:
    """Each fact once, those later than ``as_of`` left out. Raises ConflictingEntries."""
    by_key: dict[tuple[object, ...], Entry] = {}
    for entry in entries:
        if as_of is not None and entry.at > as_of:
            continue
        known = by_key.setdefault(entry.key, entry)
        if known is not entry and known != entry:
            raise ConflictingEntries(f"{' '.join(map(str, entry.key))} was told twice, with different content")
    return list(by_key.values())


def snapshot_of(account: Account) -> SnapshotEntry:
    """The last report of an account as an entry; core banking reports what is billed, by four components."""
    parts = tuple(Part(name, getattr(account.balances, name)) for name in COMPONENTS)
    return SnapshotEntry(account.sequence, account.cutoff_at, parts, account.reported_dues)
