"""What is owed at this moment, by component: as the statement of the account has it, to the minor unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from shared.application.book import AccountKey, Book
from shared.application.judging import PolicyShelf
from shared.application.refusals import FieldError, Invalid
from shared.domain.account import AccountStatus, Balances
from shared.domain.allocation_entries import DisputeEndEntry
from shared.domain.calendar import local_date
from shared.domain.case import CaseState
from shared.domain.plan_terms import Debt
from shared.domain.policy import COMPONENTS
from shared.domain.statement import Statement, Subject, statement_of
from shared.domain.statement_facts import Question, Told


class DebtReader(Protocol):
    async def load_told(self, book: Book) -> None:
        """All that was told of the accounts of the customers at hand."""


def debts_now(book: Book, shelf: PolicyShelf, customer_id: str, asked: Sequence[AccountKey], zone: str) -> list[Debt]:
    """What is owed on each account now and not disputed: of what is disputed nothing is asked while it is. Raises
    Invalid for an account that is not the customer's."""
    return [
        _debt(each, {name: getattr(each.owed, name) - getattr(each.disputed, name) for name in COMPONENTS})
        for each in _statements(book, shelf, customer_id, asked, zone)
    ]


def owed_now(book: Book, shelf: PolicyShelf, customer_id: str, account: AccountKey, zone: str) -> Debt:
    """With what is disputed: that, too, may be let off."""
    (found,) = _statements(book, shelf, customer_id, [account], zone)
    return _debt(found, {name: getattr(found.owed, name) for name in COMPONENTS})


def not_disputed(book: Book, shelf: PolicyShelf, customer_id: str, asked: Sequence[AccountKey], zone: str) -> None:
    """Raises Invalid for an account of which a part is disputed."""
    statements = _statements(book, shelf, customer_id, asked, zone)
    errors = [
        FieldError(f"/accounts/{number}", "is disputed in part: that is decided first", "account-disputed")
        for number, each in enumerate(statements)
        if each.disputed.total
    ]
    if errors:
        raise Invalid("A part of one of the accounts is disputed.", errors=errors)


def worst_bucket(book: Book, shelf: PolicyShelf, customer_id: str, accounts: Sequence[AccountKey]) -> str:
    """The bucket of that of the customer's ``accounts`` that is behind the longest."""
    names = [bucket.name for bucket in shelf.policy().buckets]
    mine = [book.accounts_of(customer_id)[key].bucket for key in accounts]
    return max(mine, key=lambda name: names.index(name) if name in names else -1)


def _statements(
    book: Book, shelf: PolicyShelf, customer_id: str, asked: Sequence[AccountKey], zone: str
) -> Iterator[Statement]:
    """By the policy of the customer's open case, else by the one in force. No account is there without a report; on
    one that is closed nothing is owed, whatever the last report said."""
    accounts, case = book.accounts_of(customer_id), book.customers[customer_id].case
    unknown = [number for number, key in enumerate(asked) if key not in accounts]
    if unknown:
        errors = [FieldError(f"/accounts/{number}", "is not an account of this customer") for number in unknown]
        raise Invalid("There is no such account.", errors=errors)
    closed = [number for number, key in enumerate(asked) if accounts[key].status is AccountStatus.CLOSED]
    if closed:
        errors = [FieldError(f"/accounts/{number}", "was closed by the bank", "account-closed") for number in closed]
        raise Invalid("One of the accounts is closed.", errors=errors)
    policy = shelf.policy(case.policy_version if case is not None and case.state is CaseState.OPEN else None)
    question = Question(local_date(book.now, zone), book.now, zone)
    for key in asked:
        told = (_under_lock(each, book.now) for each in book.told[key])
        found = statement_of(Subject(*key), told, question, policy, with_entries=False)
        if found is None:
            raise LookupError(f"{key[0]} was reported at no instant up to {book.now}")
        yield found


def _under_lock(told: Told, now: datetime) -> Told:
    """What was written while we waited for the customer's lock is known, though our instant is an earlier one; only
    the end of a dispute may be one that is still to come."""
    if isinstance(told.entry, DisputeEndEntry):
        return told
    return Told(told.entry, min(told.told_at, now), None if told.until is None else min(told.until, now))


def _debt(found: Statement, parts: dict[str, int]) -> Debt:
    return Debt(found.account_id, found.currency, Balances(**parts))
