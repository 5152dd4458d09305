"""Contacts by people and diallers: what was asked for, what was permitted, and what came of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from shared.adapters.postgres.tables.columns import (
    Table,
    clock,
    day,
    digest,
    flag,
    instant,
    json,
    maybe,
    number,
    one_of,
    row_version,
    secret,
    uuid,
    words,
)


class ContactPermitRow(Table, table=True):
    """One question to the gate, with its answer. A granted one has a contact of the same id in the ledger."""

    __tablename__ = "contact_permits"
    __table_args__ = (
        one_of("state", "refused", "granted", "used", "lapsed", "released"),
        one_of("party", "bank", "agency", "debt_buyer"),
        Index(None, "customer_id"),
        Index(None, "asked_at", "permit_id"),
        Index("ix_contact_permits_open", "expires_at", postgresql_where=text("state in ('granted', 'lapsed')")),
    )

    permit_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    point_id: Any = uuid(null=True)
    channel: str = words()
    purpose: str = words()
    target: str = words()
    person_id: Any = uuid(null=True)
    account_ids: Any = json()
    announcement: bool = flag()
    party: str = words()
    party_name: str | None = words(null=True)
    state: str = words()
    decision: Any = json()
    asked_by: str = words()
    asked_at: Any = instant()
    expires_at: Any = instant(null=True)
    closed_at: Any = instant(null=True)
    closed_by: str | None = words(null=True)
    close_reason: str | None = words(null=True)
    row_version: int = row_version()


class ContactAttemptRow(Table, table=True):
    """A contact that was made or tried, outbound or inbound. ``contact_id`` is its place in the ledger: the permit's,
    or its own where nobody had asked; inbound contacts have none."""

    __tablename__ = "contact_attempts"
    __table_args__ = (
        one_of("party", "bank", "agency", "debt_buyer"),
        Index(None, "customer_id", "at"),
        Index(None, "recorded_at", "attempt_id"),
        Index("uq_contact_attempts_contact_id", "contact_id", unique=True),
    )

    attempt_id: Any = uuid(pk=True)
    contact_id: Any = uuid(null=True)
    permit_id: Any = uuid(null=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    point_id: Any = uuid(null=True)
    channel: str = words()
    purpose: str = words()
    target: str = words()
    person_id: Any = uuid(null=True)
    account_ids: Any = json()
    announcement: bool = flag()
    party: str = words()
    party_name: str | None = words(null=True)
    outbound: bool = flag(default="true")
    outcome: str = words()
    answered_by: str | None = words(null=True)
    connected: Any = maybe()
    effective_talk: Any = maybe()
    talk_seconds: int | None = number(null=True)
    recording: str | None = words(null=True)
    permitted: bool = flag()
    at: Any = instant()
    recorded_at: Any = instant()
    recorded_by: str = words()


class ContactHoursRow(Table, table=True):
    """Hours that a person agreed to (``consent``, with its proof) or asked for (``preferred``)."""

    __tablename__ = "contact_hours"
    __table_args__ = (one_of("kind", "consent", "preferred"), Index(None, "customer_id"))

    hours_id: Any = uuid(pk=True)
    customer_id: str = words()
    kind: str = words()
    channel: str = words()
    from_time: Any = clock()
    to_time: Any = clock()
    weekdays: Any = json()
    given_by: str = words()
    proof: str | None = words(null=True)
    starts_at: Any = instant()
    ends_at: Any = instant(null=True)
    withdrawn_at: Any = instant(null=True)
    withdrawn_by: str | None = words(null=True)
    recorded_at: Any = instant()
    recorded_by: str = words()
    row_version: int = row_version()


class ContactCircumstanceRow(Table, table=True):
    """What contact rules ask of a person besides the profile: places, and what they agreed to, with its proof."""

    __tablename__ = "contact_circumstances"
    __table_args__ = (one_of("kind", "place", "point_place", "permission", "refused_place"), Index(None, "customer_id"))

    circumstance_id: Any = uuid(pk=True)
    customer_id: str = words()
    kind: str = words()
    value: str = words()
    point_id: Any = uuid(null=True)
    given_by: str = words()
    proof: str | None = words(null=True)
    starts_at: Any = instant()
    ends_at: Any = instant(null=True)
    withdrawn_at: Any = instant(null=True)
    withdrawn_by: str | None = words(null=True)
    recorded_at: Any = instant()
    recorded_by: str = words()
    row_version: int = row_version()


class ThirdPartyRow(Table, table=True):
    """Somebody beside the debtor, and the one number or address of theirs. Who refused is never asked again."""

    __tablename__ = "third_parties"
    __table_args__ = (
        one_of("relation", "guarantor", "contact_person", "related_person", "estate", "representative", "other"),
        one_of("kind", "mobile", "phone", "email", "address"),
        Index(None, "customer_id"),
        Index(None, "value_bidx"),
    )

    person_id: Any = uuid(pk=True)
    customer_id: str = words()
    relation: str = words()
    name_enc: bytes | None = secret()
    kind: str = words()
    source: str = words()
    value_enc: bytes = secret(null=False)
    value_bidx: bytes = digest()
    evidence: str | None = words(null=True)
    guarantee_until: Any = day(null=True)
    within_estate: Any = maybe()
    refused_at: Any = instant(null=True)
    refusal_source: str | None = words(null=True)
    recorded_at: Any = instant()
    recorded_by: str = words()
    row_version: int = row_version()
