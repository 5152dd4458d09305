"""How far each consumer is in each partition, under a fence; and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from shared.adapters.postgres.session import Session
from shared.application.transport import Claim, Fenced

Partition = tuple[str, int]
PATIENCE_MS = 3_000  # for a row's lock, where a whole batch waits behind it


class OffsetTables(Session):
    async def claim_partitions(
        self, consumer: str, holder: str, partitions: Sequence[Partition]
    ) -> tuple[UUID, list[Claim]]:
        """Take over partitions with a fence above all earlier ones; the epoch they are read in, and the claims.

        The epoch is held until the transaction ends, so that none can begin between the two."""
        epoch: UUID = await self.conn.fetchval("select epoch from transport_epoch where id = 1 for share")
        rows = await self.conn.fetch(
            """
            insert into consumer_offsets as o (consumer, topic, partition, fence, holder)
            select $1, k.topic, k.partition, 1, $2 from unnest($3::text[], $4::int[]) as k(topic, partition)
            order by k.topic, k.partition
            on conflict (consumer, topic, partition) do update set fence = o.fence + 1, holder = excluded.holder
            returning topic, partition, next_offset, fence
            """,
            consumer,
            holder,
            [topic for topic, _ in partitions],
            [number for _, number in partitions],
        )
        return epoch, [Claim(*row) for row in rows]

    async def hold_claims(self, consumer: str, claims: Sequence[Claim]) -> None:
        """Keep the partitions from being taken over until the transaction ends. Raises Fenced when one was, or stands
        elsewhere than where we left it.

        Nor does the transaction wait long for a customer that somebody else holds: that one is parked, alone, and does
        not stop the others of the batch."""
        await self.wait_for_locks(PATIENCE_MS)
        rows = await self.conn.fetch(
            """
            select from consumer_offsets o
            join unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[]) as k(topic, partition, fence, known)
                on o.topic = k.topic and o.partition = k.partition and o.fence = k.fence
                and o.next_offset is not distinct from k.known
            where o.consumer = $1 order by o.topic, o.partition for share of o
            """,
            consumer,
            *_columns(claims),
        )
        _refuse_unless(len(rows), len(claims))

    async def advance_claims(self, consumer: str, claims: Sequence[Claim], offsets: Mapping[Partition, int]) -> None:
        """Everything below ``offsets`` is applied or parked. Raises Fenced as ``hold_claims`` does."""
        mine = [claim for claim in claims if (claim.topic, claim.partition) in offsets]
        moved = await self.conn.fetch(
            """
            with held as (
                select o.topic, o.partition, k.next_offset from consumer_offsets o
                join unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::bigint[])
                    as k(topic, partition, fence, known, next_offset)
                    on o.topic = k.topic and o.partition = k.partition and o.fence = k.fence
                    and o.next_offset is not distinct from k.known
                where o.consumer = $1 order by o.topic, o.partition for no key update of o
            )
            update consumer_offsets o set next_offset = held.next_offset, moved_at = clock_timestamp()
            from held where o.consumer = $1 and o.topic = held.topic and o.partition = held.partition
            returning o.topic
            """,
            consumer,
            *_columns(mine),
            [offsets[claim.topic, claim.partition] for claim in mine],
        )
        _refuse_unless(len(moved), len(offsets))

    async def note_consumer_error(self, consumer: str, claims: Sequence[Claim], error: str) -> None:
        await self.conn.execute(
            """
            update consumer_offsets o set last_error = $5, last_error_at = clock_timestamp()
            from unnest($2::text[], $3::int[], $4::bigint[]) as k(topic, partition, fence)
            where o.consumer = $1 and o.topic = k.topic and o.partition = k.partition and o.fence = k.fence
            """,
            consumer,
            *_columns(claims)[:3],
            error,
        )

    async def keep_unreadable(self, consumer: str, origin: str, position: int, raw: bytes, error: str) -> None:
        """Keep what is no event as it came, once per place."""
        await self.conn.execute(
            """
            insert into unreadable (consumer, origin, position, raw_enc, error, received_at)
            select $1, $2, $3, $4, $5, $6
            where not exists (select from unreadable where consumer = $1 and origin = $2 and position = $3)
            """,
            consumer,
            origin,
            position,
            self.cipher.encrypt_bytes("unreadable", "raw", f"{consumer}/{origin}/{position}", raw),
            error[:500],
            self.now,
        )

    async def declare_consumer(self, consumer: str, types: Mapping[str, str]) -> None:
        """Say which event types (to their topics) a consumer takes up; what it took up before is forgotten."""
        await self.conn.execute(
            "delete from consumer_types where consumer = $1 and not (type = any($2::text[]))", consumer, list(types)
        )
        await self.conn.execute(
            """
            insert into consumer_types (consumer, type, topic)
            select $1, k.type, k.topic from unnest($2::text[], $3::text[]) as k(type, topic)
            on conflict (consumer, type) do update set topic = excluded.topic
            """,
            consumer,
            list(types),
            list(types.values()),
        )


def _columns(claims: Sequence[Claim]) -> tuple[list[str], list[int], list[int], list[int | None]]:
    return (
        [claim.topic for claim in claims],
        [claim.partition for claim in claims],
        [claim.fence for claim in claims],
        [claim.next_offset for claim in claims],
    )


def _refuse_unless(ours: int, claimed: int) -> None:
    if ours != claimed:
        raise Fenced(f"{claimed - ours} of {claimed} partitions are not ours any more")
