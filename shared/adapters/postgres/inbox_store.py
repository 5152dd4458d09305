"""The inbox and what is parked behind a failure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from shared.adapters.postgres.keys import as_lines
from shared.adapters.postgres.offset_store import OffsetTables
from shared.adapters.postgres.rows import Rows
from shared.application.ports import InboxLine, ParkedEvent, Seen
from shared.application.retrying import Parked

_INBOX = Rows(
    "arrears.inbox",
    {
        "consumer": "text",
        "source": "text",
        "id": "text",
        "fingerprint": "bytea",
        "answer": "text",
        "reason": "text",
        "customer_id": "text",
        "received_at": "timestamptz",
    },
)


class InboxTables(OffsetTables):
    """Offsets of consumers are kept with their inbox."""

    async def seen(self, consumer: str, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Seen]:
        rows = await self.conn.fetch(
            """
            select i.source, i.id, i.answer, i.fingerprint, false
            from unnest(string_to_array($2, chr(10)), string_to_array($3, chr(10))) as k(source, id)
            join inbox i on i.consumer = $1 and i.source = k.source and i.id = k.id
            union all
            select p.source, p.event_id, 'parked', null, true
            from unnest(string_to_array($2, chr(10)), string_to_array($3, chr(10))) as k(source, id)
            join parked p on p.consumer = $1 and p.source = k.source and p.event_id = k.id
            where p.state in ('parked', 'dead')
            """,
            consumer,
            as_lines([key[0] for key in keys]),
            as_lines([key[1] for key in keys]),
        )
        found = {(row[0], row[1]): Seen(row[2], row[3]) for row in rows if not row[4]}
        return found | {(row[0], row[1]): Seen(row[2], None) for row in rows if row[4]}

    async def add_to_inbox(self, consumer: str, lines: Sequence[InboxLine]) -> None:
        await _INBOX.write(
            self.conn,
            [
                (consumer, source, key, mark, answer, reason, who, self.now)
                for source, key, mark, answer, reason, who in lines
            ],
        )

    async def take(self, consumer: str, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
        """Enter events of our own into the inbox; those that were not there before are returned."""
        rows = await self.conn.fetch(
            """
            insert into inbox (consumer, source, id, received_at)
            select $1, k.source, k.id, $4
            from unnest(string_to_array($2, chr(10)), string_to_array($3, chr(10))) as k(source, id)
            on conflict do nothing
            returning source, id
            """,
            consumer,
            as_lines([key[0] for key in keys]),
            as_lines([key[1] for key in keys]),
            self.now,
        )
        return {(row[0], row[1]) for row in rows}

    async def blocked(self, consumer: str, customer_ids: Iterable[str]) -> set[str]:
        rows = await self.conn.fetch(
            """
            select distinct customer_id from parked
            where consumer = $1 and customer_id = any((select string_to_array($2, chr(10)))::text[])
              and state in ('parked', 'dead')
            """,
            consumer,
            as_lines(customer_ids),
        )
        return {row[0] for row in rows}

    async def park(
        self, consumer: str, customer_id: str, event: ParkedEvent, *, tries: int, retry_in: timedelta, error: str
    ) -> None:
        row_key = f"{consumer}/{event.source}/{event.id}"
        await self.conn.execute(
            """
            insert into parked (consumer, customer_id, source, event_id, type, envelope_enc, tries, not_before, error,
                                state, parked_at)
            values ($1, $2, $3, $4, $5, $6, $7, clock_timestamp() + $8, $9, 'parked', $10)
            """,
            consumer,
            customer_id,
            event.source,
            event.id,
            event.type,
            self.cipher.encrypt_bytes("parked", "envelope", row_key, event.envelope),
            tries,
            retry_in,
            error,
            self.now,
        )

    async def parked_due(self, consumer: str, limit: int) -> list[Parked]:
        """The first waiting event of each customer whose time has come; a dead one holds its customer back."""
        rows = await self.conn.fetch(
            """
            select entry, customer_id, source, event_id, type, envelope_enc, tries from (
                select distinct on (customer_id) * from parked
                where consumer = $1 and state in ('parked', 'dead') order by customer_id, entry
            ) first
            where state = 'parked' and not_before <= clock_timestamp() order by entry limit $2
            """,
            consumer,
            limit,
        )
        return [Parked(*(*row[:5], self._kept(consumer, row[2], row[3], row[5]), row[6])) for row in rows]

    def _kept(self, consumer: str, source: str, event_id: str, sealed: bytes) -> bytes:
        return self.cipher.decrypt_bytes("parked", "envelope", f"{consumer}/{source}/{event_id}", sealed)

    async def end_parked(self, entry: int, state: str, actor: str = "retrier") -> bool:
        """Take a parked event off the waiting list; false when it is not on it any more."""
        ended = await self.conn.fetchval(
            "update parked set state = $2, ended_at = $3, ended_by = $4 where entry = $1 and state = 'parked'"
            " returning entry",
            entry,
            state,
            self.now,
            actor,
        )
        return ended is not None

    async def fail_parked(self, entry: int, error: str, retry_in: timedelta, *, dead: bool) -> None:
        await self.conn.execute(
            "update parked set tries = tries + 1, error = $2, not_before = clock_timestamp() + $3::interval,"
            " state = case when $4 then 'dead' else 'parked' end where entry = $1 and state = 'parked'",
            entry,
            error,
            retry_in,
            dead,
        )
