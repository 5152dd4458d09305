"""Cases, what was planned on them, and the work they make for people."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, UniqueConstraint, text

from shared.adapters.postgres.tables.columns import (
    Table,
    day,
    instant,
    json,
    money,
    number,
    one_of,
    row_version,
    secret,
    serial,
    small,
    uuid,
    words,
)


class CaseRow(Table, table=True):
    __tablename__ = "cases"
    __table_args__ = (
        one_of("state", "open", "cured", "closed"),
        UniqueConstraint("customer_id", "ordinal"),
        Index("uq_cases_one_open", "customer_id", unique=True, postgresql_where=text("state = 'open'")),
        Index(None, "state", "bucket"),
        Index(None, "opened_at"),
        Index("ix_cases_owner", "owner", postgresql_where=text("owner is not null")),
    )

    case_id: Any = uuid(pk=True)
    customer_id: str = words()
    ordinal: int = number()
    state: str = words()
    bucket: str = words()
    policy_version: int = number()
    opened_at: Any = instant()
    reopened_at: Any = instant(null=True)
    reopenings: int = small(default="0")
    ended_at: Any = instant(null=True)
    end_reason: str | None = words(null=True)
    owner: str | None = words(null=True)
    team: str | None = words(null=True)
    row_version: int = row_version()
    updated_at: Any = instant()


class CaseStandingRow(Table, table=True):
    """What the planner plans from: from ``at`` on, ``anchor`` was the oldest uncovered due (null: nothing to follow).

    Append only, written when the facts were applied, so that a schedule computed late is the one computed in time.
    ``past_due`` is ``{currency: minor units}``; ``zone`` the customer's clock (null: not noted, the present one);
    ``held`` lists the overdue accounts where each of them was held, and is null otherwise."""

    __tablename__ = "case_standings"

    case_id: Any = uuid(pk=True)
    seq: int = number(pk=True)
    at: Any = instant()
    anchor: Any = day(null=True)
    past_due: Any = json()
    segment: str = words()
    zone: str | None = words(null=True)
    held: Any = json(null=True)


class CaseEventRow(Table, table=True):
    """The timeline of a customer's cases. ``data`` holds ids, amounts and codes, never personal data."""

    __tablename__ = "case_events"
    __table_args__ = (Index(None, "case_id", "entry"), Index(None, "customer_id", "entry"))

    entry: int = serial()
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    at: Any = instant()
    kind: str = words()
    actor: str = words()
    data: Any = json()


class NoteRow(Table, table=True):
    __tablename__ = "notes"
    __table_args__ = (Index(None, "case_id", "written_at"),)

    note_id: Any = uuid(pk=True)
    case_id: Any = uuid()
    customer_id: str = words()
    text_enc: bytes = secret(null=False)
    author: str = words()
    written_at: Any = instant()


class FollowUpRow(Table, table=True):
    """One step of a ladder on one anchor. Its id is made of its identity, (case, policy version, step, anchor), and of
    nothing else; the key is the guard against a second one."""

    __tablename__ = "follow_ups"
    __table_args__ = (
        one_of("state", "planned", "deferred", "issued", "done", "failed", "suppressed", "passed_over", "cancelled"),
        one_of("kind", "message", "call", "visit", "letter", "legal"),
        Index(None, "case_id"),
        Index(None, "due_at"),
        Index("ix_follow_ups_coming", "due_at", postgresql_where=text("state in ('planned', 'deferred')")),
    )

    follow_up_id: Any = uuid(pk=True)
    case_id: Any = uuid()
    customer_id: str = words()
    policy_version: int = number()
    step: str = words()
    anchor: Any = day()
    kind: str = words()
    due_at: Any = instant()
    state: str = words()
    reason: str | None = words(null=True)
    deferred_until: Any = instant(null=True)
    decided_at: Any = instant()
    actor: str = words(default="'planner'")
    row_version: int = row_version()


class WorkItemRow(Table, table=True):
    """A call, visit, letter or legal step that a person does."""

    __tablename__ = "work_items"
    __table_args__ = (
        one_of("state", "open", "taken", "done", "cancelled"),
        one_of("kind", "call", "visit", "letter", "legal"),
        Index(
            "ix_work_items_worklist",
            "priority",
            "due_on",
            "item_id",
            postgresql_where=text("state in ('open', 'taken')"),
        ),
        Index(
            "ix_work_items_kind",
            "kind",
            "priority",
            "due_on",
            "item_id",
            postgresql_where=text("state in ('open', 'taken')"),
        ),
        Index("ix_work_items_assignee", "assignee", postgresql_where=text("state = 'taken'")),
        Index(None, "case_id"),
    )

    item_id: Any = uuid(pk=True)
    follow_up_id: Any = uuid()
    case_id: Any = uuid()
    customer_id: str = words()
    kind: str = words()
    step: str = words()
    bucket: str = words()
    past_due: Any = json()
    priority: int = number()
    due_on: Any = day()
    state: str = words()
    assignee: str | None = words(null=True)
    team: str | None = words(null=True)
    outcome: str | None = words(null=True)
    note_enc: bytes | None = secret()
    created_at: Any = instant()
    taken_at: Any = instant(null=True)
    ended_at: Any = instant(null=True)
    amount: int = money(default="0")
    row_version: int = row_version()
