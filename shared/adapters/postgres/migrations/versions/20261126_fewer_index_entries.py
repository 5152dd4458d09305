"""A message that is done, a contact that is counted and a follow-up that moves enter fewer indexes. Two kept columns
are added to the messages, which writes their table anew under a lock; nothing was released before it, and no later
migration may.

Revision: d2a90c5b17e4
After: 8c41d7f0b3a6
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "d2a90c5b17e4"
down_revision = "8c41d7f0b3a6"
branch_labels = None
depends_on = None

WAITING = "state in ('planned', 'deferred')"
TROUBLED = "state in ('in_doubt', 'failed')"
IDENTITY = ["case_id", "policy_version", "step", "anchor"]
UNIQUE = "uq_follow_ups_case_id_policy_version_step_anchor"


def upgrade() -> None:
    op.drop_index("ix_messages_due", table_name="messages", schema="arrears")
    op.drop_index("ix_messages_attention", table_name="messages", schema="arrears")
    op.execute("alter table arrears.messages set (fillfactor = 50)")
    op.add_column(
        "messages",
        sa.Column(
            "waits_until",
            sa.DateTime(timezone=True),
            sa.Computed(f"case when {WAITING} then not_before end", persisted=True),
        ),
        schema="arrears",
    )
    op.add_column(
        "messages",
        sa.Column("attention", sa.Text(), sa.Computed(f"case when {TROUBLED} then state end", persisted=True)),
        schema="arrears",
    )
    for column, then in (("waits_until", "customer_id"), ("attention", "created_at")):
        op.create_index(
            op.f(f"ix_messages_{column}_{then}"),
            "messages",
            [column, then],
            unique=False,
            schema="arrears",
            postgresql_where=sa.text(f"{column} is not null"),
        )
    op.execute("alter table arrears.contact_ledger set (fillfactor = 50)")
    op.drop_index(op.f("ix_attempts_customer_id"), table_name="attempts", schema="arrears")
    op.drop_index(op.f("ix_follow_ups_customer_id"), table_name="follow_ups", schema="arrears")
    op.create_index(op.f("ix_follow_ups_case_id"), "follow_ups", ["case_id"], unique=False, schema="arrears")
    op.drop_constraint(op.f(UNIQUE), "follow_ups", schema="arrears", type_="unique")


def downgrade() -> None:
    op.create_unique_constraint(op.f(UNIQUE), "follow_ups", IDENTITY, schema="arrears")
    op.drop_index(op.f("ix_follow_ups_case_id"), table_name="follow_ups", schema="arrears")
    op.create_index(op.f("ix_follow_ups_customer_id"), "follow_ups", ["customer_id"], unique=False, schema="arrears")
    op.create_index(op.f("ix_attempts_customer_id"), "attempts", ["customer_id"], unique=False, schema="arrears")
    op.execute("alter table arrears.contact_ledger reset (fillfactor)")
    op.drop_column("messages", "attention", schema="arrears")
    op.drop_column("messages", "waits_until", schema="arrears")
    op.execute("alter table arrears.messages set (fillfactor = 70)")
    op.create_index(
        "ix_messages_due",
        "messages",
        ["not_before", "customer_id"],
        unique=False,
        schema="arrears",
        postgresql_where=sa.text(WAITING),
    )
    op.create_index(
        "ix_messages_attention",
        "messages",
        ["state", "created_at"],
        unique=False,
        schema="arrears",
        postgresql_where=sa.text(TROUBLED),
    )
