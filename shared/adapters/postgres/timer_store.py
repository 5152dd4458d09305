"""Timers: who has something due, and taking it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.session import Session
from shared.application.book import Book, CustomerPage
from shared.application.clockwork import EVERYBODY, DueTimer


class TimerTables(Session):
    async def customers_with_due_timers(self, limit: int) -> list[str]:
        rows = await self.conn.fetch(
            """
            select scope from (
                select scope, due_at from timers where due_at <= $1 order by due_at, scope limit $2
            ) due group by scope order by min(due_at), scope
            """,
            self.now,
            limit,
        )
        return [row[0] for row in rows]

    async def claim_customers(self, book: Book, customer_ids: Sequence[str]) -> None:
        rows = await self.conn.fetch(
            """
            select customer_id, core_version, language, time_zone, jurisdiction, segment, merged_into, cases_opened
            from customers where customer_id = any((select string_to_array($1, chr(10)))::text[]) order by customer_id
            for no key update skip locked
            """,
            as_lines(customer_ids),
        )
        for row in rows:
            book.customers[row[0]] = CustomerPage(*row)

    async def due_timers(self, scopes: Sequence[str]) -> list[DueTimer]:
        rows = await self.conn.fetch(
            """
            select scope, kind, subject, coalesce(was_due_at, due_at) from timers
            where scope = any((select string_to_array($1, chr(10)))::text[]) and due_at <= $2
            order by 4, rank, scope, subject
            """,
            as_lines(scopes),
            self.now,
        )
        return [DueTimer(*row) for row in rows]

    async def take_timers_of_nobody(self) -> list[DueTimer]:
        rows = await self.conn.fetch(
            "delete from timers where scope = $1 and due_at <= $2 returning scope, kind, subject, due_at",
            EVERYBODY,
            self.now,
        )
        return [DueTimer(*row) for row in rows]

    async def due_rolls(self, customer_ids: Iterable[str]) -> dict[str, datetime]:
        rows = await self.conn.fetch(
            "select scope, min(coalesce(was_due_at, due_at)) from timers"
            " where scope = any((select string_to_array($1, chr(10)))::text[]) and kind = 'bucket_roll'"
            " and coalesce(was_due_at, due_at) <= $2 group by scope",
            as_lines(customer_ids),
            self.now,
        )
        return {row[0]: row[1] for row in rows}

    async def postpone_timers(self, scope: str, error: str) -> None:
        """Try a customer whose timers failed again in a minute; the reason stands in the timeline."""
        await self.conn.execute(
            "update timers set due_at = $2 + interval '1 minute', was_due_at = coalesce(was_due_at, due_at)"
            " where scope = $1 and due_at <= $2",
            scope,
            self.now,
        )
        await self.conn.execute(
            "insert into case_events (customer_id, at, kind, actor, data) values ($1, $2, 'timer.failed', 'clock', $3)",
            scope,
            self.now,
            {"error": error},
        )
