"""agreements

Promises to pay, plans and approvals, and until when follow-ups wait for them.

Revision: 48e246bdf1a3
After: 0b07ccbeab46
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "48e246bdf1a3"
down_revision = "0b07ccbeab46"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "approvals",
        sa.Column("approval_id", sa.UUID(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approvers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("involved", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state in ('pending', 'approved', 'refused', 'expired', 'withdrawn')", name=op.f("ck_approvals_state_known")
        ),
        sa.CheckConstraint(
            "state not in ('approved', 'refused') or decided_by <> requested_by", name=op.f("ck_approvals_two_people")
        ),
        sa.PrimaryKeyConstraint("approval_id", name=op.f("pk_approvals")),
        schema="arrears",
    )
    op.create_index(op.f("ix_approvals_customer_id"), "approvals", ["customer_id"], unique=False, schema="arrears")
    op.create_index("ix_approvals_list", "approvals", ["expires_at", "approval_id"], unique=False, schema="arrears")
    op.create_index(
        op.f("ix_approvals_subject_subject_id"), "approvals", ["subject", "subject_id"], unique=False, schema="arrears"
    )
    op.create_table(
        "instalments",
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("principal", sa.BigInteger(), nullable=False),
        sa.Column("interest", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("currency ~ '^[A-Z]{3}$'", name=op.f("ck_instalments_currency_iso")),
        sa.CheckConstraint("amount = principal + interest + fee", name=op.f("ck_instalments_adds_up")),
        sa.PrimaryKeyConstraint("plan_id", "currency", "number", name=op.f("pk_instalments")),
        schema="arrears",
    )
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
        "plans",
        sa.Column("plan_id", sa.UUID(), nullable=False),
        sa.Column("customer_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.UUID(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("proposed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("looked_on", sa.Date(), nullable=False),
        sa.Column("held", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("holding", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("document", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "state in ('proposed', 'approved', 'active', 'completed', 'broken', 'restructured', 'cancelled')",
            name=op.f("ck_plans_state_known"),
        ),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plans")),
        schema="arrears",
    )
    op.create_index(op.f("ix_plans_customer_id"), "plans", ["customer_id"], unique=False, schema="arrears")
    op.create_index("ix_plans_list", "plans", ["proposed_at", "plan_id"], unique=False, schema="arrears")
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
    op.drop_index("ix_plans_list", table_name="plans", schema="arrears")
    op.drop_index(op.f("ix_plans_customer_id"), table_name="plans", schema="arrears")
    op.drop_table("plans", schema="arrears")
    op.drop_table("ladder_waits", schema="arrears")
    op.drop_table("instalments", schema="arrears")
    op.drop_index(op.f("ix_approvals_subject_subject_id"), table_name="approvals", schema="arrears")
    op.drop_index("ix_approvals_list", table_name="approvals", schema="arrears")
    op.drop_index(op.f("ix_approvals_customer_id"), table_name="approvals", schema="arrears")
    op.drop_table("approvals", schema="arrears")
