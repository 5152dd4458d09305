"""transport over kafka

Revision: 0b07ccbeab46
After: 226a0fe129c9
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0b07ccbeab46"
down_revision = "226a0fe129c9"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consumer_offsets",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=True),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("forgiven", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("consumer", "topic", "partition", name=op.f("pk_consumer_offsets")),
        schema="arrears",
    )
    op.create_table(
        "consumer_types",
        sa.Column("consumer", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("consumer", "type", name=op.f("pk_consumer_types")),
        schema="arrears",
    )
    op.create_table(
        "known_sends",
        sa.Column("message_id", sa.UUID(), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_known_sends")),
        schema="arrears",
    )
    op.create_table(
        "relay_shards",
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), server_default=sa.text("'-infinity'"), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("shard", name=op.f("pk_relay_shards")),
        schema="arrears",
    )
    op.create_table(
        "transport_epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.UUID(), nullable=False),
        sa.Column("cluster_id", sa.Text(), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("ask_first_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_transport_epoch")),
        schema="arrears",
    )
    op.add_column(
        "attempts",
        sa.Column("disowned", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        schema="arrears",
    )
    op.add_column(
        "workers", sa.Column("fence", sa.BigInteger(), sa.Identity(always=True), nullable=False), schema="arrears"
    )
    op.add_column("workers", sa.Column("host", sa.Text(), nullable=True), schema="arrears")
    op.add_column("workers", sa.Column("pid", sa.Integer(), nullable=True), schema="arrears")
    op.add_column("workers", sa.Column("birth", sa.Text(), nullable=True), schema="arrears")
    op.add_column("workers", sa.Column("name", sa.Text(), nullable=True), schema="arrears")
    op.create_index(
        "ix_workers_alive", "workers", ["host"], unique=False, schema="arrears", postgresql_where=sa.text("not dead")
    )
    op.create_index(
        "ix_workers_named",
        "workers",
        ["name"],
        unique=False,
        schema="arrears",
        postgresql_where=sa.text("not dead and name is not null"),
    )


def downgrade() -> None:
    op.drop_index(
        "ix_workers_named",
        table_name="workers",
        schema="arrears",
        postgresql_where=sa.text("not dead and name is not null"),
    )
    op.drop_index("ix_workers_alive", table_name="workers", schema="arrears", postgresql_where=sa.text("not dead"))
    op.drop_column("workers", "name", schema="arrears")
    op.drop_column("workers", "birth", schema="arrears")
    op.drop_column("workers", "pid", schema="arrears")
    op.drop_column("workers", "host", schema="arrears")
    op.drop_column("workers", "fence", schema="arrears")
    op.drop_column("attempts", "disowned", schema="arrears")
    op.drop_table("transport_epoch", schema="arrears")
    op.drop_table("relay_shards", schema="arrears")
    op.drop_table("known_sends", schema="arrears")
    op.drop_table("consumer_types", schema="arrears")
    op.drop_table("consumer_offsets", schema="arrears")
