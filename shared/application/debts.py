"""What is owed at this moment, by component."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

from shared.application.book import AccountKey, Book
from shared.application.judging import PolicyShelf
from shared.application.refusals import FieldError, Invalid
from shared.domain.account import Account, Balances
from shared.domain.plan_terms import Debt
from shared.domain.waiver import waived_since

PRINCIPAL_FIRST_AFTER = 90  # days past due; CBRC order 2011 no. 2


def debts_now(book: Book, customer_id: str, asked: Sequence[AccountKey], today: date) -> list[Debt]:
    """What is owed on each account now: the newest report, less what was waived and paid since, laid over the parts in
    the order that the days past due ask for. Raises Invalid for an account that is not the customer's."""
    accounts = book.accounts_of(customer_id)
    unknown = [number for number, key in enumerate(asked) if key not in accounts]
    if unknown:
        errors = [FieldError(f"/accounts/{number}", "is not an account of this customer") for number in unknown]
        raise Invalid("There is no such account.", errors=errors)
    page = book.agreements.get(customer_id)
    waivers = [] if page is None else [filed.waiver for filed in page.waivers.values()]
    return [_debt(accounts[key], today, waived_since(waivers, key, accounts[key].cutoff_at)) for key in asked]


def worst_bucket(book: Book, shelf: PolicyShelf, customer_id: str, accounts: Sequence[AccountKey]) -> str:
    """The bucket of that of the customer's ``accounts`` that is behind the longest."""
    names = [bucket.name for bucket in shelf.policy().buckets]
    mine = [book.accounts_of(customer_id)[key].bucket for key in accounts]
    return max(mine, key=lambda name: names.index(name) if name in names else -1)


def _debt(account: Account, today: date, waived: Mapping[str, int]) -> Debt:
    oldest = account.standing.oldest_due
    principal_first = oldest is not None and (today - oldest).days > PRINCIPAL_FIRST_AFTER
    charges = ["penalty", "fees", "interest"]
    order = ["principal", *charges] if principal_first else [*charges, "principal"]
    left, parts = max(0, account.paid_since), {}
    for name in order:
        owed = max(0, getattr(account.balances, name) - waived.get(name, 0))
        parts[name] = owed - min(left, owed)
        left -= min(left, owed)
    return Debt(account.account_id, account.currency, Balances(**parts))
