"""facts of the schedule

What stopped a ladder because all that was overdue was held, and by which clock it ran, is on record with the standing;
with a hold, when it came from another customer; and with a timer that failed, when it was due. The clock of the standings there are is not known; that all is held
is written to the newest standing of open cases.

Revision: 698659859560
After: 1d006ef16e0a
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "698659859560"
down_revision = "1d006ef16e0a"
branch_labels = None
depends_on = None

ALL_HELD = """
    update arrears.case_standings s set held = found.held
    from (
        select c.case_id, last.seq, jsonb_agg(distinct a.account_id) as held
        from arrears.cases c
        cross join lateral (
            select seq, at from arrears.case_standings where case_id = c.case_id order by seq desc limit 1
        ) last
        join arrears.accounts a on a.customer_id = c.customer_id and a.bucket <> 'M0' and a.status <> 'closed'
        where c.state = 'open' and c.customer_id in (
            select customer_id from arrears.holds where account_id is not null and kind <> 'legal_only')
        group by c.case_id, last.seq
        having bool_and(exists (
            select from arrears.holds h
            where h.account_id = a.account_id and h.kind <> 'legal_only' and h.placed_at <= last.at
              and coalesce(least(h.ends_at, h.released_at), 'infinity') > last.at))
    ) found
    where s.case_id = found.case_id and s.seq = found.seq
"""

# What was told of a hold is taken to have been heard.
JUDGED = """
    update arrears.holds
    set noted = case when coalesce(least(ends_at, released_at), 'infinity') <= clock.now then 2 else 1 end
    from (select coalesce((select now from arrears.business_clock), now()) as now) clock
    where account_id is not null
"""


def upgrade() -> None:
    op.add_column("case_standings", sa.Column("zone", sa.Text(), nullable=True), schema="arrears")
    op.add_column(
        "case_standings", sa.Column("held", postgresql.JSONB(astext_type=sa.Text()), nullable=True), schema="arrears"
    )
    op.add_column("holds", sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True), schema="arrears")
    op.add_column(
        "holds", sa.Column("noted", sa.SmallInteger(), server_default=sa.text("0"), nullable=False), schema="arrears"
    )
    op.add_column("timers", sa.Column("was_due_at", sa.DateTime(timezone=True), nullable=True), schema="arrears")
    op.execute(JUDGED)
    op.execute(ALL_HELD)


def downgrade() -> None:
    op.drop_column("timers", "was_due_at", schema="arrears")
    op.drop_column("holds", "noted", schema="arrears")
    op.drop_column("holds", "moved_at", schema="arrears")
    op.drop_column("case_standings", "held", schema="arrears")
    op.drop_column("case_standings", "zone", schema="arrears")
