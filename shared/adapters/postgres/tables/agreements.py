"""What customers agreed to, and until when their follow-ups wait for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index

from shared.adapters.postgres.tables.columns import (
    Table,
    currency_check,
    day,
    holds_true,
    instant,
    money,
    number,
    one_of,
    row_version,
    uuid,
    words,
)


class PromiseRow(Table, table=True):
    """A promise to pay with the tolerances of the day it was made; ``paid``: what counted when it was last judged."""

    __tablename__ = "promises"
    __table_args__ = (
        one_of("state", "open", "kept", "partially_kept", "broken", "cancelled"),
        currency_check(),
        holds_true("amounts", "amount > 0 and paid between 0 and amount"),
        Index(None, "customer_id"),
        Index("ix_promises_due", "due_on", "promise_id"),
    )

    promise_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    account_id: str = words()
    currency: str = words()
    amount: int = money()
    due_on: Any = day()
    made_at: Any = instant()
    made_on: Any = day()
    channel: str = words()
    promised_by: str = words()
    recorded_by: str = words()
    tolerance_days: int = number()
    tolerance_amount: int = money()
    policy_version: int = number()
    state: str = words()
    paid: int = money(default="0")
    kept_on: Any = day(null=True)
    judged_on: Any = day(null=True)
    reason: str = words()
    row_version: int = row_version()


class LadderWaitRow(Table, table=True):
    """From ``at`` on follow-ups wait until ``until`` (null: they do not). Append only, like standings."""

    __tablename__ = "ladder_waits"

    customer_id: str = words(pk=True)
    seq: int = number(pk=True)
    at: Any = instant()
    until: Any = instant(null=True)
