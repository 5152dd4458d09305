"""settlements

Less is taken than is owed.

Revision: 5d1c7e0a94b2
After: 05344a04380c
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "5d1c7e0a94b2"
down_revision = "05344a04380c"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "settlements",
        sa.Column("settlement_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("instrument", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=False),
        sa.Column("pays", sa.BigInteger(), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("reckoned_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_on", sa.Date(), nullable=False),
        sa.Column("held", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("holding", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state in ('proposed', 'offered', 'accepted', 'active', 'fulfilled', 'breached', 'withdrawn', 'expired')",
            name=op.f("ck_settlements_state_known"),
        ),
        sa.CheckConstraint("instrument in ('lump_sum', 'plan')", name=op.f("ck_settlements_instrument_known")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_settlements_currency_iso")),
        sa.CheckConstraint("pays > 0 and pays < owed and received >= 0", name=op.f("ck_settlements_amounts")),
        sa.PrimaryKeyConstraint("settlement_id", name=op.f("pk_settlements")),
        schema="arrears",
    )
    op.create_index(op.f("ix_settlements_customer_id"), "settlements", ["customer_id"], unique=False, schema="arrears")
    op.create_index(
        "ix_settlements_list", "settlements", ["proposed_at", "settlement_id"], unique=False, schema="arrears"
    )


def downgrade() -> None:
    op.drop_index("ix_settlements_list", table_name="settlements", schema="arrears")
    op.drop_index(op.f("ix_settlements_customer_id"), table_name="settlements", schema="arrears")
    op.drop_table("settlements", schema="arrears")
