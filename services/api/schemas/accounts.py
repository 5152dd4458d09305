"""Accounts as the API shows them. Amounts are minor units of the currency beside them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.api.fields import Body, Text

AccountStatus = Literal["open", "closed", "charged_off"]


class Balances(BaseModel):
    principal: int
    interest: int
    fees: int
    penalty: int


class Due(BaseModel):
    due_date: date
    minimum_due: int
    unpaid: int


class Account(BaseModel):
    """One account in one currency. ``estimated``: payments since the last report are taken off; the next one wins."""

    account_id: str
    currency: str
    customer_id: str
    product: str
    card_last4: str
    credit_limit: int
    status: AccountStatus
    bucket: str
    bucket_since: date | None
    past_due: int
    oldest_due: date | None
    days_past_due: int = Field(description="From the oldest due not covered, on the customer's date; 0 while in M0")
    estimated: bool
    cutoff_at: datetime
    sequence: int
    balances: Balances = Field(description="As last reported")
    paid_since: int = Field(description="Paid after the cut-off, net of reversals")
    closed_reason: str | None
    charged_off_at: datetime | None
    charged_off_amount: int | None
    row_version: int
    updated_at: datetime


class AccountWithDues(Account):
    dues: list[Due] = Field(description="Oldest first, as they stand after later payments")


class AccountOut(BaseModel):
    """An account in all its currencies: dual-currency cards have two."""

    account_id: str
    customer_id: str
    currencies: list[AccountWithDues]


class AccountSearch(Body):
    """What is on the card or the screen; numbers travel in bodies, never in addresses."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"card_last4": "1234", "bucket": "M1"}]})

    card_last4: Annotated[str, Field(pattern=r"^[0-9]{4}$")]
    customer_id: Text | None = None
    bucket: Text | None = None
    status: AccountStatus | None = None


class HistoryEntry(BaseModel):
    """A report as it was received (``kind`` snapshot), or a bucket entered (``kind`` bucket)."""

    at: datetime
    kind: Literal["snapshot", "bucket"]
    currency: str
    number: int = Field(description="The report's sequence, or the entry's number")
    cutoff_at: datetime | None
    stale: bool | None = Field(description="Came after a newer one and changed nothing")
    bucket: str | None
    previous: str | None
    entered_on: date | None
    case_id: UUID | None
    reported: dict[str, object] | None
