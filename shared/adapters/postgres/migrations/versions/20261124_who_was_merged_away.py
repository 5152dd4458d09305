"""who was merged away

Revision: 226a0fe129c9
After: 1b7c2d90e6a3
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "226a0fe129c9"
down_revision = "1b7c2d90e6a3"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "ix_customers_merged",
        "customers",
        ["merged_into"],
        unique=False,
        schema="arrears",
        postgresql_where=sa.text("merged_into is not null"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_customers_merged",
        table_name="customers",
        schema="arrears",
        postgresql_where=sa.text("merged_into is not null"),
    )
