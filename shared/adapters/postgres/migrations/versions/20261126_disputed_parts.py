"""disputed parts

Revision: 7c41d0a95e36
After: 8c40f2b7d913
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "7c41d0a95e36"
down_revision = "8c40f2b7d913"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "holds", sa.Column("disputed", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="arrears"
    )


def downgrade() -> None:
    op.drop_column("holds", "disputed", schema="arrears")
