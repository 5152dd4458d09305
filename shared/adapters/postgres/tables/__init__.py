"""The schema: every table of the product, declared once."""

from shared.adapters.postgres.tables import (
    accounts,
    agreements,
    assessments,
    cases,
    contacts,
    customers,
    governance,
    limitation,
    messages,
    transport,
)
from shared.adapters.postgres.tables.columns import metadata

__all__ = [
    "accounts",
    "agreements",
    "assessments",
    "cases",
    "contacts",
    "customers",
    "governance",
    "limitation",
    "messages",
    "metadata",
    "transport",
]
