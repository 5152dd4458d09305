"""How events come in and go out: inbox, outbox, timers, what is parked, and who is at work."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from shared.adapters.postgres.tables.columns import (
    Table,
    big,
    digest,
    flag,
    identity,
    instant,
    json,
    name255,
    number,
    one_of,
    secret,
    serial,
    small,
    uuid,
    words,
)


class InboxRow(Table, table=True):
    """Every event a consumer has seen, once; ``answer`` is what the sender of an inbound event was told."""

    __tablename__ = "inbox"

    consumer: str = words(pk=True)
    source: str = words(pk=True)
    id: str = words(pk=True)
    fingerprint: bytes | None = digest(null=True)
    answer: str | None = words(null=True)
    reason: str | None = words(null=True)
    customer_id: str | None = words(null=True)
    received_at: Any = instant()


class OutboxRow(Table, table=True):
    """Column names are those of Debezium's outbox event router, so that a bank may put it in our relay's place."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("ix_outbox_unsent", "shard", "seq", postgresql_where=text("sent_at is null")),
        Index("ix_outbox_sent", "sent_at", postgresql_where=text("sent_at is not null")),
        {"postgresql_with": {"fillfactor": "80"}},
    )

    seq: int = serial()
    id: Any = uuid()
    aggregatetype: str = name255()
    aggregateid: str = name255()
    type: str = name255()
    payload: Any = json()
    at: Any = instant()
    shard: int = small()
    sent_at: Any = instant(null=True)


class TimerRow(Table, table=True):
    """Everything that the clock causes. ``scope`` is a customer id, or ``*`` for what belongs to no customer; of one
    that failed and is tried again at ``due_at``, ``was_due_at`` is the instant that counts."""

    __tablename__ = "timers"
    __table_args__ = (Index(None, "due_at", "scope"), {"postgresql_with": {"fillfactor": "70"}})

    scope: str = words(pk=True)
    kind: str = words(pk=True)
    subject: str = words(pk=True)
    due_at: Any = instant()
    was_due_at: Any = instant(null=True)
    rank: int = small()


class ParkedRow(Table, table=True):
    """An event that could not be applied now (parked) or at all (dead); it blocks its customer for its consumer."""

    __tablename__ = "parked"
    __table_args__ = (
        one_of("state", "parked", "dead", "replayed", "discarded"),
        Index(
            "ix_parked_waiting",
            "consumer",
            "customer_id",
            "entry",
            postgresql_where=text("state in ('parked', 'dead')"),
        ),
    )

    entry: int = serial()
    consumer: str = words()
    customer_id: str = words()
    source: str = words()
    event_id: str = words()
    type: str = words()
    envelope_enc: bytes = secret(null=False)
    tries: int = number()
    not_before: Any = instant()
    error: str = words()
    state: str = words()
    parked_at: Any = instant()
    ended_at: Any = instant(null=True)
    ended_by: str | None = words(null=True)


class UnreadableRow(Table, table=True):
    __tablename__ = "unreadable"

    entry: int = serial()
    consumer: str = words()
    origin: str = words()
    position: int | None = big(null=True)
    raw_enc: bytes = secret(null=False)
    error: str = words()
    received_at: Any = instant()


class ImportRow(Table, table=True):
    __tablename__ = "imports"
    __table_args__ = (
        one_of("state", "created", "receiving", "interrupted", "done", "failed"),
        one_of("format", "ndjson", "csv"),
    )

    import_id: Any = uuid(pk=True)
    name: str = words()
    format: str = words()
    event_type: str | None = words(null=True)
    source: str = words()
    sha256: str | None = words(null=True)
    lines_expected: int | None = big(null=True)
    state: str = words()
    reason: str | None = words(null=True)
    lines_done: int = big(default="0")
    bytes_done: int = big(default="0")
    counts: Any = json(default="'{}'")
    receiving_ms: int = big(default="0")
    created_by: str = words()
    created_at: Any = instant()
    updated_at: Any = instant()
    finished_at: Any = instant(null=True)


class ImportRejectionRow(Table, table=True):
    """A refused line: its number, the field (JSON pointer or column) and why. The line itself is not kept."""

    __tablename__ = "import_rejections"

    import_id: Any = uuid(pk=True)
    line: int = big(pk=True)
    field: str = words()
    reason: str = words()


class IdempotencyKeyRow(Table, table=True):
    __tablename__ = "idempotency_keys"
    __table_args__ = (Index(None, "created_at"),)

    scope: str = words(pk=True)
    key: str = words(pk=True)
    fingerprint: bytes = digest()
    status: int = number()
    headers: Any = json()
    body: bytes = digest()
    created_at: Any = instant()


class BusinessClockRow(Table, table=True):
    """The manual clock: one row, never moving backwards; no row means the real clock."""

    __tablename__ = "business_clock"

    id: int = number(pk=True)
    now: Any = instant()


class WorkerRow(Table, table=True):
    """A process of the suite. ``fence`` only rises from one to the next, on whichever machine; ``host``, ``pid`` and
    ``birth`` are what a neighbour on the same machine can see the death of; ``name`` is one that only one process at a
    time can have, where the orchestrator promises so."""

    __tablename__ = "workers"
    __table_args__ = (
        Index("ix_workers_alive", "host", postgresql_where=text("not dead")),
        Index("ix_workers_named", "name", postgresql_where=text("not dead and name is not null")),
    )

    instance: str = words(pk=True)
    service: str = words()
    started_at: Any = instant()
    beat_at: Any = instant()
    ended_at: Any = instant(null=True)
    dead: bool = flag()
    fence: int = identity()
    host: str | None = words(null=True)
    pid: int | None = number(null=True)
    birth: str | None = words(null=True)
    name: str | None = words(null=True)


class RelayShardRow(Table, table=True):
    """Which relay ships the outbox rows of a shard, until when unless it says so again."""

    __tablename__ = "relay_shards"

    shard: int = small(pk=True)
    holder: str | None = words(null=True)
    fence: int = big(default="0")
    lease_until: Any = instant(default="'-infinity'")
    last_error: str | None = words(null=True)
    last_error_at: Any = instant(null=True)


class ConsumerOffsetRow(Table, table=True):
    """How far a consumer is in a partition, kept with what it did: a restored database reads on from where *it* was.

    ``fence`` rises with every assignment; who comes with an older one is refused. ``forgiven`` is the broker's offset
    up to which its being ahead of ours is known and was dealt with."""

    __tablename__ = "consumer_offsets"

    consumer: str = words(pk=True)
    topic: str = words(pk=True)
    partition: int = number(pk=True)
    next_offset: int | None = big(null=True)
    fence: int = big()
    holder: str = words()
    forgiven: int = big(default="0")
    moved_at: Any = instant(default="clock_timestamp()")
    last_error: str | None = words(null=True)
    last_error_at: Any = instant(null=True)


class ConsumerTypeRow(Table, table=True):
    """Which of our event types a consumer takes up; each consumer writes its own when it starts."""

    __tablename__ = "consumer_types"

    consumer: str = words(pk=True)
    type: str = words(pk=True)
    topic: str = words()


class TransportEpochRow(Table, table=True):
    """The pairing of this database with one broker's log; events carry it, and those of another are passed over.

    ``ask_first_until`` (real time): so long every provider that can be asked is asked before anything is submitted,
    because the database may not know what was sent."""

    __tablename__ = "transport_epoch"

    id: int = number(pk=True)
    epoch: Any = uuid()
    cluster_id: str = words()
    began_at: Any = instant()
    reason: str = words()
    ask_first_until: Any = instant(null=True)


class KnownSendRow(Table, table=True):
    """A message that was sent, as the event log says, while this restored database does not know it."""

    __tablename__ = "known_sends"

    message_id: Any = uuid(pk=True)
    noted_at: Any = instant()
