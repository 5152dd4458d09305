"""contacts by people

Revision: 2b200917890c
After: 0b07ccbeab46
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "a60c0a3fdf8e"
down_revision = "0b07ccbeab46"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "contact_attempts",
        sa.Column("attempt_id", sa.UUID(), nullable=False),
        sa.Column("contact_id", sa.UUID(), nullable=True),
        sa.Column("permit_id", sa.UUID(), nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("point_id", sa.UUID(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=True),
        sa.Column("account_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("announcement", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("party_name", sa.Text(), nullable=True),
        sa.Column("outbound", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("connected", sa.Boolean(), nullable=True),
        sa.Column("effective_talk", sa.Boolean(), nullable=True),
        sa.Column("talk_seconds", sa.Integer(), nullable=True),
        sa.Column("recording", sa.Text(), nullable=True),
        sa.Column("permitted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.CheckConstraint("party in ('bank', 'agency', 'debt_buyer')", name=op.f("ck_contact_attempts_party_known")),
        sa.PrimaryKeyConstraint("attempt_id", name=op.f("pk_contact_attempts")),
        schema="arrears",
    )
    op.create_index(
        op.f("ix_contact_attempts_customer_id_at"),
        "contact_attempts",
        ["customer_id", "at"],
        unique=False,
        schema="arrears",
    )
    op.create_index(
        op.f("ix_contact_attempts_recorded_at_attempt_id"),
        "contact_attempts",
        ["recorded_at", "attempt_id"],
        unique=False,
        schema="arrears",
    )
    op.create_index("uq_contact_attempts_contact_id", "contact_attempts", ["contact_id"], unique=True, schema="arrears")
    op.create_table(
        "contact_permits",
        sa.Column("permit_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("point_id", sa.UUID(), nullable=True),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("person_id", sa.UUID(), nullable=True),
        sa.Column("account_ids", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("announcement", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("party", sa.Text(), nullable=False),
        sa.Column("party_name", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decision", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by", sa.Text(), nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("party in ('bank', 'agency', 'debt_buyer')", name=op.f("ck_contact_permits_party_known")),
        sa.CheckConstraint(
            "state in ('refused', 'granted', 'used', 'lapsed', 'released')", name=op.f("ck_contact_permits_state_known")
        ),
        sa.PrimaryKeyConstraint("permit_id", name=op.f("pk_contact_permits")),
        schema="arrears",
    )
    op.create_index(
        op.f("ix_contact_permits_asked_at_permit_id"),
        "contact_permits",
        ["asked_at", "permit_id"],
        unique=False,
        schema="arrears",
    )
    op.create_index(
        op.f("ix_contact_permits_customer_id"), "contact_permits", ["customer_id"], unique=False, schema="arrears"
    )
    op.create_index(
        "ix_contact_permits_open",
        "contact_permits",
        ["expires_at"],
        unique=False,
        schema="arrears",
        postgresql_where=sa.text("state in ('granted', 'lapsed')"),
    )
    op.add_column(
        "contact_ledger",
        sa.Column("made_by", sa.Text(), server_default=sa.text("'message'"), nullable=False),
        schema="arrears",
    )
    op.create_check_constraint(
        op.f("ck_contact_ledger_made_by_known"),
        "contact_ledger",
        "made_by in ('message', 'permit', 'attempt')",
        schema="arrears",
    )


def downgrade() -> None:
    op.drop_column("contact_ledger", "made_by", schema="arrears")
    op.drop_index(
        "ix_contact_permits_open",
        table_name="contact_permits",
        schema="arrears",
        postgresql_where=sa.text("state in ('granted', 'lapsed')"),
    )
    op.drop_index(op.f("ix_contact_permits_customer_id"), table_name="contact_permits", schema="arrears")
    op.drop_index(op.f("ix_contact_permits_asked_at_permit_id"), table_name="contact_permits", schema="arrears")
    op.drop_table("contact_permits", schema="arrears")
    op.drop_index("uq_contact_attempts_contact_id", table_name="contact_attempts", schema="arrears")
    op.drop_index(op.f("ix_contact_attempts_recorded_at_attempt_id"), table_name="contact_attempts", schema="arrears")
    op.drop_index(op.f("ix_contact_attempts_customer_id_at"), table_name="contact_attempts", schema="arrears")
    op.drop_table("contact_attempts", schema="arrears")
