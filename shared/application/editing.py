"""What every edit by a person has in common: find it within the caller's scope, lock its customer, read it again.

The first look only tells whom to lock; what is decided on was read under the lock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeVar
from uuid import UUID

from shared.application.book import Book, Changes, CustomerPage
from shared.application.principal import Principal
from shared.application.refusals import Conflict, FieldError, Invalid, NotFound


class Expected(Protocol):
    """The version that an edit is based on."""

    def check(self, version: int) -> None:
        """Raises ``PreconditionFailed`` when somebody changed it since."""


class EditStore(Protocol):
    @property
    def now(self) -> datetime: ...

    async def lock_customers(self, book: Book, customer_ids: list[str]) -> None: ...

    async def load_cases(self, book: Book) -> None: ...

    async def sees_customer(self, customer_id: str, who: Principal) -> bool: ...

    async def has_account(self, customer_id: str, account_id: str) -> bool: ...

    async def save(self, changes: Changes) -> None: ...


class OnFile(Protocol):
    @property
    def customer_id(self) -> str: ...
    @property
    def row_version(self) -> int: ...


Found = TypeVar("Found", bound=OnFile)
Find = Callable[[UUID, Principal], Awaitable[Found | None]]
"""By id, within the caller's scope; None outside of it."""


async def open_customer(tx: EditStore, customer_id: str, who: Principal) -> tuple[Book, CustomerPage]:
    """Lock a customer of the caller's scope; NotFound otherwise, Conflict for one that was merged away."""
    book = Book(tx.now)
    await tx.lock_customers(book, [customer_id])
    if customer_id not in book.customers or not await tx.sees_customer(customer_id, who):
        raise NotFound("There is no such customer.")
    await tx.load_cases(book)
    page = book.customers[customer_id]
    if page.merged_into is not None:
        raise Conflict("This customer was merged into another one; use that one.", code="customer-merged")
    return book, page


async def open_for_edit(
    tx: EditStore, find: Find[Found], key: UUID, who: Principal, expected: Expected
) -> tuple[Book, Found]:
    """The thing as it stands under its customer's lock, in the version that the caller has seen."""
    seen = await find(key, who)
    if seen is None:
        raise NotFound("There is no such thing, or not for you.")
    book = Book(tx.now)
    await tx.lock_customers(book, [seen.customer_id])
    found = await find(key, who)
    if found is None or found.customer_id != seen.customer_id:
        raise Conflict("Its customer changed just now; read it again.", code="customer-merged")
    await tx.load_cases(book)
    expected.check(found.row_version)
    return book, found


async def check_account(tx: EditStore, customer_id: str, account_id: str | None) -> None:
    if account_id is not None and not await tx.has_account(customer_id, account_id):
        reason = "is not an account of this customer"
        raise Invalid("The account is not one of this customer's.", errors=[FieldError("/account_id", reason)])


def case_of(book: Book, customer_id: str) -> UUID | None:
    """The customer's newest case."""
    case = book.customers[customer_id].case
    return None if case is None else case.case_id
