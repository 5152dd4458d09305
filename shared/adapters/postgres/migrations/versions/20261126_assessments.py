"""assessments

What a household can pay, kept as it was found. Plans that named an assessment in free text name none any more: nothing
was behind it.

Revision: 8c41d7f0b3a6
After: 2b84e6c19fa0
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "8c41d7f0b3a6"
down_revision = "2b84e6c19fa0"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assessments",
        sa.Column("assessment_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("owed", sa.BigInteger(), nullable=False),
        sa.Column("guide", sa.Text(), nullable=False),
        sa.Column("guide_version", sa.Integer(), nullable=False),
        sa.Column("guide_hash", sa.Text(), nullable=False),
        sa.Column("policy_version", sa.Integer(), nullable=False),
        sa.Column("assessed_by", sa.Text(), nullable=False),
        sa.Column("assessed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("assessed_on", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("household_enc", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("route in ('ordinary', 'hardship', 'review')", name=op.f("ck_assessments_route_known")),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_assessments_currency_iso")),
        sa.CheckConstraint("valid_until >= assessed_on", name=op.f("ck_assessments_times")),
        sa.PrimaryKeyConstraint("assessment_id", name=op.f("pk_assessments")),
        schema="arrears",
    )
    op.create_index(op.f("ix_assessments_customer_id"), "assessments", ["customer_id"], unique=False, schema="arrears")
    op.create_index(
        "ix_assessments_list", "assessments", ["assessed_at", "assessment_id"], unique=False, schema="arrears"
    )
    op.execute(
        """
        update arrears.plans set document = jsonb_set(document, '{assessment_id}', 'null')
        where document ->> 'assessment_id' is not null
        """
    )


def downgrade() -> None:
    op.drop_index("ix_assessments_list", table_name="assessments", schema="arrears")
    op.drop_index(op.f("ix_assessments_customer_id"), table_name="assessments", schema="arrears")
    op.drop_table("assessments", schema="arrears")
