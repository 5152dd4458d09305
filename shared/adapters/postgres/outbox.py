"""The outbox as a relay works it off: shards held by lease, rows in their order, marked only in their own epoch."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from shared.adapters.postgres.gathering import Gathered
from shared.adapters.postgres.shards import SHARDS

LEASE = timedelta(seconds=4)  # a dead relay's shards move within this
AT_ONCE = 16_000  # rows that one look takes over all shards, a bound on memory when there is a backlog


class OutboxRow(NamedTuple):
    """``data`` is the event's JSON as it is stored."""

    seq: int
    id: UUID
    topic: str
    key: str
    type: str
    data: bytes
    at: datetime


class _Look(NamedTuple):
    shard: int
    fence: int
    without: Sequence[str]
    limit: int


class _Mark(NamedTuple):
    seqs: Sequence[int]
    epoch: UUID


class Outbox:
    """``holder`` names the relay on its leases. Shards that look or mark at the same time share a statement."""

    def __init__(self, pool: Any, holder: str, *, lease: timedelta = LEASE) -> None:
        self._pool = pool
        self.holder = holder
        self._lease = lease
        self._looks = Gathered(self._unsent_of_all)
        self._marks = Gathered(self._mark_all)

    async def renew(self, leaving: Collection[int] = ()) -> dict[int, int]:
        """Keep what is held, take a fair share of what is free; shard to fence of all that is held now.

        Shards in ``leaving`` are given up. A lease that ran out is lost, even when nobody else has taken it."""
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_PRESENT, f"{self.holder}/relay")
            await conn.execute(_ABSENT)
            await conn.execute(_GIVE_UP, self.holder, list(leaving))
            held = {row[0]: row[1] for row in await conn.fetch(_RENEW, self.holder, self._lease)}
            relays: int = await conn.fetchval(_RELAYS, self._lease)
            wanted = -(-SHARDS // max(relays, 1)) - len(held)
            if wanted > 0:
                taken = await conn.fetch(_TAKE, self.holder, self._lease, wanted)
                held |= {row[0]: row[1] for row in taken}
        return held

    async def share(self) -> int:
        """How many shards are this relay's fair share."""
        async with self._pool.acquire() as conn:
            relays: int = await conn.fetchval(_RELAYS, self._lease)
        return -(-SHARDS // max(relays, 1))

    async def leave(self) -> None:
        """Give everything up at once."""
        async with self._pool.acquire() as conn, conn.transaction():
            await conn.execute(_GIVE_UP, self.holder, list(range(SHARDS)))
            await conn.execute("delete from workers where instance = $1", f"{self.holder}/relay")

    async def waiting(self, shards: Sequence[int], *, without: Sequence[str]) -> list[int]:
        """Those of the shards that have something to ship, but for the keys in ``without``."""
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(_WAITING, list(shards), list(without))
        return [row[0] for row in rows]

    async def unsent(self, shard: int, fence: int, *, without: Sequence[str], limit: int) -> list[OutboxRow]:
        """The oldest rows of a shard, but for the keys in ``without``; none when the shard is not ours any more."""
        return await self._looks.ask(_Look(shard, fence, without, limit))

    async def _unsent_of_all(self, looks: Sequence[_Look]) -> list[list[OutboxRow]]:
        share = max(1, AT_ONCE // len(looks))
        async with self._pool.acquire() as conn:
            rows = await conn.fetch(
                _UNSENT,
                self.holder,
                [look.shard for look in looks],
                [look.fence for look in looks],
                [min(look.limit, share) for look in looks],
                [key for look in looks for key in look.without],
            )
        found: list[list[OutboxRow]] = [[] for _ in looks]
        for look, seq, event_id, topic, key, kind, data, at in rows:
            found[look - 1].append(OutboxRow(seq, event_id, topic, key, kind, data.encode(), at))
        return found

    async def mark_sent(self, seqs: Sequence[int], epoch: UUID) -> int:
        """The broker has them. Marks nothing when another epoch has begun: then they are shipped again."""
        return await self._marks.ask(_Mark(seqs, epoch))

    async def _mark_all(self, marks: Sequence[_Mark]) -> list[int]:
        """All of an epoch at once; where not every row is there to be marked, each by itself, to know whose is not."""
        of_epoch: dict[UUID, list[int]] = {}
        for mark in marks:
            of_epoch.setdefault(mark.epoch, []).extend(mark.seqs)
        async with self._pool.acquire() as conn:
            whole = {epoch for epoch, seqs in of_epoch.items() if await _mark(conn, seqs, epoch) == len(seqs)}
            return [
                len(mark.seqs) if mark.epoch in whole else await _mark(conn, mark.seqs, mark.epoch) for mark in marks
            ]

    async def note_error(self, shard: int, error: str | None) -> None:
        async with self._pool.acquire() as conn:
            await conn.execute(
                "update relay_shards set last_error = $2, last_error_at = clock_timestamp() where shard = $1"
                " and last_error is distinct from $2",
                shard,
                error,
            )


async def _mark(conn: Any, seqs: Sequence[int], epoch: UUID) -> int:
    status: str = await conn.execute(_MARK, seqs, epoch)
    return int(status.rsplit(" ", 1)[1])


_PRESENT = """
    insert into workers (instance, service, started_at, beat_at)
    values ($1, 'relay', clock_timestamp(), clock_timestamp())
    on conflict (instance) do update set beat_at = clock_timestamp()
"""
_ABSENT = "delete from workers where service = 'relay' and beat_at < clock_timestamp() - interval '1 minute'"
_RELAYS = """
    select count(*) from workers where service = 'relay' and not dead and beat_at > clock_timestamp() - $1::interval
"""
_GIVE_UP = """
    update relay_shards set holder = null, lease_until = '-infinity' where holder = $1 and shard = any($2::smallint[])
"""
_RENEW = """
    update relay_shards set lease_until = clock_timestamp() + $2::interval
    where holder = $1 and lease_until > clock_timestamp() returning shard, fence
"""
_TAKE = f"""
    insert into relay_shards as r (shard, holder, fence, lease_until)
    select every.shard, $1, 1, clock_timestamp() + $2::interval
    from generate_series(0, {SHARDS - 1}) as every(shard) left join relay_shards held using (shard)
    where held.shard is null or held.lease_until < clock_timestamp() order by every.shard limit $3
    on conflict (shard) do update
        set holder = excluded.holder, fence = r.fence + 1, lease_until = excluded.lease_until
        where r.lease_until < clock_timestamp()
    returning shard, fence
"""  # noqa: S608 - a constant
_WAITING = """
    select k.shard from unnest($1::smallint[]) as k(shard)
    where exists (select from outbox o where o.shard = k.shard and o.sent_at is null
                  and not (o.aggregateid = any($2::text[])))
"""
# A key lies in one shard, so that of all keys to be left out each shard meets its own.
_UNSENT = """
    select k.look, o.seq, o.id, o.aggregatetype, o.aggregateid, o.type, o.payload::text, o.at
    from unnest($2::smallint[], $3::bigint[], $4::int[]) with ordinality as k(shard, fence, most, look)
    join relay_shards r on r.shard = k.shard and r.holder = $1 and r.fence = k.fence
        and r.lease_until > clock_timestamp()
    cross join lateral (
        select * from outbox u
        where u.shard = k.shard and u.sent_at is null and not (u.aggregateid = any($5::text[]))
        order by u.seq limit k.most
    ) o
    order by k.look, o.seq
"""
_MARK = """
    with same as (select from transport_epoch where id = 1 and epoch = $2 for share)
    update outbox set sent_at = clock_timestamp() where seq = any($1::bigint[]) and exists (select from same)
"""
