"""What consumers may rely on, whichever transport lies between: once, in order per customer, a failure stops one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from shared.adapters.inprocess import relay
from tests.adapters.transports import (
    CURED,
    DELINQUENT,
    NOBODYS,
    PAID,
    InProcess,
    Office,
    OverKafka,
    kafka_settings,
    until,
)

Wire = InProcess | OverKafka
CUSTOMERS = [f"C{number}" for number in range(6)]


@pytest.fixture(params=["in process", pytest.param("kafka", marks=pytest.mark.kafka)])
async def wired(office: Office, request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Wire]]:
    """Makes the transport for some consumers; it is stopped after the test."""
    made: list[Wire] = []

    def wire(*consumers: Any) -> Wire:
        if request.param == "kafka":
            made.append(OverKafka(office, consumers, kafka_settings(request.getfixturevalue("kafka"))))
        else:
            made.append(InProcess(office, consumers))
        return made[-1]

    yield wire
    for one in made:
        await one.stop()


async def test_each_event_reaches_each_consumer_of_its_type_once_and_in_order(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT, PAID), office.consumer("letters", DELINQUENT))
    await wire.start()
    for n in range(5):
        await office.announce(*((customer, n) for customer in CUSTOMERS))
        await office.announce(("C1", 100 + n), kind=PAID)
    await wire.settled()
    in_order = {customer: [0, 1, 2, 3, 4] for customer in CUSTOMERS}
    assert await office.noted("planner", DELINQUENT) == in_order
    assert await office.noted("letters") == in_order
    assert await office.noted("planner", PAID) == {"C1": [100, 101, 102, 103, 104]}


async def test_of_a_large_batch_each_customers_events_stay_in_order(office: Office) -> None:
    for n in range(60):
        await office.announce(*((customer, n) for customer in CUSTOMERS))
    consumers = [office.consumer("planner", DELINQUENT), office.consumer("letters", DELINQUENT)]
    wire = InProcess(office, consumers, batch=60 * len(CUSTOMERS))
    await wire.start()
    await wire.settled()
    await wire.stop()
    in_order = {customer: list(range(60)) for customer in CUSTOMERS}
    assert await office.noted("planner") == in_order
    assert await office.noted("letters") == in_order


async def test_what_was_delivered_and_not_marked_is_delivered_again_and_changes_nothing(
    office: Office, wired: Any
) -> None:
    wire = wired(office.consumer("planner", DELINQUENT))
    await wire.start()
    await office.announce(*((customer, n) for n in range(3) for customer in CUSTOMERS))
    await wire.settled()
    await office.unmark()
    await office.announce(("C0", 3))
    await wire.settled()
    assert await office.noted("planner") == {customer: [0, 1, 2] for customer in CUSTOMERS} | {"C0": [0, 1, 2, 3]}


async def test_copies_that_come_together_are_applied_once(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT))
    await office.announce(*((customer, n) for n in range(3) for customer in CUSTOMERS))
    await wire.copy_each()
    await wire.start()
    await wire.settled()
    assert await office.noted("planner") == {customer: [0, 1, 2] for customer in CUSTOMERS}


async def test_copies_of_what_can_not_be_applied_are_parked_once_and_applied_once(office: Office, wired: Any) -> None:
    planner = office.consumer("planner", DELINQUENT)
    wire = wired(planner)
    office.broken.add(("planner", "C1", 0))
    await office.announce(("C1", 0), ("C1", 1), ("C2", 0))
    await wire.copy_each()
    await wire.start()
    await wire.settled()
    assert [customer for customer, _ in await office.parked("planner")] == ["C1", "C1"]
    office.broken.clear()
    assert [await office.retry(planner) for _ in range(3)] == [1, 1, 0]
    assert await office.noted("planner") == {"C2": [0], "C1": [0, 1]}


async def test_a_consumer_that_has_forgotten_where_it_was_changes_nothing(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT))
    await wire.start()
    await office.announce(*((customer, n) for n in range(3) for customer in CUSTOMERS))
    await wire.settled()
    await wire.stop()
    await wire.forget_places()
    await wire.start()
    await office.announce(("C0", 3))
    await wire.settled()
    assert await office.noted("planner") == {customer: [0, 1, 2] for customer in CUSTOMERS} | {"C0": [0, 1, 2, 3]}


async def test_a_failure_stops_one_customer_at_one_consumer_and_later_events_queue_behind(
    office: Office, wired: Any
) -> None:
    planner = office.consumer("planner", DELINQUENT)
    wire = wired(planner, office.consumer("letters", DELINQUENT))
    office.broken.add(("planner", "C1", 1))
    await wire.start()
    for n in range(4):  # C1's first is applied before, the others come when it is blocked already
        await office.announce(*((customer, n) for customer in CUSTOMERS))
        await wire.settled()
    others = {customer: [0, 1, 2, 3] for customer in CUSTOMERS}
    assert await office.noted("planner") == others | {"C1": [0]}
    assert await office.noted("letters") == others
    assert await office.parked("planner") == [("C1", 1), ("C1", 0), ("C1", 0)]
    assert await office.parked("letters") == []
    assert await office.retry(planner) == 0, "it still fails, and nothing passes it"
    office.broken.clear()
    assert [await office.retry(planner) for _ in range(4)] == [1, 1, 1, 0]
    await office.announce(("C1", 4))
    await wire.settled()
    assert await office.noted("planner") == others | {"C1": [0, 1, 2, 3, 4]}


async def test_one_customer_who_fails_does_not_keep_a_batch_from_the_others(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT))
    office.broken.add(("planner", "C3", 0))
    await office.announce(*((customer, n) for n in range(3) for customer in CUSTOMERS))
    await wire.start()
    await wire.settled()
    assert await office.noted("planner") == {customer: [0, 1, 2] for customer in CUSTOMERS if customer != "C3"}
    assert [customer for customer, _ in await office.parked("planner")] == ["C3"] * 3


async def test_an_event_that_nobody_takes_up_passes(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT))
    await wire.start()
    await office.announce(("C1", 0), kind=NOBODYS)
    await office.announce(("C1", 1))
    await wire.settled()
    assert await office.noted("planner") == {"C1": [1]}


async def test_what_a_consumer_announces_is_delivered_too(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT, echo=PAID), office.consumer("letters", PAID, CURED))
    await wire.start()
    await office.announce(*((customer, 0) for customer in CUSTOMERS))
    await wire.settled()
    await until(lambda: office.noted("letters"))
    await wire.settled()
    assert await office.noted("letters") == {customer: [0] for customer in CUSTOMERS}


async def test_a_stop_in_the_middle_of_a_batch_loses_nothing(office: Office, wired: Any) -> None:
    wire = wired(office.consumer("planner", DELINQUENT, echo=PAID), office.consumer("letters", PAID))
    gate = office.gates["planner", "C2", 1] = asyncio.Event()
    await office.announce(*((customer, n) for n in range(3) for customer in CUSTOMERS))
    await wire.start()
    await asyncio.wait_for(office.reached.wait(), 30)
    await wire.stop()
    assert "C2" not in await office.noted("planner"), "its transaction was undone"
    gate.set()
    await wire.start()
    await wire.settled()
    await wire.settled()
    everything = {customer: [0, 1, 2] for customer in CUSTOMERS}
    assert await office.noted("planner") == everything
    assert await office.noted("letters") == everything


async def test_in_process_a_row_that_is_no_event_stops_its_customer_and_nobody_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a row of a version that came later, or one written by hand."""
    monkeypatch.setattr(relay, "STOPPED_FOR", 0.3)
    wire = InProcess(office, [office.consumer("planner", DELINQUENT)])
    await office.announce(*((customer, 0) for customer in CUSTOMERS))
    await office.pool.execute("update outbox set payload = '[]' where aggregateid = 'C1'")
    await office.announce(*((customer, 1) for customer in CUSTOMERS))
    await wire.start()
    others = {customer: [0, 1] for customer in CUSTOMERS if customer != "C1"}
    await until(lambda: _has(office, others), what="everybody else's")
    await until(lambda: _unsent(office, 2), what="all but C1's to be marked sent")
    await office.pool.execute("update outbox set payload = '{\"n\": 0}' where aggregateid = 'C1' and payload = '[]'")
    await wire.settled()
    await wire.stop()
    assert await office.noted("planner") == others | {"C1": [0, 1]}


async def _has(office: Office, noted: dict[str, list[int]]) -> bool:
    return await office.noted("planner") == noted


async def _unsent(office: Office, count: int) -> bool:
    return await office.unsent() == count
