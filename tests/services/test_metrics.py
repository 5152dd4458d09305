"""What operations sees in ``/metrics``: a figure follows what it tells of, and one that is not known is not there."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.notifier.sender import Route
from shared.adapters.kafka import relay as relays
from shared.adapters.kafka.publisher import Shipped
from shared.adapters.kafka.relay import KafkaRelay
from shared.adapters.postgres import workers
from shared.adapters.queue_metrics import QueueWatch
from shared.adapters.standing_metrics import StandingWatch
from shared.application import housekeeping
from shared.application.book import Book
from shared.application.gateway import ErrorClass, Outcome, OutcomeKind
from shared.runtime.metrics import REGISTRY
from shared.runtime.supervisor import Supervisor
from tests.application.bank import NOW, Bank
from tests.conftest import Database

TROUBLE = Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT)
TAKEN = Outcome(OutcomeKind.ACCEPTED)


def figure(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def shown(watch: Any) -> dict[tuple[str, ...], float]:
    return {(each.name, *each.labels.values()): each.value for family in watch.collect() for each in family.samples}


class PileOfEvents:
    """An outbox with one shard in use, and a broker that takes all but the keys it is told to refuse."""

    def __init__(self, topics: list[str], *, refused: str | None = None, error: str | None = None) -> None:
        self.rows = [
            SimpleNamespace(seq=n, id=uuid4(), topic=topic, key=f"C{n}", type="t", data=b"{}", at=NOW)
            for n, topic in enumerate(topics)
        ]
        self.refused = refused
        self.error = error
        self.emptied = asyncio.Event()

    async def renew(self, leaving: Any = ()) -> dict[int, int]:
        return {3: 1, 4: 1}

    async def share(self) -> int:
        return 2

    async def leave(self) -> None: ...

    async def waiting(self, shards: Any, *, without: Any) -> list[int]:
        return [3] if 3 in shards and any(row.key not in without for row in self.rows) else []

    async def unsent(self, shard: int, fence: int, *, without: Any, limit: int) -> list[Any]:
        return [row for row in self.rows if row.key not in without]

    async def mark_sent(self, seqs: Any, epoch: Any) -> int:
        self.rows = [row for row in self.rows if row.seq not in seqs]
        return len(seqs)

    async def note_error(self, shard: int, error: str | None) -> None: ...

    async def publish(self, parcels: Any, partition: int, epoch: Any) -> Shipped:
        self.emptied.set()
        if self.error:
            return Shipped([], {}, self.error)
        refused = {self.refused: "too large"} if self.refused else {}
        return Shipped([parcel.seq for parcel in parcels if parcel.key not in refused], refused)

    async def ship(self) -> float:
        """Have a relay work it off; how many shards it said it held meanwhile."""
        epoch = SimpleNamespace(current=uuid4())
        stop = asyncio.Event()
        relay = KafkaRelay(self, self, epoch, partitions=16, wake=asyncio.Event(), poll=0.001)  # type: ignore[arg-type]
        running = asyncio.create_task(relay.run(stop))
        async with asyncio.timeout(20):
            await self.emptied.wait()
        await asyncio.sleep(0.01)
        held = figure("arrears_relay_shards_held")
        stop.set()
        await running
        return held


async def test_the_relay_counts_what_the_broker_has_taken_and_shows_its_shards_while_it_runs() -> None:
    before = figure("arrears_relay_events_total", topic="arrears.case")
    held = await PileOfEvents(["arrears.case", "arrears.case", "arrears.payment"]).ship()
    assert held == 2
    assert figure("arrears_relay_shards_held") == 0, "a relay that has left holds nothing"
    assert figure("arrears_relay_events_total", topic="arrears.case") == before + 2


async def test_the_relay_counts_a_key_that_stops_and_a_broker_that_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relays, "FIRST_PAUSE", 60.0)  # each is tried once
    refused, failed = (figure("arrears_relay_troubles_total", error=each) for each in ("refused", "RequestTimedOut"))
    await PileOfEvents(["arrears.case", "arrears.case"], refused="C1").ship()
    await PileOfEvents(["arrears.case"], error="RequestTimedOut").ship()
    assert figure("arrears_relay_troubles_total", error="refused") == refused + 1
    assert figure("arrears_relay_troubles_total", error="RequestTimedOut") == failed + 1


def test_a_route_is_in_trouble_until_it_has_taken_something_however_often_it_was_tried() -> None:
    route = Route()
    route.show("pigeon")
    assert figure("arrears_sender_route_paused", channel="pigeon") == 0
    route.note_all([TROUBLE])
    first = route.troubled_seconds
    assert figure("arrears_sender_route_paused", channel="pigeon") == 1
    route.note_all([TROUBLE])
    assert figure("arrears_sender_route_troubled_seconds", channel="pigeon") > first > 0
    route.note_all([TROUBLE, TAKEN])
    assert figure("arrears_sender_route_troubled_seconds", channel="pigeon") == 0


async def test_a_task_that_dies_is_counted_from_nought() -> None:
    supervisor = Supervisor(backoff=timedelta(milliseconds=1))

    async def fall_once(stop: asyncio.Event) -> None:
        supervisor.request_stop()
        raise RuntimeError("as it must be")

    supervisor.add("acrobat", fall_once)
    assert REGISTRY.get_sample_value("arrears_task_deaths_total", {"task": "acrobat"}) == 0
    await supervisor.run(signals=False)
    assert figure("arrears_task_deaths_total", task="acrobat") == 1


async def measured(watch: Any) -> dict[tuple[str, ...], float]:
    watch._latest = await watch._measure()
    return shown(watch)


async def test_queues_are_shown_by_depth_and_age_and_an_interrupted_import_is_one(
    pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    watch = QueueWatch(pool)
    assert shown(watch) == {}, "nothing was measured yet, and that is not zero"
    found = await measured(watch)
    assert found["arrears_queue_depth", "outbox"] == 0
    assert ("arrears_queue_depth", "imports_interrupted") not in found
    await owner.execute(
        "insert into imports (import_id, name, format, source, state, created_by, created_at, updated_at)"
        " values (gen_random_uuid(), 'n', 'csv', 's', 'interrupted', 'me', now(), now() - interval '1 hour')"
    )
    found = await measured(watch)
    assert found["arrears_queue_depth", "imports_interrupted"] == 1
    assert found["arrears_queue_oldest_seconds", "imports_interrupted"] == pytest.approx(3600, abs=60)


async def test_a_kind_of_worker_that_nobody_plays_is_shown_as_none_and_the_dead_do_not_count(
    pool: asyncpg.Pool,
) -> None:
    async with pool.acquire() as conn:
        for name in ("notifier-1", "notifier-2", "notifier-3"):
            await workers.register(conn, name, "notifier")
        await workers.leave(conn, "notifier-2")
        await conn.execute("update workers set beat_at = now() - interval '1 hour' where instance = 'notifier-3'")
        await conn.execute(
            "insert into transport_epoch (id, epoch, cluster_id, began_at, reason)"
            " values (1, gen_random_uuid(), 'c', '2026-11-25T00:00:00Z', 'wiped')"
        )
    found = await measured(StandingWatch(pool))
    assert found["arrears_workers", "notifier"] == 1
    assert found["arrears_workers", "scheduler"] == 0
    assert found["arrears_transport_epoch_timestamp_seconds", "wiped"] == datetime(2026, 11, 25, tzinfo=UTC).timestamp()
    assert found["arrears_database_bytes",] > 1_000_000


async def test_housekeeping_that_was_not_done_in_one_turn_goes_on_within_a_minute(
    database: Database, tmp_path: Any, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "AT_ONCE", 2)
    bank = await Bank.open(database, tmp_path)
    await owner.execute(
        "insert into outbox (id, aggregatetype, aggregateid, type, payload, at, shard, sent_at)"
        " select gen_random_uuid(), 'arrears.case', 'C1', 't', '{}', now(), 1, now() - interval '20 days'"
        " from generate_series(1, 3)"
    )
    pauses, left = [], []
    for _ in range(2):
        async with bank.work() as tx:
            await housekeeping.keep_house(tx, Book(tx.now), [])
        pauses.append(await owner.fetchval("select due_at - $1 from timers where kind = 'housekeeping'", NOW))
        left.append(await owner.fetchval("select count(*) from outbox"))
    await bank.pool.close()
    assert left == [1, 0]
    assert pauses == [housekeeping.SOON, housekeeping.EVERY]
