"""What households were found to be able to pay."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Index

from shared.adapters.postgres.tables.columns import (
    Table,
    currency_check,
    day,
    holds_true,
    instant,
    json,
    money,
    number,
    one_of,
    secret,
    uuid,
    words,
)


class AssessmentRow(Table, table=True):
    """An assessment, append only: whose it is moves with a merger, nothing else changes. ``document`` holds debts and
    options; all that tells of the household is sealed in ``household_enc``."""

    __tablename__ = "assessments"
    __table_args__ = (
        one_of("route", "ordinary", "hardship", "review"),
        currency_check(),
        holds_true("times", "valid_until >= assessed_on"),
        Index(None, "customer_id"),
        Index("ix_assessments_list", "assessed_at", "assessment_id"),
    )

    assessment_id: Any = uuid(pk=True)
    customer_id: str = words()
    case_id: Any = uuid(null=True)
    currency: str = words()
    route: str = words()
    owed: int = money()
    guide: str = words()
    guide_version: int = number()
    guide_hash: str = words()
    policy_version: int = number()
    assessed_by: str = words()
    assessed_at: Any = instant()
    assessed_on: Any = day()
    valid_until: Any = day()
    document: Any = json()
    household_enc: bytes = secret(null=False)
