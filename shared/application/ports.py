"""What the use cases ask of the outside: one transaction's stores, grouped by noun, and the unit of work around them.

A store speaks the domain; it loads and saves sets, never row by row. The only implementation is
``shared/adapters/postgres``; the protocols are here so that arrows run one way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta
from typing import Any, Protocol

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


BEHIND = "queued behind another"
"""What stands in place of an error for an event that was not tried, because one before it waits."""


class InboxStore(Protocol):
    async def seen(self, consumer: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]: ...

    async def add_to_inbox(self, consumer: str, lines: Sequence[InboxLine]) -> None: ...

    async def take(self, consumer: str, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Enter events of our own; those that were not there before are returned."""

    async def blocked(self, consumer: str, customer_ids: Iterable[str]) -> set[str]:
        """Customers with a parked or dead event at this consumer: whatever comes for them queues behind it."""

    async def park(
        self, consumer: str, customer_id: str, event: ParkedEvent, *, tries: int, retry_in: timedelta, error: str
    ) -> None:
        """Keep ``event``; ``retry_in`` is real time, because back-off has nothing to do with business."""


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

    async def owners_and_mergers(
        self, account_ids: Iterable[str], customer_ids: Iterable[str]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The owners of the accounts, and the chains of mergers that start at them or at ``customer_ids``: each link
        from -> into."""

    async def lock_customers(self, book: Book, customer_ids: Iterable[str], *, create: bool = False) -> None:
        """Lock in the order of ids (FOR NO KEY UPDATE), in a statement of its own, and fill ``book.customers``.

        With ``create``, whoever is not on record gets a blank page, which is written when the book is saved."""

    async def lock_unreported(self, account_ids: Iterable[str]) -> None:
        """Serialise on accounts that have no customer to lock yet, until the transaction ends."""

    async def load_cases(self, book: Book) -> None:
        """The newest case of every locked customer with its newest standing."""

    async def load_accounts(self, book: Book) -> None: ...

    async def load_movements(
        self, book: Book, unreported: Iterable[str], reported: Mapping[tuple[str, str], datetime]
    ) -> None:
        """Payments and reversals that may lie after the cut-offs of the loaded accounts, or after an earlier one that
        is ``reported`` now, by account; and all of the accounts named in ``unreported``."""

    async def load_agreements(self, book: Book) -> None:
        """What the locked customers agreed to, and the money that may count for it."""

    async def payments(self, keys: Sequence[PaymentKey]) -> dict[PaymentKey, Payment]: ...

    async def reversals(
        self, keys: Sequence[tuple[str, str]], of_payments: Sequence[PaymentKey]
    ) -> dict[tuple[str, str], Reversal]: ...

    async def snapshots(self, keys: Sequence[tuple[str, str, int]]) -> dict[tuple[str, str, int], bytes]: ...

    async def due_rolls(self, customer_ids: Iterable[str]) -> dict[str, datetime]:
        """The first bucket roll of each customer whose time has come."""

    async def waiting_facts(self, account_ids: Iterable[str]) -> list[WaitingFact]: ...

    async def save(self, changes: Changes, profiles: Mapping[str, ReportedCustomer] | None = None) -> None: ...


class TimerStore(Protocol):
    async def customers_with_due_timers(self, limit: int) -> list[str]: ...

    async def claim_customers(self, book: Book, customer_ids: Sequence[str]) -> None:
        """Lock those of the customers that nobody else holds (SKIP LOCKED) and fill ``book.customers``."""

    async def due_timers(self, scopes: Sequence[str]) -> list[Any]:
        """The due timers of the locked scopes, by (due_at, rank), to be handled in this transaction."""

    async def take_timers_of_nobody(self) -> list[Any]:
        """Remove and return the due timers that belong to no customer, whom no lock keeps from others."""

    async def postpone_timers(self, scope: str, error: str) -> None: ...


class Transaction(InboxStore, BookStore, TimerStore, Protocol):
    """One transaction. ``now`` is the business instant, read once; nothing outside ``UnitOfWork`` commits.

    Use cases of other nouns name the stores they need in protocols of their own, beside them."""

    @property
    def now(self) -> datetime: ...

    async def wait_for_locks(self, milliseconds: int) -> None:
        """From here on a statement fails that has waited for so long for what another transaction holds."""


class UnitOfWork(Protocol):
    def __call__(self) -> AbstractAsyncContextManager[Transaction]: ...
