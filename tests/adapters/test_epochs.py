"""The pairing of database and broker: what a wiped log or a restored database sets in motion, and what does not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.consumer import ConsumerLoop
from shared.adapters.kafka.pairing import EpochWatch, committed_offsets
from shared.adapters.kafka.settings import KafkaSettings
from shared.adapters.kafka.taking import inbound_events
from shared.adapters.kafka.topics import INBOUND
from shared.adapters.postgres.epochs import Epochs
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import Shelf
from shared.application.intake import CONSUMER as INTAKE
from shared.application.transport import Committed, Ends, Epoch, Pairing, compare
from shared.runtime.local_kafka import LocalKafka
from tests.adapters.records import read_all, write
from tests.adapters.transports import (
    DELINQUENT,
    PAID,
    Office,
    OverKafka,
    kafka_settings,
    supervised,
    until,
    until_met,
)
from tests.application.bank import Bank, event, payment, report
from tests.conftest import Database

SENT = "arrears.message.sent.v1"
HERE = ("planner", "arrears.account", 0)
A_NEW_BROKER = pytest.mark.timeout(120)  # is started in the middle, beside whatever else the machine does
KNOWN = Epoch(UUID(int=1), "cluster-1")


@pytest.mark.parametrize(
    ("known", "cluster", "committed", "ours", "ends", "pairing"),
    [
        (None, "cluster-1", {}, {}, {}, Pairing.FIRST),
        (None, "cluster-1", {HERE: 9}, {}, {HERE[1:]: 9}, Pairing.FIRST),
        (KNOWN, "cluster-1", {}, {}, {}, Pairing.SAME),
        (KNOWN, "cluster-1", {}, {HERE: 5}, {HERE[1:]: 5}, Pairing.SAME),
        (KNOWN, "cluster-1", {HERE: 5}, {HERE: 5}, {HERE[1:]: 7}, Pairing.SAME),
        (KNOWN, "cluster-1", {HERE: 4}, {HERE: 5}, {HERE[1:]: 7}, Pairing.SAME),
        (KNOWN, "cluster-2", {}, {HERE: 5}, {}, Pairing.WIPED),
        (KNOWN, "cluster-1", {}, {HERE: 5}, {HERE[1:]: 4}, Pairing.WIPED),
        (KNOWN, "cluster-1", {}, {HERE: 5}, {}, Pairing.WIPED),
        (KNOWN, "cluster-1", {}, {HERE: 0}, {}, Pairing.SAME),
        (KNOWN, "cluster-1", {HERE: 6}, {HERE: 5}, {HERE[1:]: 7}, Pairing.RESTORED),
        (KNOWN, "cluster-1", {HERE: 1}, {}, {HERE[1:]: 7}, Pairing.RESTORED),
    ],
)
def test_database_and_broker_are_compared(
    known: Epoch | None, cluster: str, committed: Committed, ours: Committed, ends: Ends, pairing: Pairing
) -> None:
    assert compare(known, cluster, committed, ours, ends) is pairing


@asynccontextmanager
async def at_work(wire: OverKafka) -> AsyncIterator[OverKafka]:
    await wire.start()
    try:
        yield wire
    finally:
        await wire.stop()


async def reason(office: Office) -> str:
    """Why the epoch began."""
    why: str = await office.pool.fetchval("select reason from transport_epoch")
    return why


@pytest.mark.kafka
async def test_they_meet_and_know_each_other_from_then_on(office: Office, kafka: str) -> None:
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka))
    with pytest.raises(RuntimeError, match="not looked at yet"):
        assert wire.epoch.current
    await wire.meet()
    first = wire.epoch.current
    assert await reason(office) == "first"
    assert [await wire.epoch.ensure() for _ in range(2)] == [Pairing.SAME] * 2
    await office.announce(("C1", 0), ("C2", 0))
    for n in (1, 2):  # ordinary restarts, with something read and told to the broker
        async with at_work(wire):
            await office.announce(("C1", n), ("C2", n))
            await wire.settled()
        assert await wire.epoch.ensure() is Pairing.SAME
    assert wire.epoch.current == first
    assert not wire.epoch.ask_first()
    assert await office.noted("planner") == {"C1": [0, 1, 2], "C2": [0, 1, 2]}


@pytest.mark.kafka
async def test_a_consumer_that_never_told_the_broker_raises_no_alarm(
    office: Office, kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(self: ConsumerLoop, places: Any) -> None: ...

    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka))
    with monkeypatch.context() as patch:
        patch.setattr(ConsumerLoop, "_tell_broker", silent)
        await office.announce(("C1", 0))
        async with at_work(wire):
            await wire.settled()
    async with wire.clients.admin() as admin:
        assert await committed_offsets(admin, wire.clients.group("planner")) == {}
    assert await wire.epoch.ensure() is Pairing.SAME


@pytest.mark.kafka
async def test_a_new_database_at_an_old_broker_is_a_first_meeting_and_stays_one(
    office: Office, other_database: Database, tmp_path: Path, kafka: str
) -> None:
    """The group's old offsets are known to be another's, also where nothing is left to be read."""
    settings = kafka_settings(kafka, partitions=1)
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], settings)
    async with at_work(wire):
        await office.announce(("C1", 0), ("C2", 0))
        await wire.settled()
    async with Office.open(other_database, tmp_path) as fresh:
        again = OverKafka(fresh, [fresh.consumer("planner", DELINQUENT)], settings)
        await until_met(again.epoch)
        assert await reason(fresh) == "first"
        assert await again.epoch.ensure() is Pairing.SAME
        async with at_work(again):
            await fresh.announce(("C3", 0))
            await again.settled()
        assert await again.epoch.ensure() is Pairing.SAME
        assert await fresh.noted("planner") == {"C3": [0]}, "what the other database had announced is passed over"


@pytest.mark.kafka
@A_NEW_BROKER
@pytest.mark.faults
async def test_after_a_wipe_what_was_not_consumed_is_shipped_again_and_nothing_is_taken_twice(
    office: Office, broker: LocalKafka
) -> None:
    planner, letters = office.consumer("planner", DELINQUENT, PAID), office.consumer("letters", DELINQUENT)
    wire = OverKafka(office, [planner, letters], kafka_settings(broker.bootstrap))
    office.broken.add(("letters", "C2", 0))
    await office.announce(*((f"C{number}", 0) for number in range(4)))
    async with at_work(wire):
        await wire.settled()
    await office.announce(("C1", 1), ("C2", 1))
    await office.announce(("C1", 7), kind=PAID)
    await wire.ship()  # nobody has read these when the log goes
    before = wire.epoch.current
    await asyncio.to_thread(broker.wipe)
    await asyncio.to_thread(broker.start)
    await office.announce(("C1", 2))
    async with at_work(wire):
        await wire.settled()
        assert await reason(office) == "wiped"
        assert await wire.epoch.ensure() is Pairing.SAME, "once"
    assert wire.epoch.current != before
    assert not wire.epoch.ask_first(), "the database knows all that was sent"
    others = {"C0": [0], "C1": [0, 1, 2], "C3": [0]}
    assert await office.noted("planner", DELINQUENT) == others | {"C2": [0, 1]}
    assert await office.noted("planner", PAID) == {"C1": [7]}
    assert await office.noted("letters") == others
    assert [customer for customer, _ in await office.parked("letters")] == ["C2", "C2"], "what waits is not doubled"


@pytest.mark.kafka
@A_NEW_BROKER
@pytest.mark.faults
async def test_a_log_that_is_wiped_under_living_processes_is_paired_anew_by_them(
    office: Office, broker: LocalKafka
) -> None:
    wire = OverKafka(
        office, [office.consumer("planner", DELINQUENT)], kafka_settings(broker.bootstrap, session_ms=3_000)
    )
    async with at_work(wire):
        await office.announce(("C1", 0), ("C2", 0))
        await wire.settled()
        await asyncio.to_thread(broker.wipe)
        await office.announce(("C1", 1))
        await asyncio.to_thread(broker.start)
        await office.announce(("C2", 1))
        await until(lambda: noted(office, {"C1": [0, 1], "C2": [0, 1]}), what="the events behind the wipe")
        assert await reason(office) == "wiped"


async def noted(office: Office, wanted: dict[str, list[int]]) -> bool:
    return await office.noted("planner") == wanted


@pytest.mark.kafka
async def test_topics_that_were_made_anew_under_the_clusters_old_id_are_another_log(office: Office, kafka: str) -> None:
    """As when a container's disk goes and its cluster id is configured."""
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka))
    async with at_work(wire):
        await office.announce(("C1", 0), ("C2", 0))
        await wire.settled()
    await office.announce(("C1", 1))
    await wire.ship()
    before = wire.epoch.current
    async with wire.clients.admin() as admin:
        await admin.delete_topics([wire.settings.topic("arrears.account")])
        await until(lambda: without_accounts(admin, wire.settings), what="the topic's end")
    assert await wire.epoch.ensure() is Pairing.WIPED
    assert await wire.epoch.ensure() is Pairing.SAME
    async with at_work(wire):
        await office.announce(("C2", 1))
        await wire.settled()
    assert await office.noted("planner") == {"C1": [0, 1], "C2": [0, 1]}
    marks = {dict(record.headers)["ce_arrearsepoch"] for record in await read_all(wire.clients, "arrears.account")}
    assert marks == {str(wire.epoch.current).encode()} != {str(before).encode()}


async def without_accounts(admin: Any, settings: KafkaSettings) -> bool:
    return settings.topic("arrears.account") not in await admin.list_topics()


async def administer(database: Database, *statements: str) -> None:
    connection = await asyncpg.connect(database.server.dsn("postgres"))
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def dumped(database: Database) -> str:
    """The database as it is now; nobody may be connected to it."""
    name = f"{database.name}_dump"
    await administer(database, f"create database {name} template {database.name} strategy file_copy")
    return name


async def restored(database: Database, dump: str) -> None:
    await administer(
        database, f"drop database {database.name} with (force)", f"alter database {dump} rename to {database.name}"
    )


@pytest.mark.kafka
async def test_a_restored_database_is_noticed_and_the_event_log_says_what_was_sent_since(
    database: Database, tmp_path: Path, kafka: str
) -> None:
    settings, before, lost = kafka_settings(kafka), uuid4(), uuid4()

    def wired(office: Office) -> OverKafka:
        return OverKafka(office, [office.consumer("planner", DELINQUENT, SENT)], settings)

    async with Office.open(database, tmp_path) as office:
        async with at_work(wired(office)) as wire:
            await office.announce(("C1", 0), ("C2", 0))
            await office.announce(("C1", 100), kind=SENT, message_id=str(before))
            await wire.settled()
        await office.announce(("C1", 1))
        await wire.ship()
    dump = await dumped(database)
    async with Office.open(database, tmp_path) as office:  # the time that will be lost
        async with at_work(wired(office)) as wire:
            await office.announce(("C1", 2), ("C3", 0))
            await office.announce(("C1", 101), kind=SENT, message_id=str(lost), channel="sms", purpose="dunning")
            await wire.settled()
        await office.announce(("C3", 1))
        await wire.ship()
    await restored(database, dump)
    async with Office.open(database, tmp_path) as office:
        wire = wired(office)
        assert await wire.epoch.ensure() is Pairing.RESTORED
        assert await wire.epoch.ensure() is Pairing.SAME
        assert wire.epoch.ask_first(), "providers know better than we do"
        assert [row[0] for row in await office.pool.fetch("select message_id from known_sends")] == [lost]
        counted = await office.pool.fetchrow("select customer_id, channel, purpose, state from contact_ledger")
        assert tuple(counted) == ("C1", "sms", "dunning", "committed"), "and it counts as a contact"
        async with at_work(wire):
            await office.announce(("C1", 3), ("C3", 9))
            await wire.settled()
        assert await wire.epoch.ensure() is Pairing.SAME
        events = await office.noted("planner", DELINQUENT)
        assert events == {"C1": [0, 1, 3], "C2": [0], "C3": [9]}, (
            "of the lost time nothing, what was shipped before it once"
        )


@pytest.mark.kafka
async def test_a_database_restored_under_a_living_consumer_is_noticed_by_it(office: Office, kafka: str) -> None:
    """Its place moved back behind its back; the broker, who was told, knows better."""
    wire = OverKafka(office, [office.consumer("planner", DELINQUENT)], kafka_settings(kafka, partitions=1))
    async with at_work(wire):
        await office.announce(("C1", 0), ("C1", 1))
        await wire.settled()
        await until(lambda: told(wire, 2), what="the broker to be told")
        await office.pool.execute("update consumer_offsets set next_offset = 1")
        await office.announce(("C1", 2))
        await until(lambda: began(office, "restored"), what="the new epoch")
        await until(lambda: noted(office, {"C1": [0, 1, 2]}), what="the event behind it")


async def told(wire: OverKafka, offset: int) -> bool:
    async with wire.clients.admin() as admin:
        return offset in (await committed_offsets(admin, wire.clients.group("planner"))).values()


async def began(office: Office, why: str) -> bool:
    return await reason(office) == why


@pytest.mark.kafka
async def test_inbound_events_of_the_lost_time_are_read_again(database: Database, tmp_path: Path, kafka: str) -> None:
    settings = kafka_settings(kafka, partitions=1)
    bank = await Bank.open(database, tmp_path)
    async with intake(bank, settings) as clients:
        await write(clients, INBOUND, body("r1", report("A1", "C1")))
        await until(lambda: bank.rows("select from inbox"), what="the report")
    await bank.pool.close()
    dump = await dumped(database)
    bank = await opened(database, tmp_path, bank)
    async with intake(bank, settings) as clients:
        await write(clients, INBOUND, body("p1", payment("P1", "A1")))
        await until(lambda: bank.rows("select from payments"), what="the payment")
        await until(lambda: bank.rows("select from consumer_offsets where next_offset = 2"), what="its place")
        await until(lambda: told_intake(clients, 2), what="the broker to be told")
    await bank.pool.close()
    await restored(database, dump)
    bank = await opened(database, tmp_path, bank)
    assert await bank.rows("select from payments") == []
    async with intake(bank, settings):
        await until(lambda: bank.rows("select from payments"), what="the payment, again")
        assert (await bank.row("select reason from transport_epoch"))["reason"] == "restored"
    assert [row["id"] for row in await bank.rows("select id from inbox order by id")] == ["p1", "r1"]
    await bank.pool.close()


def body(event_id: str, fact: tuple[str, dict[str, Any]]) -> tuple[list[tuple[str, bytes]], bytes]:
    kind, data = fact
    content = json.dumps(event(kind, data, event_id=event_id)).encode()
    return [("content-type", b"application/cloudevents+json")], content


async def opened(database: Database, home: Path, before: Bank) -> Bank:
    """The bank that was there before, on the database as it is now."""
    pool = await Pool.open(database.dsn(), size=4)
    shelf = Shelf(pool)
    await shelf.renew()
    return Bank(pool, before.work.on(pool), shelf)


@asynccontextmanager
async def intake(bank: Bank, settings: KafkaSettings) -> AsyncIterator[KafkaClients]:
    clients = KafkaClients(settings, "tests")
    epoch = EpochWatch(clients, Epochs(bank.pool), consumers=[INTAKE])
    await until_met(epoch)
    loop = ConsumerLoop(
        clients, bank.work, INTAKE, [settings.topic(INBOUND)], inbound_events(bank.shelf),
        holder="intake-1", meet=epoch.ensure,
    )  # fmt: skip
    async with supervised({INTAKE: loop.run}):
        yield clients


async def told_intake(clients: KafkaClients, offset: int) -> bool:
    async with clients.admin() as admin:
        return offset in (await committed_offsets(admin, clients.group(INTAKE))).values()
