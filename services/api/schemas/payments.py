"""Payments as the API shows them."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, Field


class Payment(BaseModel):
    """Amounts in minor units of ``currency``. ``matched`` is false while no account is known for it."""

    source: str
    payment_id: str
    account_id: str
    currency: str
    customer_id: str | None
    amount: int
    reversed_amount: int
    effective_amount: int = Field(description="Amount less what was reversed")
    value_date: date
    posted_at: datetime
    last_reversed_at: datetime | None
    channel: str
    matched: bool
    received_at: datetime


class Reversal(BaseModel):
    reversal_id: str
    amount: int
    reason: str
    reversed_at: datetime
    received_at: datetime


class PaymentOut(Payment):
    reversals: list[Reversal]
