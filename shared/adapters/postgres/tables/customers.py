"""Customers, how to reach them, and what they asked us not to do."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from shared.adapters.postgres.tables.columns import (
    Table,
    big,
    day,
    digest,
    flag,
    instant,
    json,
    number,
    one_of,
    row_version,
    secret,
    small,
    uuid,
    words,
)


class CustomerRow(Table, table=True):
    __tablename__ = "customers"
    __table_args__ = (
        Index(None, "name_bidx"),
        Index("ix_customers_merged", "merged_into", postgresql_where=text("merged_into is not null")),
        {"postgresql_with": {"fillfactor": "70"}},
    )

    customer_id: str = words(pk=True)
    core_version: int = big(default="0")
    name_enc: bytes | None = secret()
    name_bidx: bytes | None = digest(null=True)
    language: str = words(default="'zh-CN'")
    time_zone: str | None = words(null=True)
    jurisdiction: str | None = words(null=True)
    segment: str = words(default="'standard'")
    merged_into: str | None = words(null=True)
    cases_opened: int = number(default="0")
    row_version: int = row_version()
    created_at: Any = instant()
    updated_at: Any = instant()


class ContactPointRow(Table, table=True):
    __tablename__ = "contact_points"
    __table_args__ = (
        one_of("kind", "mobile", "phone", "email", "address"),
        one_of("origin", "core", "staff"),
        one_of("state", "active", "bad", "removed"),
        Index(None, "customer_id"),
        Index(None, "value_bidx"),
        Index("ix_contact_points_last4", "last4_bidx", postgresql_where=text("last4_bidx is not null")),
    )

    point_id: Any = uuid(pk=True)
    customer_id: str = words()
    kind: str = words()
    source: str = words()
    origin: str = words()
    position: int = small(default="0")
    value_enc: bytes = secret(null=False)
    value_bidx: bytes = digest()
    last4_bidx: bytes | None = digest(null=True)
    state: str = words(default="'active'")
    state_reason: str | None = words(null=True)
    created_at: Any = instant()
    updated_at: Any = instant()


class PreferenceRow(Table, table=True):
    """One row per customer and channel once the customer has said something about it."""

    __tablename__ = "preferences"
    __table_args__ = (one_of("channel", "sms", "email", "phone", "voice_bot", "letter", "visit"),)

    customer_id: str = words(pk=True)
    channel: str = words(pk=True)
    opted_out: bool = flag()
    source: str = words()
    actor: str = words()
    changed_at: Any = instant()
    row_version: int = row_version()


class HoldRow(Table, table=True):
    """``disputed``: the amount of one part that the customer disputes, ``{currency, component, amount}``; ``moved_at``
    is when it came to this customer from another (null: it was placed on them). ``noted``: of a hold on one account, at
    how many of its turns, begin and end, the case was judged."""

    __tablename__ = "holds"
    __table_args__ = (
        Index(None, "customer_id"),
        Index("ix_holds_origin", "origin", postgresql_where=text("origin is not null")),
    )

    hold_id: Any = uuid(pk=True)
    customer_id: str = words()
    account_id: str | None = words(null=True)
    kind: str = words()
    reason: str = words()
    disputed: Any = json(null=True)
    origin: str | None = words(null=True)
    placed_at: Any = instant()
    moved_at: Any = instant(null=True)
    noted: int = small(default="0")
    ends_at: Any = instant(null=True)
    released_at: Any = instant(null=True)
    placed_by: str = words()
    released_by: str | None = words(null=True)
    row_version: int = row_version()


class ComplaintRow(Table, table=True):
    __tablename__ = "complaints"
    __table_args__ = (
        one_of("state", "received", "acknowledged", "responded", "resolved", "escalated"),
        one_of("complexity", "simple", "complex", "very_complex"),
        Index(None, "customer_id"),
        Index(None, "state", "answer_by"),
    )

    complaint_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    account_id: str | None = words(null=True)
    category: str = words()
    channel: str = words()
    complexity: str = words(default="'simple'")
    about: str | None = words(null=True)
    text_enc: bytes = secret(null=False)
    response_enc: bytes | None = secret()
    state: str = words()
    owner: str | None = words(null=True)
    received_at: Any = instant()
    acknowledge_by: Any = instant()
    answer_by: Any = instant()
    answer_on: Any = day()
    acknowledged_at: Any = instant(null=True)
    responded_at: Any = instant(null=True)
    resolved_at: Any = instant(null=True)
    escalated_at: Any = instant(null=True)
    outcome: str | None = words(null=True)
    extension_reason: str | None = words(null=True)
    extension_approved_by: str | None = words(null=True)
    hold_id: Any = uuid(null=True)
    created_by: str = words()
    row_version: int = row_version()
