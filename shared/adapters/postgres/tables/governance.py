"""What decides and what proves: policies, templates, rule sets, calendars, the audit trail, the checks of our laws."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from shared.adapters.postgres.tables.columns import (
    Table,
    digest,
    instant,
    json,
    number,
    one_of,
    serial,
    words,
)


class PolicyRow(Table, table=True):
    __tablename__ = "policies"
    __table_args__ = (
        one_of("state", "draft", "active", "retired"),
        Index("uq_policies_one_active", "state", unique=True, postgresql_where=text("state = 'active'")),
    )

    version: int = number(pk=True)
    name: str = words()
    document: Any = json()
    sha256: str = words()
    state: str = words()
    created_at: Any = instant()
    created_by: str = words()


class TemplateRow(Table, table=True):
    __tablename__ = "templates"
    __table_args__ = (one_of("state", "draft", "approved", "retired"),)

    key: str = words(pk=True)
    language: str = words(pk=True)
    channel: str = words(pk=True)
    version: int = number(pk=True)
    purpose: str = words()
    subject: str | None = words(null=True)
    body: str = words()
    variables: Any = json()
    state: str = words()
    created_at: Any = instant()
    created_by: str = words()


class RuleSetRow(Table, table=True):
    """Every rule set that ever decided something, so that a decision can be replayed."""

    __tablename__ = "rule_sets"

    hash: str = words(pk=True)
    jurisdiction: str = words()
    document: Any = json()
    loaded_at: Any = instant()


class CalendarRow(Table, table=True):
    __tablename__ = "calendars"

    name: str = words(pk=True)
    version: int = number(pk=True)
    document: Any = json()
    loaded_at: Any = instant()


class AuditRow(Table, table=True):
    """Hash-chained: ``hash`` is SHA-256 over ``previous`` and the row. ``detail`` never holds personal data."""

    __tablename__ = "audit"
    __table_args__ = (Index(None, "subject"),)

    entry: int = serial()
    at: Any = instant()
    actor: str = words()
    action: str = words()
    subject: str = words()
    detail: Any = json()
    previous: bytes = digest()
    hash: bytes = digest()


class InvariantRunRow(Table, table=True):
    __tablename__ = "invariant_runs"

    law: str = words(pk=True)
    checked_at: Any = instant()
    violations: int = number()
    sample: Any = json()
