"""template life

Revision: 2b84e6c19fa0
After: 7c1f0a92d3be
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "2b84e6c19fa0"
down_revision = "7c1f0a92d3be"
branch_labels = None
depends_on = None

_WORDS = ("submitted_by", "approved_by", "approved_reason", "retired_by", "retired_reason")
_INSTANTS = ("submitted_at", "approved_at", "retired_at")


def upgrade() -> None:
    for name in _WORDS:
        op.add_column("templates", sa.Column(name, sa.Text(), nullable=True), schema="arrears")
    for name in _INSTANTS:
        op.add_column("templates", sa.Column(name, sa.DateTime(timezone=True), nullable=True), schema="arrears")
    # Texts from before were written for mainland China, by whose rules they were read when they were loaded.
    op.add_column(
        "templates",
        sa.Column(
            "jurisdictions",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("""'["CN"]'::jsonb"""),
            nullable=False,
        ),
        schema="arrears",
    )
    op.add_column(
        "templates",
        sa.Column("row_version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        schema="arrears",
    )
    op.drop_constraint("ck_templates_state_known", "templates", schema="arrears")
    op.create_check_constraint(
        op.f("ck_templates_state_known"),
        "templates",
        "state in ('draft', 'review', 'approved', 'retired')",
        schema="arrears",
    )
    op.create_check_constraint(
        op.f("ck_templates_two_people"), "templates", "approved_by is distinct from created_by", schema="arrears"
    )


def downgrade() -> None:
    op.execute("update arrears.templates set state = 'draft' where state = 'review'")
    op.drop_constraint("ck_templates_two_people", "templates", schema="arrears")
    op.drop_constraint("ck_templates_state_known", "templates", schema="arrears")
    op.create_check_constraint(
        op.f("ck_templates_state_known"), "templates", "state in ('draft', 'approved', 'retired')", schema="arrears"
    )
    for name in ("row_version", "jurisdictions", *_INSTANTS, *_WORDS):
        op.drop_column("templates", name, schema="arrears")
