"""Shards of the outbox that look or mark at the same time share a statement, and each gets its own answer."""

import asyncio
from uuid import uuid4

import pytest

from shared.adapters.postgres.outbox import AT_ONCE, Outbox

NOBODY: list[str] = []


@pytest.fixture
async def outbox(pool):
    relay = Outbox(pool, "relay")
    await relay.renew()
    return relay


async def _add(owner, shard: int, *keys: str) -> list[int]:
    return [
        row[0]
        for row in await owner.fetch(
            "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard)"
            " select gen_random_uuid(), 'arrears.case', key, 'arrears.case.opened.v1', '{}', now(), $1"
            " from unnest($2::text[]) with ordinality as k(key, place) order by place returning seq",
            shard,
            list(keys),
        )
    ]


async def _epoch(owner) -> object:
    epoch = uuid4()
    await owner.execute(
        "insert into transport_epoch (id, epoch, cluster_id, began_at, reason) values (1, $1, 'c', now(), 'first')"
        " on conflict (id) do update set epoch = excluded.epoch",
        epoch,
    )
    return epoch


async def test_each_shard_that_looks_gets_its_own_rows_in_their_order(owner, outbox):
    held = await outbox.renew()
    third, fifth = await _add(owner, 3, "A", "B", "A"), await _add(owner, 5, "C")
    looks = [outbox.unsent(shard, held[shard], without=NOBODY, limit=10) for shard in (5, 4, 3)]
    rows = await asyncio.gather(*looks)
    assert [[row.seq for row in its] for its in rows] == [fifth, [], third]
    assert [row.key for row in rows[2]] == ["A", "B", "A"]


async def test_a_key_that_rests_and_a_limit_concern_the_shard_that_names_them(owner, outbox):
    held = await outbox.renew()
    third, fifth = await _add(owner, 3, "A", "B", "B"), await _add(owner, 5, "C", "D")
    rows = await asyncio.gather(
        outbox.unsent(3, held[3], without=["A"], limit=1), outbox.unsent(5, held[5], without=NOBODY, limit=10)
    )
    assert [[row.seq for row in its] for its in rows] == [third[1:2], fifth]


async def test_a_shard_that_was_taken_over_gets_nothing_and_its_neighbour_all(owner, outbox):
    held = await outbox.renew()
    await _add(owner, 3, "A")
    fifth = await _add(owner, 5, "C")
    rows = await asyncio.gather(
        outbox.unsent(3, held[3] - 1, without=NOBODY, limit=10), outbox.unsent(5, held[5], without=NOBODY, limit=10)
    )
    assert [[row.seq for row in its] for its in rows] == [[], fifth]


async def test_many_shards_with_a_backlog_take_a_bounded_share_each(owner, outbox):
    held = await outbox.renew()
    share = AT_ONCE // len(held)
    for shard in (0, 1):
        await _add(owner, shard, *["A"] * (share + 5))
    rows = await asyncio.gather(*(outbox.unsent(n, held[n], without=NOBODY, limit=AT_ONCE) for n in sorted(held)))
    assert [len(its) for its in rows[:2]] == [share, share]


async def test_marks_of_an_epoch_that_has_ended_mark_nothing_beside_those_of_the_current(owner, outbox):
    third, fifth = await _add(owner, 3, "A", "B"), await _add(owner, 5, "C")
    ended, current = await _epoch(owner), await _epoch(owner)
    assert await asyncio.gather(outbox.mark_sent(third, ended), outbox.mark_sent(fifth, current)) == [0, 1]
    assert [row[0] for row in await owner.fetch("select seq from outbox where sent_at is not null")] == fifth


async def test_whose_rows_are_gone_is_told_apart_from_whose_are_marked(owner, outbox):
    third, fifth = await _add(owner, 3, "A", "B"), await _add(owner, 5, "C")
    epoch = await _epoch(owner)
    await owner.execute("delete from outbox where seq = $1", third[0])
    assert await asyncio.gather(outbox.mark_sent(third, epoch), outbox.mark_sent(fifth, epoch)) == [1, 1]
