"""What customers agreed to, and until when their follow-ups wait for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index

from shared.adapters.postgres.tables.columns import (
    Table,
    currency_check,
    day,
    flag,
    holds_true,
    instant,
    json,
    money,
    number,
    one_of,
    row_version,
    uuid,
    words,
)

_number = number  # an instalment has a column of this name


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


class PlanRow(Table, table=True):
    """A repayment plan: what it is found by, and the whole of it in ``document``."""

    __tablename__ = "plans"
    __table_args__ = (
        one_of("state", "proposed", "approved", "active", "completed", "broken", "restructured", "cancelled"),
        Index(None, "customer_id"),
        Index("ix_plans_list", "proposed_at", "plan_id"),
    )

    plan_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    kind: str = words()
    state: str = words()
    proposed_at: Any = instant()
    looked_on: Any = day()
    held: int = number(default="0")
    holding: bool = flag()
    document: Any = json()
    row_version: int = row_version()


class SettlementRow(Table, table=True):
    """A settlement: what it is found by and adds up to, and the whole of it in ``document``. ``received``: what had
    come in when it was last judged."""

    __tablename__ = "settlements"
    __table_args__ = (
        one_of("state", "proposed", "offered", "accepted", "active", "fulfilled", "breached", "withdrawn", "expired"),
        one_of("instrument", "lump_sum", "plan"),
        currency_check(),
        holds_true("amounts", "pays > 0 and pays < owed and received >= 0"),
        Index(None, "customer_id"),
        Index("ix_settlements_list", "proposed_at", "settlement_id"),
    )

    settlement_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    currency: str = words()
    instrument: str = words()
    state: str = words()
    owed: int = money()
    pays: int = money()
    received: int = money(default="0")
    valid_until: Any = day()
    reckoned_at: Any = instant()
    proposed_at: Any = instant()
    looked_on: Any = day()
    held: int = number(default="0")
    holding: bool = flag()
    document: Any = json()
    row_version: int = row_version()


class WaiverRow(Table, table=True):
    """Charges that are let off: what a waiver is found by, and the whole of it in ``document``."""

    __tablename__ = "waivers"
    __table_args__ = (
        one_of("state", "proposed", "granted", "withdrawn"),
        one_of("component", "principal", "interest", "fees", "penalty"),
        currency_check(),
        holds_true("amount", "amount > 0"),
        holds_true("granted", "(state = 'granted') = (granted_at is not null)"),
        Index(None, "customer_id"),
        Index("ix_waivers_list", "proposed_at", "waiver_id"),
    )

    waiver_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    account_id: str = words()
    currency: str = words()
    component: str = words()
    amount: int = money()
    state: str = words()
    proposed_at: Any = instant()
    granted_at: Any = instant(null=True)
    document: Any = json()
    row_version: int = row_version()


class InstalmentRow(Table, table=True):
    """An instalment of one currency of a plan; ``amount`` is the sum of its parts."""

    __tablename__ = "instalments"
    __table_args__ = (
        currency_check(),
        holds_true("adds_up", "amount = principal + interest + fee"),
    )

    plan_id: Any = uuid(pk=True)
    currency: str = words(pk=True)
    number: int = _number(pk=True)
    due_on: Any = day()
    amount: int = money()
    principal: int = money()
    interest: int = money()
    fee: int = money()


class ApprovalRow(Table, table=True):
    """What waits for a second person. ``content`` is the hash of what it is about."""

    __tablename__ = "approvals"
    __table_args__ = (
        one_of("state", "pending", "approved", "refused", "expired", "withdrawn"),
        holds_true("two_people", "state not in ('approved', 'refused') or decided_by <> requested_by"),
        Index(None, "customer_id"),
        Index(None, "subject", "subject_id"),
        Index("ix_approvals_list", "expires_at", "approval_id"),
    )

    approval_id: Any = uuid(pk=True)
    subject: str = words()
    subject_id: str = words()
    content: str = words()
    customer_id: str = words()
    requested_by: str = words()
    requested_at: Any = instant()
    expires_at: Any = instant()
    approvers: Any = json()
    involved: Any = json()
    state: str = words()
    decided_by: str | None = words(null=True)
    decided_at: Any = instant(null=True)
    reason: str = words()
    row_version: int = row_version()
