"""The ledger of one intake transaction: the book, and the natural keys that are on record already.

Every odd case has one defined answer (``Verdict``); docs/api.md holds them as a table. The functions change the book's
pages in memory; what is written, and whether, is the transaction's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from shared.application.book import (
    AccountKey,
    Book,
    CustomerPage,
    Payment,
    PaymentKey,
    Reversal,
    WaitingFact,
)
from shared.application.judging import PolicyShelf, rejudge
from shared.domain.account import NOTHING_SINCE, Account, MoneySince, covered_by, restand
from shared.domain.announcement import Announcement
from shared.domain.inbound import (
    Answer,
    ReportedCustomer,
)


class Verdict(NamedTuple):
    """The answer to one event; ``reason`` explains every answer but ``accepted``."""

    answer: Answer
    reason: str | None = None


ACCEPTED = Verdict(Answer.ACCEPTED)


@dataclass(slots=True)
class Ledger:
    """The natural keys that are on record already, beside the book; loaded for the events at hand."""

    book: Book
    shelf: PolicyShelf
    owners: dict[str, str] = field(default_factory=dict)  # account id -> customer id
    merged: dict[str, str] = field(default_factory=dict)  # customer id -> the one that it was merged into
    payments: dict[PaymentKey, Payment] = field(default_factory=dict)
    reversals: dict[tuple[str, str], Reversal] = field(default_factory=dict)
    taken_back: set[PaymentKey] = field(default_factory=set)  # payments that reversals at hand name
    snapshots: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    waiting: list[WaitingFact] = field(default_factory=list)
    profiles: dict[str, ReportedCustomer] = field(default_factory=dict)  # to be written, by customer

    def add_reversals(self, reversals: Mapping[tuple[str, str], Reversal]) -> None:
        self.reversals |= reversals
        self.taken_back.update((source, one.payment_id) for (source, _), one in reversals.items())

    def customer_id(self, named: str) -> str:
        while named in self.merged:
            named = self.merged[named]
        return named

    def account(self, key: AccountKey) -> Account | None:
        owner = self.owners.get(key[0])
        return None if owner is None else self.book.accounts_of(self.customer_id(owner)).get(key)

    def page(self, customer_id: str) -> CustomerPage:
        return self.book.customers[customer_id]


def put_payment(ledger: Ledger, payment: Payment) -> None:
    ledger.payments[payment.key] = payment
    ledger.book.changes.payments[payment.key] = payment
    ledger.book.movements_of((payment.account_id, payment.currency)).payments[payment.key] = payment


def money_since(ledger: Ledger, key: AccountKey, cutoff: datetime) -> MoneySince:
    """By the bank's own clock: where the customer lives now must not change what was booked before."""
    movements = ledger.book.movements.get(key)
    return NOTHING_SINCE if movements is None else movements.since(cutoff, ledger.shelf.policy().default_zone)


def restood(ledger: Ledger, account: Account) -> Account:
    return restand(account, money_since(ledger, account.key, account.cutoff_at))


def after_money(ledger: Ledger, account: Account, reason: str, news: tuple[str, dict[str, Any]]) -> None:
    """Work out the account again, judge the customer, and tell what the money covered."""
    page = ledger.page(account.customer_id)
    after = restood(ledger, account)
    if after is not account:
        ledger.book.put_account(after)
    rejudge(ledger.book, account.customer_id, ledger.shelf, ledger.book.now, reason)
    covered = covered_by(account.standing, after.standing)
    case_id = None if page.case is None else page.case.case_id
    kind, data = news
    data = {
        **data,
        "customer_id": account.customer_id,
        "case_id": None if case_id is None else str(case_id),
        "covered": [{"due_date": day.isoformat(), "amount": amount} for day, amount in covered.items()],
        "still_past_due": after.standing.past_due,
        "case_state": None if page.case is None else page.case.state.value,
    }
    changes = ledger.book.changes
    changes.announce([Announcement("arrears.payment", f"arrears.{kind}.v1", account.customer_id, data)])
    changes.record(account.customer_id, case_id, kind, data, "core-banking")
