"""Payments as the API shows them."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field


class Payment(BaseModel):
    """Amounts in minor units of ``currency``. ``matched`` is false while no account is known for it."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "source": "/core-banking",
                    "payment_id": "P-20261112-1",
                    "account_id": "A-1001",
                    "currency": "CNY",
                    "customer_id": "C-1001",
                    "amount": 20000,
                    "reversed_amount": 0,
                    "effective_amount": 20000,
                    "value_date": "2026-11-12",
                    "posted_at": "2026-11-12T02:00:00+00:00",
                    "last_reversed_at": None,
                    "channel": "app",
                    "matched": True,
                    "received_at": "2026-11-12T02:00:01+00:00",
                }
            ]
        }
    )

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
