"""What a consumer gives up is announced on its topic's dead-letter topic: who, what and why, never the content."""

from __future__ import annotations

import json
from pathlib import Path

import asyncpg
import pytest

from shared.application.retrying import MOST_TRIES, Retrier
from shared.application.retrying import inbound_events as parked_inbound
from shared.domain.event_types import DEAD_LETTER, DEAD_LETTERS
from tests.adapters.records import read_all
from tests.adapters.transports import DELINQUENT, Office, OverKafka, kafka_settings
from tests.application.bank import Bank, event, report, updated
from tests.conftest import Database


@pytest.mark.kafka
async def test_an_event_of_ours_that_was_given_up_is_announced_without_its_content(office: Office, kafka: str) -> None:
    planner = office.consumer("planner", DELINQUENT)
    wire = OverKafka(office, [planner], kafka_settings(kafka))
    office.broken.add(("planner", "C1", 471147110))
    await office.announce(("C1", 471147110), ("C1", 471147111))
    await wire.start()
    await wire.settled()
    await office.pool.execute("update parked set tries = $1 where tries > 0", MOST_TRIES - 1)
    await office.retry(planner)
    await wire.settled()
    await wire.stop()
    (record,) = await read_all(wire.clients, "arrears.account-dlt")
    headers, told = dict(record.headers), json.loads(record.value)
    first = await office.pool.fetchrow("select id, type from outbox where payload->>'n' = '471147110'")
    assert (record.key, headers["ce_subject"], headers["ce_type"]) == (b"C1", b"C1", DEAD_LETTER.encode())
    assert set(told) == set(DEAD_LETTERS.fields)
    assert told == {
        "entry": told["entry"],
        "consumer": "planner",
        "event_source": "arrears",
        "event_id": str(first[0]),
        "event_type": DELINQUENT,
        "error": "RuntimeError",
        "tries": MOST_TRIES,
    }
    assert b"4711471" not in record.value, "too long to come up in an id by chance"
    assert [row[0] for row in await office.pool.fetch("select state from parked order by entry")] == ["dead", "parked"]
    assert await office.retry(planner) == 0, "it blocks its customer there until a person decides"


async def test_an_inbound_event_that_was_given_up_is_announced_for_the_inbound_topic(
    database: Database, tmp_path: Path, owner: asyncpg.Connection
) -> None:
    bank = await Bank.open(database, tmp_path)
    assert await bank.say(report("A1", "C1")) == ["accepted"]
    await owner.execute("alter table customers add constraint no_names check (name_enc is null) not valid")
    assert [verdict.answer for verdict in await bank.send([event(*updated("C1", name="王小明"), event_id="u1")])] == [
        "parked"
    ]
    await bank.pool.execute("update parked set not_before = clock_timestamp(), tries = $1", MOST_TRIES - 1)
    assert await Retrier(bank.work, "intake", parked_inbound(bank.shelf)).retry_due() == 0
    (row,) = await bank.rows("select aggregatetype, payload from outbox where type = $1", DEAD_LETTER)
    assert row["aggregatetype"] == "arrears.inbound-dlt"
    assert (row["payload"]["consumer"], row["payload"]["event_id"]) == ("intake", "u1")
    assert "王" not in json.dumps(row["payload"], ensure_ascii=False)
    await bank.pool.close()
