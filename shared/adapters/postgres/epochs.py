"""The epoch in the database: which broker it is paired with, and what a new pairing sets in motion."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from shared.application.transport import Committed, Epoch, KnownSend, Pairing
from shared.domain.identity import derive

ASK_FIRST = timedelta(hours=24)


class EpochTurn:
    """The epoch's row, locked: nobody else compares or begins one until the transaction ends."""

    def __init__(self, conn: Any, known: Epoch | None) -> None:
        self._conn = conn
        self.known = known

    async def positions(self) -> Committed:
        """How far the database knows each consumer, or how far the broker's being ahead was dealt with."""
        rows = await self._conn.fetch(
            "select consumer, topic, partition, greatest(coalesce(next_offset, 0), forgiven) from consumer_offsets"
        )
        return {(row[0], row[1], row[2]): row[3] for row in rows}

    async def note_sends(self, sends: Collection[KnownSend]) -> None:
        """Messages that the event log says were sent, whatever the restored database says; each counts as a contact,
        unless the database knows its attempt."""
        await self._conn.execute(
            "insert into known_sends (message_id, noted_at) select k, clock_timestamp() from unnest($1::uuid[]) k"
            " on conflict do nothing",
            [one.message_id for one in sends],
        )
        rows = [(derive("known send", one.message_id), *one) for one in sends if one.channel and one.purpose]
        if rows:
            await self._conn.execute(_COUNT, *map(list, zip(*rows, strict=True)))

    async def start_epoch(self, cluster_id: str, why: Pairing, committed: Committed) -> Epoch:
        """A new epoch: consumers read anew under new fences, and what they have not taken is shipped again."""
        ask_first = ASK_FIRST if why is Pairing.RESTORED else None
        row = await self._conn.fetchrow(_BEGIN, uuid4(), cluster_id, why.value, ask_first)
        # Whoever still reads in the old epoch would pass the new one's events over, so every claim ends.
        await self._conn.execute("update consumer_offsets set fence = fence + 1")
        if why is Pairing.WIPED:
            await self._conn.execute("update consumer_offsets set next_offset = null, forgiven = 0")
        if committed:
            await self._conn.execute(
                _FORGIVE,
                [key[0] for key in committed],
                [key[1] for key in committed],
                [key[2] for key in committed],
                list(committed.values()),
            )
        await self._conn.execute(_SHIP_AGAIN)
        return Epoch(row[0], row[1], row[2])


class Epochs:
    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def current(self) -> Epoch | None:
        async with self._pool.acquire() as conn:
            return await _read(conn)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[EpochTurn]:
        """One transaction with the epoch's row locked, or its place when there is none yet."""
        async with self._pool.acquire() as conn, conn.transaction():
            # To ship again is to look at the whole outbox.
            await conn.execute("set local statement_timeout = 0; set local transaction_timeout = 0")
            await conn.execute("lock table transport_epoch in share row exclusive mode")
            yield EpochTurn(conn, await _read(conn))

    async def consumers(self) -> dict[str, set[str]]:
        """Consumer to the topics it reads."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch("select distinct consumer, topic from consumer_types")
        found: dict[str, set[str]] = {}
        for consumer, topic in rows:
            found.setdefault(consumer, set()).add(topic)
        return found


async def _read(conn: Any) -> Epoch | None:
    row = await conn.fetchrow("select epoch, cluster_id, ask_first_until from transport_epoch where id = 1")
    return None if row is None else Epoch(*row)


_COUNT = """
    insert into contact_ledger (attempt_id, customer_id, channel, purpose, local_date, at, state)
    select k.contact_id, k.customer_id, k.channel, k.purpose, (k.at at time zone coalesce(c.time_zone, 'UTC'))::date,
           k.at, k.state
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[])
        as k(contact_id, message_id, customer_id, channel, purpose, at, state)
    left join customers c on c.customer_id = k.customer_id
    where not exists (select from attempts a join contact_ledger l on l.attempt_id = a.attempt_id
                      where a.message_id = k.message_id and l.state <> 'released')
    on conflict (attempt_id) do nothing
"""
_BEGIN = """
    insert into transport_epoch (id, epoch, cluster_id, began_at, reason, ask_first_until)
    values (1, $1, $2, clock_timestamp(), $3, clock_timestamp() + $4::interval)
    on conflict (id) do update set epoch = excluded.epoch, cluster_id = excluded.cluster_id,
        began_at = excluded.began_at, reason = excluded.reason,
        ask_first_until = greatest(transport_epoch.ask_first_until, excluded.ask_first_until)
    returning epoch, cluster_id, ask_first_until
"""
_FORGIVE = """
    insert into consumer_offsets as o (consumer, topic, partition, fence, holder, forgiven)
    select k.consumer, k.topic, k.partition, 1, '', k.committed
    from unnest($1::text[], $2::text[], $3::int[], $4::bigint[]) as k(consumer, topic, partition, committed)
    on conflict (consumer, topic, partition) do update set forgiven = greatest(o.forgiven, excluded.forgiven)
"""
# What a consumer takes up and has neither applied nor parked. Rows older than the outbox keeps are gone.
_SHIP_AGAIN = """
    update outbox o set sent_at = null
    where o.sent_at is not null and exists (
        select from consumer_types c
        where c.type = o.type
          and not exists (select from inbox i
                          where i.consumer = c.consumer and i.source = 'arrears' and i.id = o.id::text)
          and not exists (select from parked p
                          where p.consumer = c.consumer and p.source = 'arrears' and p.event_id = o.id::text))
"""
