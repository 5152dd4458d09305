"""What the use cases ask of the outside: one transaction's stores, grouped by noun, and the unit of work around them.

A store speaks the domain; it loads and saves sets, never row by row. The only implementation is
``shared/adapters/postgres``; the protocols are here so that arrows run one way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shared.application.book import Book, Changes, Payment, PaymentKey, Reversal, WaitingFact
from shared.domain.inbound import Answer, ReportedCustomer


class Seen:
    """An inbox line: what was answered, and the fingerprint of what was said."""

    __slots__ = ("answer", "fingerprint")

    def __init__(self, answer: str, fingerprint: bytes | None) -> None:
        self.answer = answer
        self.fingerprint = fingerprint


InboxLine = tuple[str, str, bytes | None, Answer | None, str | None, str | None]
"""(source, id, fingerprint, answer, reason, customer id)"""


class InboxStore(Protocol):
    async def seen(self, consumer: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]: ...

    async def add_to_inbox(self, consumer: str, lines: Sequence[InboxLine]) -> None: ...

    async def blocked(self, consumer: str, customer_ids: Iterable[str]) -> set[str]:
        """Customers with a parked or dead event at this consumer: whatever comes for them queues behind it."""

    async def park(
        self, consumer: str, customer_id: str, event: ParkedEvent, *, tries: int, not_before: datetime, error: str
    ) -> None: ...


class ParkedEvent(Protocol):
    @property
    def source(self) -> str: ...
    @property
    def id(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def envelope(self) -> bytes: ...


class BookStore(Protocol):
    async def owners(self, account_ids: Iterable[str]) -> dict[str, str]:
        """Account id to customer id, for the accounts that are known."""

    async def merged(self, customer_ids: Iterable[str]) -> dict[str, str]:
        """The chains of mergers that start at these customers: each link from -> into."""

    async def lock_customers(self, book: Book, customer_ids: Iterable[str], *, create: bool = False) -> None:
        """Lock in the order of ids (FOR NO KEY UPDATE), in a statement of its own, and fill ``book.customers``."""

    async def lock_unreported(self, account_ids: Iterable[str]) -> None:
        """Serialise on accounts that have no customer to lock yet, until the transaction ends."""

    async def load_cases(self, book: Book) -> None:
        """The newest case of every locked customer with its newest standing."""

    async def load_accounts(self, book: Book) -> None: ...

    async def load_movements(self, book: Book, unreported: Iterable[str] = ()) -> None:
        """Payments and reversals that may lie after the cut-offs of the loaded accounts, and all of the accounts
        named in ``unreported``."""

    async def payments(self, keys: Sequence[PaymentKey]) -> dict[PaymentKey, Payment]: ...

    async def reversals(
        self, keys: Sequence[tuple[str, str]], of_payments: Sequence[PaymentKey]
    ) -> dict[tuple[str, str], Reversal]: ...

    async def snapshots(self, keys: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]: ...

    async def waiting_facts(self, account_ids: Iterable[str]) -> list[WaitingFact]: ...

    async def save(self, changes: Changes, profiles: Mapping[str, ReportedCustomer] | None = None) -> None: ...


class Transaction(InboxStore, BookStore, Protocol):
    """One transaction. ``now`` is the business instant, read once; nothing outside ``UnitOfWork`` commits."""

    @property
    def now(self) -> datetime: ...


class UnitOfWork(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Transaction]: ...


CustomerIds = Iterable[str]
CaseIds = Iterable[UUID]
