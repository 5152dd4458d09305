"""What decides and what proves: policies, templates, rule sets, calendars, the audit trail, the checks of our laws."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index, text

from shared.adapters.postgres.tables.columns import (
    Table,
    day,
    digest,
    holds_true,
    instant,
    json,
    number,
    one_of,
    row_version,
    serial,
    uuid,
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
    """One text in one language for one channel. ``jurisdictions`` are those whose rules it was written for; what ships
    with a version is approved by nobody."""

    __tablename__ = "templates"
    __table_args__ = (
        one_of("state", "draft", "review", "approved", "retired"),
        holds_true("two_people", "approved_by is distinct from created_by"),
    )

    key: str = words(pk=True)
    language: str = words(pk=True)
    channel: str = words(pk=True)
    version: int = number(pk=True)
    purpose: str = words()
    subject: str | None = words(null=True)
    body: str = words()
    variables: Any = json()
    jurisdictions: Any = json(default="""'["CN"]'::jsonb""")
    state: str = words()
    created_at: Any = instant()
    created_by: str = words()
    submitted_by: str | None = words(null=True)
    submitted_at: Any = instant(null=True)
    approved_by: str | None = words(null=True)
    approved_at: Any = instant(null=True)
    approved_reason: str | None = words(null=True)
    retired_by: str | None = words(null=True)
    retired_at: Any = instant(null=True)
    retired_reason: str | None = words(null=True)
    row_version: int = row_version()


class RuleSetRow(Table, table=True):
    """Every rule set that ever decided something, so that a decision can be replayed."""

    __tablename__ = "rule_sets"

    hash: str = words(pk=True)
    jurisdiction: str = words()
    document: Any = json()
    loaded_at: Any = instant()


class ContactOverlayRow(Table, table=True):
    """A bank's own rules over a pack (``document``), in force from ``starts`` once a second person signed. ``base`` is
    the hash of the rule set that they were proposed over, ``rule_set`` of the one that came of it."""

    __tablename__ = "contact_overlays"
    __table_args__ = (
        one_of("state", "proposed", "signed", "withdrawn"),
        holds_true("two_people", "signed_by is distinct from proposed_by"),
        Index(None, "jurisdiction", "version", unique=True),
    )

    overlay_id: Any = uuid(pk=True)
    jurisdiction: str = words()
    version: int = number()
    document: Any = json()
    starts: Any = day()
    reason: str = words()
    loosens: Any = json()
    base: str = words()
    state: str = words()
    proposed_by: str = words()
    proposed_at: Any = instant()
    signed_by: str | None = words(null=True)
    signed_at: Any = instant(null=True)
    signed_reason: str | None = words(null=True)
    rule_set: str | None = words(null=True)
    withdrawn_by: str | None = words(null=True)
    withdrawn_at: Any = instant(null=True)
    withdrawn_reason: str | None = words(null=True)
    row_version: int = row_version()


class ReleaseRow(Table, table=True):
    """What decides changed, in the order of commits: every process looks at the newest number, and reads again when it
    has not seen it. ``subject`` is the jurisdiction; without ``overlay_id`` the rule set is a pack as it ships."""

    __tablename__ = "releases"
    __table_args__ = (one_of("kind", "rules", "templates"), Index(None, "subject", "released_at"))

    release: int = serial()
    kind: str = words()
    subject: str = words()
    rule_set: str | None = words(null=True)
    overlay_id: Any = uuid(null=True)
    released_at: Any = instant()
    released_by: str = words()


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
