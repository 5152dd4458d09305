"""the order of lists

A page of any list is read from an index in the order in which it is shown, however many rows there are.

Revision: 1b7c2d90e6a3
After: f4ee596fa4f8
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "1b7c2d90e6a3"
down_revision = "f4ee596fa4f8"
branch_labels = None
depends_on = None

ORDERS = (("cases", "opened_at"), ("follow_ups", "due_at"), ("messages", "created_at"), ("payments", "posted_at"))


def upgrade() -> None:
    for table, column in ORDERS:
        op.create_index(op.f(f"ix_{table}_{column}"), table, [column], unique=False, schema="arrears")
    op.create_index(
        "ix_messages_attention",
        "messages",
        ["state", "created_at"],
        unique=False,
        schema="arrears",
        postgresql_where=sa.text("state in ('in_doubt', 'failed')"),
    )


def downgrade() -> None:
    op.drop_index("ix_messages_attention", table_name="messages", schema="arrears")
    for table, column in reversed(ORDERS):
        op.drop_index(op.f(f"ix_{table}_{column}"), table_name=table, schema="arrears")
