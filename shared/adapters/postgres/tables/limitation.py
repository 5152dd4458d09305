"""The clock of limitation: what people know of it, and of which dates was warned. The rest follows from the books."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index

from shared.adapters.postgres.tables.columns import (
    Table,
    day,
    holds_true,
    instant,
    maybe,
    one_of,
    row_version,
    uuid,
    words,
)


class LimitationEntryRow(Table, table=True):
    """An interruption (``at``), an obstacle on dates in [``first``, ``ends``), or the approval of legal steps on a
    barred claim. What turned out to be wrong is withdrawn, never removed."""

    __tablename__ = "limitation_entries"
    __table_args__ = (
        one_of(
            "kind",
            "demand",
            "deduction",
            "agreement",
            "part_payment",
            "suit",
            "payment_order",
            "police_report",
            "assignment_notice",
            "obstacle",
            "approval",
        ),
        holds_true("dated", "kind = 'approval' or (kind = 'obstacle') = (first is not null)"),
        holds_true("timed", "(kind in ('obstacle', 'approval')) = (at is null)"),
        Index(None, "account_id"),
    )

    entry_id: Any = uuid(pk=True)
    account_id: str = words()
    kind: str = words()
    at: Any = instant(null=True)
    first: Any = day(null=True)
    ends: Any = day(null=True)
    proof: str = words()
    arrived: Any = maybe()
    to_point_left: Any = maybe()
    recorded_at: Any = instant()
    recorded_by: str = words()
    withdrawn_at: Any = instant(null=True)
    withdrawn_by: str | None = words(null=True)
    withdrawn_reason: str | None = words(null=True)
    row_version: int = row_version()


class LimitationAlertRow(Table, table=True):
    """A date on which was warned that a claim will be barred, so that none is told twice."""

    __tablename__ = "limitation_alerts"

    account_id: str = words(pk=True)
    alert_on: Any = day(pk=True)
    ends_on: Any = day(null=True)
    told_at: Any = instant()
