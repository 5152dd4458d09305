"""Accounts and the money facts that the core-banking system reports about them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from shared.adapters.postgres.tables.columns import (
    Table,
    big,
    currency_check,
    day,
    digest,
    flag,
    holds_true,
    instant,
    json,
    money,
    one_of,
    row_version,
    serial,
    uuid,
    words,
)


class AccountRow(Table, table=True):
    """The newest snapshot of an account (``reported_dues``, balances) and what we make of it with later payments
    (``dues``, ``past_due``, ``oldest_due``). Dues are ``[[due_date, minimum_due, unpaid], ...]``, oldest first."""

    __tablename__ = "accounts"
    __table_args__ = (
        currency_check(),
        one_of("status", "open", "closed", "charged_off"),
        holds_true("past_due_not_negative", "past_due >= 0"),
        holds_true("oldest_due_with_past_due", "(oldest_due is null) = (past_due = 0)"),
        Index(None, "customer_id"),
        Index(None, "card_last4"),
        Index("ix_accounts_bucket", "bucket", "oldest_due", postgresql_where=text("bucket <> 'M0'")),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    account_id: str = words(pk=True)
    currency: str = words(pk=True)
    customer_id: str = words()
    product: str = words()
    card_last4: str = words()
    credit_limit: int = money()
    sequence: int = big()
    cutoff_at: Any = instant()
    principal: int = money()
    interest: int = money()
    fees: int = money()
    penalty: int = money()
    reported_dues: Any = json()
    dues: Any = json()
    past_due: int = money()
    oldest_due: Any = day(null=True)
    paid_since: int = money(default="0")
    estimated: bool = flag()
    status: str = words()
    closed_reason: str | None = words(null=True)
    closed_sequence: int | None = big(null=True)
    charged_off_at: Any = instant(null=True)
    charged_off_amount: int | None = money(null=True)
    bucket: str = words(default="'M0'")
    bucket_since: Any = day(null=True)
    row_version: int = row_version()
    created_at: Any = instant()
    updated_at: Any = instant()


class SnapshotRow(Table, table=True):
    """Every report ever received, the stale ones too: any day can be asked as it was and as it was known."""

    __tablename__ = "snapshots"
    __table_args__ = (currency_check(),)

    account_id: str = words(pk=True)
    currency: str = words(pk=True)
    sequence: int = big(pk=True)
    cutoff_at: Any = instant()
    received_at: Any = instant()
    stale: bool = flag()
    fingerprint: bytes = digest()
    body: Any = json()


class PaymentRow(Table, table=True):
    __tablename__ = "payments"
    __table_args__ = (
        currency_check(),
        holds_true("amount_positive", "amount > 0"),
        holds_true("reversed_within_amount", "reversed_amount between 0 and amount"),
        Index(None, "account_id", "currency", "posted_at"),
        Index(None, "posted_at"),
        Index("ix_payments_unmatched", "received_at", postgresql_where=text("not matched")),
        Index("ix_payments_customer", "customer_id", "posted_at", postgresql_where=text("customer_id is not null")),
    )

    source: str = words(pk=True)
    payment_id: str = words(pk=True)
    account_id: str = words()
    currency: str = words()
    customer_id: str | None = words(null=True)
    amount: int = money()
    reversed_amount: int = money(default="0")
    value_date: Any = day()
    posted_at: Any = instant()
    last_reversed_at: Any = instant(null=True)
    channel: str = words()
    matched: bool = flag()
    fingerprint: bytes = digest()
    received_at: Any = instant()


class ReversalRow(Table, table=True):
    """``applied`` is false while the payment it takes back has not been seen."""

    __tablename__ = "reversals"
    __table_args__ = (
        currency_check(),
        holds_true("amount_positive", "amount > 0"),
        Index(None, "source", "payment_id"),
        Index(None, "account_id", "currency"),
    )

    source: str = words(pk=True)
    reversal_id: str = words(pk=True)
    payment_id: str = words()
    account_id: str = words()
    currency: str = words()
    amount: int = money()
    reason: str = words()
    reversed_at: Any = instant()
    applied: bool = flag()
    fingerprint: bytes = digest()
    received_at: Any = instant()


class WaitingFactRow(Table, table=True):
    """A charge-off or closing of an account that was never reported; applied when the account appears."""

    __tablename__ = "waiting_facts"
    __table_args__ = (Index("ix_waiting_facts_account", "account_id", postgresql_where=text("not applied")),)

    source: str = words(pk=True)
    id: str = words(pk=True)
    account_id: str = words()
    currency: str = words()
    type: str = words()
    data: Any = json()
    applied: bool = flag()
    received_at: Any = instant()


class BucketHistoryRow(Table, table=True):
    __tablename__ = "bucket_history"
    __table_args__ = (Index(None, "account_id", "currency", "entry"),)

    entry: int = serial()
    account_id: str = words()
    currency: str = words()
    bucket: str = words()
    previous: str = words()
    entered_on: Any = day()
    recorded_at: Any = instant()
    case_id: Any = uuid(null=True)
