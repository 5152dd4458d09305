"""Statements as the API shows them. Amounts are minor units of the currency beside them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, Field

from services.api.schemas.accounts import Balances, Due

EntryKind = Literal[
    "snapshot", "payment", "reversal", "given_back", "credit_used", "dispute", "dispute_end", "waiver", "charge_off"
]


class PartShare(BaseModel):
    component: str
    amount: int


class DueShare(BaseModel):
    due_date: date
    amount: int


class StatementEntry(BaseModel):
    """A step of how the debt came about. The ``change`` of all entries sum to what is owed."""

    kind: EntryKind = Field(
        description="snapshot: a report; payment; reversal: a payment was taken back; given_back: it is owed again; "
        "credit_used: credit covered what became payable; dispute, dispute_end: an amount is left out, and no longer; "
        "waiver: let off, until a later report has it booked; charge_off: what comes in from here on is recovery"
    )
    on: date = Field(description="The day it counts for")
    amount: int = Field(description="Of a snapshot what is owed by it, of a payment what stayed of it")
    at: datetime | None
    told_at: datetime | None = Field(description="When it reached us")
    source: str | None
    id: str | None = Field(description="Of the payment, reversal, dispute or waiver; of a snapshot its sequence")
    payment_id: str | None
    came_back: int
    shares: list[PartShare] = Field(description="Which parts it covered, or of what the amount is")
    dues: list[DueShare] = Field(description="Which dues it covered; of a snapshot what is unpaid of each")
    beyond_dues: int
    to_credit: int
    days_past_due: int | None = Field(description="Those that chose the order in which parts were covered")
    recovery: bool
    drift: int | None = Field(description="By how much a report differs from what we had before it")
    counts: bool = Field(description="false: changes nothing, as a report that another one replaced")
    owed: int | None = Field(description="What is owed after it")
    change: int = Field(description="By how much it moved what is owed")


class StatementLine(BaseModel):
    """What is owed in one currency."""

    account_id: str
    currency: str
    on: date
    known_at: datetime
    as_of: datetime = Field(description="Up to when facts count: the end of a past day, else ``known_at``")
    sequence: int
    cutoff_at: datetime
    estimated: bool
    reported: Balances
    waived: Balances = Field(description="Let off after the cut-off of the report")
    owed: Balances = Field(description="Reported, less what was waived and paid since, in the order of the policy")
    disputed: Balances = Field(description="What of it is disputed: no payment goes to it")
    payable: int = Field(description="What is owed and not disputed")
    credit: int = Field(description="Paid beyond all that is payable")
    dues: list[Due]
    past_due: int
    due: int = Field(description="Unpaid of dues whose date has come by ``on``")
    to_bring_current: int = Field(description="What is asked to cover them: never more than is payable")
    oldest_due: date | None
    days_past_due: int
    bucket: str
    charged_off: bool
    recovered: int = Field(description="Came in after the charge-off")
    entries: list[StatementEntry] | None


class StatementOut(BaseModel):
    account_id: str
    currencies: list[StatementLine]
