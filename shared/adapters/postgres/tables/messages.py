"""What we tell customers: logical messages, attempts at providers, and the ledger of contacts."""

from __future__ import annotations

from typing import Any

from sqlalchemy import DateTime, Index, Text, text

from shared.adapters.postgres.tables.columns import (
    Table,
    big,
    day,
    derived,
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


class MessageRow(Table, table=True):
    """A logical message; its id follows from what it is about, so planning it twice makes one row.

    Nearly every message is written three times, planned, under way, done. No index names ``state``, so that the third
    row version stays in its page and enters no index (a heap-only tuple)."""

    __tablename__ = "messages"
    __table_args__ = (
        one_of("state", "planned", "deferred", "suppressed", "submitting", "done", "in_doubt", "failed"),
        Index(None, "customer_id"),
        Index(None, "case_id"),
        Index(None, "created_at"),
        Index(None, "attention", "created_at", postgresql_where=text("attention is not null")),
        Index(None, "waits_until", "customer_id", postgresql_where=text("waits_until is not null")),
        {"postgresql_with": {"fillfactor": "50"}},
    )

    message_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    follow_up_id: Any = uuid(null=True)
    about: str = words()
    step: str = words()
    anchor: Any = day(null=True)
    policy_version: int = number()
    purpose: str = words()
    template: str = words()
    channels: Any = json()
    channel: str | None = words(null=True)
    state: str = words()
    not_before: Any = instant()
    reason: str | None = words(null=True)
    tries: int = small(default="0")
    decision: Any = json(null=True)
    waits_until: Any = derived(
        DateTime(timezone=True),
        "case when state = any (array['planned'::text, 'deferred'::text]) then not_before"
        " else null::timestamp with time zone end",
    )
    attention: str | None = derived(
        Text, "case when state = any (array['in_doubt'::text, 'failed'::text]) then state else null::text end"
    )
    created_at: Any = instant()
    updated_at: Any = instant()
    row_version: int = row_version()


class AttemptRow(Table, table=True):
    """One try at one provider. ``marked_at`` is business time, ``lease_until`` and ``marked_real`` are real time."""

    __tablename__ = "attempts"
    __table_args__ = (
        one_of("state", "sending", "accepted", "rejected", "in_doubt", "delivered", "undelivered", "released"),
        Index(None, "message_id"),
        Index("ix_attempts_open", "lease_until", postgresql_where=text("state in ('sending', 'in_doubt')")),
    )

    attempt_id: Any = uuid(pk=True)
    message_id: Any = uuid()
    customer_id: str = words()
    channel: str = words()
    gateway: str = words()
    point_id: Any = uuid()
    state: str = words()
    holder: str = words()
    fence: int = big()
    disowned: bool = flag()  # its holder lost the lease and says that it will not submit it any more
    lease_until: Any = instant()
    marked_at: Any = instant()
    marked_real: Any = instant(default="clock_timestamp()")
    outcome_at: Any = instant(null=True)
    asked_at: Any = instant(null=True)
    provider_id: str | None = words(null=True)
    code: str | None = words(null=True)
    error: str | None = words(null=True)
    template_version: int = number()
    text_sha256: bytes = digest()
    body_enc: bytes | None = secret()
    subject_enc: bytes | None = secret()


class ContactLedgerRow(Table, table=True):
    """Contacts counted against the caps, of all channels and parties. Reserved in the transaction that marks an attempt
    of a message or grants a permit; one that was made without asking is entered when it is told."""

    __tablename__ = "contact_ledger"
    __table_args__ = (
        one_of("state", "reserved", "committed", "unknown", "released"),
        one_of("made_by", "message", "permit", "attempt"),
        Index(None, "customer_id", "local_date"),
        {"postgresql_with": {"fillfactor": "50"}},  # each is written twice, the second time in its page
    )

    attempt_id: Any = uuid(pk=True)
    customer_id: str = words()
    channel: str = words()
    purpose: str = words()
    local_date: Any = day()
    at: Any = instant()
    state: str = words()
    made_by: str = words(default="'message'")
