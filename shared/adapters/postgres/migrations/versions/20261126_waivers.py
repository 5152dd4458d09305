"""waivers

Charges are let off.

Revision: 8c40f2b7d913
After: 5d1c7e0a94b2
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "8c40f2b7d913"
down_revision = "5d1c7e0a94b2"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "waivers",
        sa.Column("waiver_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("component", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("granted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("state in ('proposed', 'granted', 'withdrawn')", name=op.f("ck_waivers_state_known")),
        sa.CheckConstraint(
            "component in ('principal', 'interest', 'fees', 'penalty')", name=op.f("ck_waivers_component_known")
        ),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_waivers_currency_iso")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_waivers_amount")),
        sa.CheckConstraint("(state = 'granted') = (granted_at is not null)", name=op.f("ck_waivers_granted")),
        sa.PrimaryKeyConstraint("waiver_id", name=op.f("pk_waivers")),
        schema="arrears",
    )
    op.create_index(op.f("ix_waivers_customer_id"), "waivers", ["customer_id"], unique=False, schema="arrears")
    op.create_index("ix_waivers_list", "waivers", ["proposed_at", "waiver_id"], unique=False, schema="arrears")


def downgrade() -> None:
    op.drop_index("ix_waivers_list", table_name="waivers", schema="arrears")
    op.drop_index(op.f("ix_waivers_customer_id"), table_name="waivers", schema="arrears")
    op.drop_table("waivers", schema="arrears")
