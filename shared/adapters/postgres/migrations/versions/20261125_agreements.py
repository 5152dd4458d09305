"""agreements

Promises to pay, and until when follow-ups wait for them.

Revision: 498dfc98a0a7
After: 0b07ccbeab46
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "498dfc98a0a7"
down_revision = "0b07ccbeab46"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ladder_waits",
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", "seq", name=op.f("pk_ladder_waits")),
        schema="arrears",
    )
    op.create_table(
        "promises",
        sa.Column("promise_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_on", sa.Date(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("promised_by", sa.Text(), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.Column("tolerance_days", sa.Integer(), nullable=False),
        sa.Column("tolerance_amount", sa.BigInteger(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("paid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("kept_on", sa.Date(), nullable=True),
        sa.Column("judged_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_promises_currency_iso")),
        sa.CheckConstraint(
            "state in ('open', 'kept', 'partially_kept', 'broken', 'cancelled')", name=op.f("ck_promises_state_known")
        ),
        sa.CheckConstraint("amount > 0 and paid between 0 and amount", name=op.f("ck_promises_amounts")),
        sa.PrimaryKeyConstraint("promise_id", name=op.f("pk_promises")),
        schema="arrears",
    )
    op.create_index(op.f("ix_promises_customer_id"), "promises", ["customer_id"], unique=False, schema="arrears")
    op.create_index("ix_promises_due", "promises", ["due_on", "promise_id"], unique=False, schema="arrears")


def downgrade() -> None:
    op.drop_index("ix_promises_due", table_name="promises", schema="arrears")
    op.drop_index(op.f("ix_promises_customer_id"), table_name="promises", schema="arrears")
    op.drop_table("promises", schema="arrears")
    op.drop_table("ladder_waits", schema="arrears")
