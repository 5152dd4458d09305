"""Purges, each by an index and bounded, so that house is kept without anybody waiting."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.adapters.postgres.session import Session

_AT_ONCE = 50_000


class HousekeepingTables(Session):
    async def purge(self, *, answers: timedelta, unmatched: timedelta, sent: timedelta) -> dict[str, int]:
        return {
            "answers": await self._delete(
                "delete from idempotency_keys where created_at < clock_timestamp() - $1::interval", answers
            ),
            "unmatched_payments": await self._delete(
                f"""
                delete from payments where (source, payment_id) in (
                    select source, payment_id from payments
                    where not matched and received_at < $2::timestamptz - $1::interval
                    order by received_at limit {_AT_ONCE})
                """,  # noqa: S608 - a constant
                unmatched,
                self.now,
            ),
            "sent_events": await self._delete(
                f"""
                delete from outbox where seq in (
                    select seq from outbox where sent_at < clock_timestamp() - $1::interval order by sent_at
                    limit {_AT_ONCE})
                """,  # noqa: S608 - a constant
                sent,
            ),
        }

    async def _delete(self, statement: str, age: timedelta, *more: datetime) -> int:
        status: str = await self.conn.execute(statement, age, *more)
        return int(status.rsplit(" ", 1)[1])

    async def add_timer_once(self, scope: str, kind: str, subject: str, due_at: datetime) -> None:
        await self.conn.execute(
            "insert into timers (scope, kind, subject, due_at, rank) values ($1, $2, $3, $4, 99)"
            " on conflict do nothing",
            scope,
            kind,
            subject,
            due_at,
        )
