"""The working set of one transaction over a set of customers: what was loaded, what it became, what must be written.

Every path (intake, timers, our own events, a route) works alike: lock the customers, load their pages of the book in a
few set-based reads, decide customer by customer in memory, write the changes in a few set-based writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from shared.domain.account import NOTHING_SINCE, Account, MoneySince
from shared.domain.announcement import Announcement
from shared.domain.calendar import local_date
from shared.domain.case import Case, CaseStanding
from shared.domain.delinquency import BucketEntry
from shared.domain.hold import Hold
from shared.domain.plan import Plan
from shared.domain.promise import Promise
from shared.domain.settlement import Settlement
from shared.domain.statement_facts import Told
from shared.domain.waiting import Wait
from shared.domain.waiver import Waiver

AccountKey = tuple[str, str]  # account id, currency
PaymentKey = tuple[str, str]  # source, payment id


@dataclass(slots=True)
class Point:
    """A contact point as we keep it; ``value`` is only there when it was just reported."""

    point_id: UUID
    kind: str
    source: str
    position: int
    state: str
    origin: str = "core"


@dataclass(slots=True)
class CustomerPage:
    """One customer and, latest first, their newest case."""

    customer_id: str
    core_version: int
    language: str
    time_zone: str | None
    jurisdiction: str | None
    segment: str
    merged_into: str | None
    cases_opened: int
    case: Case | None = None
    last_standing: CaseStanding | None = None
    standings: int = 0  # how many standings the case has on record

    @classmethod
    def unknown(cls, customer_id: str) -> CustomerPage:
        """The page of a customer who is heard of for the first time."""
        return cls(customer_id, 0, "zh-CN", None, None, "standard", None, 0)


class Payment(NamedTuple):
    source: str
    payment_id: str
    account_id: str
    currency: str
    customer_id: str | None
    amount: int
    value_date: date
    posted_at: datetime
    channel: str
    matched: bool
    fingerprint: bytes
    reversed_amount: int = 0
    last_reversed_at: datetime | None = None

    @property
    def key(self) -> PaymentKey:
        return (self.source, self.payment_id)


@dataclass(frozen=True, slots=True)
class Reversal:
    source: str
    reversal_id: str
    payment_id: str
    account_id: str
    currency: str
    amount: int
    reason: str
    reversed_at: datetime
    applied: bool
    fingerprint: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    account_id: str
    currency: str
    sequence: int
    cutoff_at: datetime
    stale: bool
    fingerprint: bytes
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WaitingFact:
    """A fact about an account that was never reported; ``data`` is its canonical JSON."""

    source: str
    id: str
    account_id: str
    currency: str
    type: str
    data: bytes
    applied: bool = False


@dataclass(frozen=True, slots=True)
class PromiseOnFile:
    """A promise as it stands in the books, with the case in whose time it was made."""

    promise: Promise
    case_id: UUID | None
    row_version: int = 1

    @property
    def customer_id(self) -> str:
        return self.promise.customer_id


@dataclass(frozen=True, slots=True)
class PlanOnFile:
    """A plan as it stands in the books. ``looked_on`` is the day as of which it was last judged; ``held`` how often its
    holds were placed, ``holding`` whether they stand."""

    plan: Plan
    case_id: UUID | None
    looked_on: date
    held: int = 0
    holding: bool = False
    row_version: int = 1

    @property
    def customer_id(self) -> str:
        return self.plan.customer_id


@dataclass(frozen=True, slots=True)
class SettlementOnFile:
    """A settlement as it stands in the books, like a plan."""

    settlement: Settlement
    case_id: UUID | None
    looked_on: date
    held: int = 0
    holding: bool = False
    row_version: int = 1

    @property
    def customer_id(self) -> str:
        return self.settlement.customer_id


@dataclass(frozen=True, slots=True)
class WaiverOnFile:
    """A waiver as it stands in the books, with the case in whose time it was proposed."""

    waiver: Waiver
    case_id: UUID | None
    row_version: int = 1

    @property
    def customer_id(self) -> str:
        return self.waiver.customer_id


@dataclass(frozen=True, slots=True)
class PlanHold:
    """The hold that a plan or settlement in force (``noun``, ``origin``) has on one of its accounts: placed, or
    released again."""

    hold_id: UUID
    noun: str
    origin: UUID
    customer_id: str
    account_id: str
    placed: bool


@dataclass(slots=True)
class Agreements:
    """What a customer agreed to, and the money on its accounts that was posted since the first of it."""

    promises: dict[UUID, PromiseOnFile] = field(default_factory=dict)
    plans: dict[UUID, PlanOnFile] = field(default_factory=dict)
    settlements: dict[UUID, SettlementOnFile] = field(default_factory=dict)
    waivers: dict[UUID, WaiverOnFile] = field(default_factory=dict)
    payments: dict[PaymentKey, Payment] = field(default_factory=dict)
    last_wait: Wait | None = None
    waits: int = 0  # how many waits are on record


class TimerKey(NamedTuple):
    scope: str
    kind: str
    subject: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    customer_id: str
    case_id: UUID | None
    kind: str
    data: Mapping[str, Any]
    actor: str


@dataclass(slots=True)
class Movements:
    """Money of one account that may lie after its cut-off: payments, reversals and when what they undo was posted."""

    payments: dict[PaymentKey, Payment] = field(default_factory=dict)
    reversals: list[tuple[datetime, datetime, int]] = field(default_factory=list)  # reversed_at, posted_at, amount

    def since(self, cutoff: datetime, zone: str) -> MoneySince:
        if not (self.payments or self.reversals):
            return NOTHING_SINCE
        paid = sum(payment.amount for payment in self.payments.values() if payment.posted_at > cutoff)
        given_back, newest = 0, None
        for reversed_at, posted_at, amount in self.reversals:
            if posted_at > cutoff:
                paid -= amount
            elif reversed_at > cutoff:
                given_back += amount
                newest = reversed_at if newest is None else max(newest, reversed_at)
        return MoneySince(paid, given_back, None if newest is None else local_date(newest, zone))


@dataclass(slots=True)
class Changes:
    """What a transaction writes when it ends. Maps hold the last word on a row, lists hold rows that are only added."""

    customers: dict[str, CustomerPage] = field(default_factory=dict)
    new_customers: dict[str, CustomerPage] = field(default_factory=dict)  # no row is there for them yet, by id
    accounts: dict[AccountKey, Account] = field(default_factory=dict)
    snapshots: list[Snapshot] = field(default_factory=list)
    payments: dict[PaymentKey, Payment] = field(default_factory=dict)
    new_accounts: set[AccountKey] = field(default_factory=set)  # those of ``accounts`` that no row is there for yet
    new_payments: set[PaymentKey] = field(default_factory=set)
    reversals: dict[tuple[str, str], Reversal] = field(default_factory=dict)
    waiting: dict[tuple[str, str], WaitingFact] = field(default_factory=dict)
    merges: list[tuple[str, str]] = field(default_factory=list)  # from, into
    handed_on: list[tuple[str, str, str]] = field(default_factory=list)  # account, from, to
    noted_holds: dict[str, int] = field(default_factory=dict)  # at how many of its turns a case was judged
    buckets: list[tuple[BucketEntry, UUID | None]] = field(default_factory=list)
    cases: dict[UUID, Case] = field(default_factory=dict)
    new_cases: set[UUID] = field(default_factory=set)  # those of ``cases`` that no row is there for yet
    standings: list[tuple[UUID, int, CaseStanding]] = field(default_factory=list)
    promises: dict[UUID, PromiseOnFile] = field(default_factory=dict)
    plans: dict[UUID, PlanOnFile] = field(default_factory=dict)
    settlements: dict[UUID, SettlementOnFile] = field(default_factory=dict)
    waivers: dict[UUID, WaiverOnFile] = field(default_factory=dict)
    plan_holds: dict[UUID, PlanHold] = field(default_factory=dict)
    moved_requests: dict[UUID, str] = field(default_factory=dict)  # what approvals are about, and whose it is now
    waits: list[tuple[str, int, Wait]] = field(default_factory=list)  # customer, number, fact
    timers: dict[TimerKey, datetime | None] = field(default_factory=dict)
    timeline: list[TimelineEntry] = field(default_factory=list)
    announcements: list[Announcement] = field(default_factory=list)

    def announce(self, announcements: Iterable[Announcement]) -> None:
        self.announcements.extend(announcements)

    def record(self, customer_id: str, case_id: UUID | None, kind: str, data: Mapping[str, Any], actor: str) -> None:
        self.timeline.append(TimelineEntry(customer_id, case_id, kind, data, actor))

    def set_timer(self, scope: str, kind: str, subject: str, due_at: datetime | None) -> None:
        self.timers[TimerKey(scope, kind, subject)] = due_at


@dataclass(slots=True)
class Book:
    """The pages of the customers at hand. ``now`` is the transaction's business instant."""

    now: datetime
    customers: dict[str, CustomerPage] = field(default_factory=dict)
    accounts: dict[str, dict[AccountKey, Account]] = field(default_factory=dict)  # by customer
    movements: dict[AccountKey, Movements] = field(default_factory=dict)
    agreements: dict[str, Agreements] = field(default_factory=dict)  # by customer; none who never agreed to anything
    told: dict[AccountKey, tuple[Told, ...]] = field(default_factory=dict)  # only where debts are reckoned
    held: dict[str, list[Hold]] = field(default_factory=dict)  # by account id: holds on it alone that stop the ladder
    changes: Changes = field(default_factory=Changes)

    def holds_of(self, customer_id: str) -> list[Hold]:
        """Those on single accounts of the customer, the ended ones too."""
        if not self.held:
            return []
        accounts = {account_id for account_id, _ in self.accounts_of(customer_id)}
        return [hold for account_id in accounts for hold in self.held.get(account_id, ())]

    def known_customers(self) -> list[str]:
        """Those of whom something may be on record."""
        return [key for key in self.customers if key not in self.changes.new_customers]

    def accounts_of(self, customer_id: str) -> dict[AccountKey, Account]:
        accounts = self.accounts.get(customer_id)
        if accounts is None:
            accounts = self.accounts[customer_id] = {}
        return accounts

    def owners(self) -> dict[str, str]:
        """Account id to customer id, of the accounts at hand."""
        return {key[0]: owner for owner, accounts in self.accounts.items() for key in accounts}

    def put_account(self, account: Account) -> None:
        self.accounts_of(account.customer_id)[account.key] = account
        self.changes.accounts[account.key] = account

    def movements_of(self, key: AccountKey) -> Movements:
        movements = self.movements.get(key)
        if movements is None:
            movements = self.movements[key] = Movements()
        return movements
