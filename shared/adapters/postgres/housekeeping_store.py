"""Purges, each by an index and bounded, so that house is kept without anybody waiting."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.adapters.postgres.session import Session


class HousekeepingTables(Session):
    async def purge(self, *, answers: timedelta, unmatched: timedelta, sent: timedelta, at_once: int) -> dict[str, int]:
        """How many rows of each kind went, at most ``at_once``: with so many there may be more."""
        return {
            "answers": await self._delete(
                """
                delete from idempotency_keys where (scope, key) in (
                    select scope, key from idempotency_keys where created_at < clock_timestamp() - $1::interval
                    order by created_at limit $2)
                """,
                answers,
                at_once,
            ),
            "unmatched_payments": await self._delete(
                """
                delete from payments where (source, payment_id) in (
                    select source, payment_id from payments
                    where not matched and received_at < $3::timestamptz - $1::interval
                    order by received_at limit $2)
                """,
                unmatched,
                at_once,
                self.now,
            ),
            "sent_events": await self._delete(
                """
                delete from outbox where seq in (
                    select seq from outbox where sent_at < clock_timestamp() - $1::interval order by sent_at limit $2)
                """,
                sent,
                at_once,
            ),
        }

    async def _delete(self, statement: str, age: timedelta, at_once: int, *more: datetime) -> int:
        status: str = await self.conn.execute(statement, age, at_once, *more)
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
