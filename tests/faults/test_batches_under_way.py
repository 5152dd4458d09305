"""Several batches are under way at a time: what that must never lead to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.notifier import sender as senders
from services.notifier.sender import SenderLoop
from shared.application.book import Book
from shared.application.gateway import ErrorClass, GatewayFacts, Outcome, OutcomeKind, Submission
from tests.conftest import Database
from tests.faults.outbound import Outbound, an_outbound


class SlowGateway:
    """Takes what it gets and answers when ``go`` is set; ``most`` is how much it ever had in hand at once."""

    def __init__(self, channel: str, *, askable: bool, batch_size: int = 2, concurrency: int = 2) -> None:
        query_for = timedelta(days=1) if askable else None
        name = {"sms": "http_sms", "email": "smtp"}[channel]
        self.facts = GatewayFacts(name, channel, askable, query_for, timedelta(0), batch_size, concurrency)
        self.go = asyncio.Event()
        self.arrived = asyncio.Event()
        self.taken: list[str] = []
        self.answer = Outcome(OutcomeKind.ACCEPTED, provider_id="p")
        self.most = self.calls = 0
        self._at_once = 0

    async def submit(self, batch: Sequence[Submission], still_allowed: Callable[[], bool]) -> list[Outcome]:
        assert still_allowed()
        self.calls += 1
        self._at_once += len(batch)
        self.most = max(self.most, self._at_once)
        self.taken += [one.message_group for one in batch]
        self.arrived.set()
        await self.go.wait()
        self._at_once -= len(batch)
        return [self.answer] * len(batch)

    async def aclose(self) -> None:
        return None


@pytest.fixture
async def out(database: Database, tmp_path: Path) -> AsyncIterator[Outbound]:
    async with an_outbound(database, tmp_path) as outbound:
        yield outbound


async def _planned(out: Outbound, count: int, channel: str) -> None:
    customers = [f"C{number:02d}" for number in range(count)]
    await out.overdue(*customers, email="li@example.com")
    template = {"sms": "overdue-first", "email": "overdue-details"}[channel]
    for customer in customers:
        await out.plan(customer, channels=(channel,), template=template)


async def _states(out: Outbound) -> dict[str, int]:
    rows = await out.bank.rows("select state, count(*) from attempts group by state")
    return {row["state"]: row["count"] for row in rows}


async def _until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(20):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_the_next_batch_is_marked_while_one_is_at_the_gateway_and_each_is_sent_once(out: Outbound) -> None:
    await _planned(out, 7, "sms")
    out.gateways["sms"] = slow = SlowGateway("sms", askable=True)
    sending = asyncio.create_task(out.loop(batch=2).send_all())

    async def two_batches_marked() -> bool:
        return await _states(out) == {"sending": 4}

    await _until(two_batches_marked)
    await slow.arrived.wait()
    slow.go.set()
    assert await sending == 7
    assert await _states(out) == {"accepted": 7}
    assert len(slow.taken) == len(set(slow.taken)) == 7


async def test_batches_marked_at_the_same_time_share_no_customer_and_each_finds_some(out: Outbound) -> None:
    await _planned(out, 7, "sms")
    sender = out.sender()
    marks = await asyncio.gather(*(sender.mark(3) for _ in range(3)))
    customers = [one.customer_id for marked, _ in marks for one in marked]
    assert sorted(len(marked) for marked, _ in marks) == [1, 3, 3]
    assert len(set(customers)) == 7


async def test_whom_another_process_holds_does_not_keep_the_others_waiting(out: Outbound) -> None:
    await _planned(out, 6, "sms")
    sender = out.sender()
    async with out.bank.pool.acquire() as conn, conn.transaction():
        await conn.execute("select from customers where customer_id < 'C05' for update")
        marked, _ = await sender.mark(2)
        assert [one.customer_id for one in marked] == ["C05"]
    assert len((await sender.mark(9))[0]) == 5


async def test_the_next_look_begins_behind_the_last_and_after_the_end_with_the_first_again(out: Outbound) -> None:
    """What was marked lies dead in the index for as long as somebody holds an old snapshot: it is not passed again."""
    await _planned(out, 5, "sms")
    place, seen = None, []
    for _ in range(4):
        async with out.work() as tx:
            book = Book(tx.now)
            place = await tx.claim_due_messages(book, 2, (), (), place)
            seen.append(sorted(book.customers))
    assert seen == [["C00", "C01"], ["C02", "C03"], ["C04"], ["C00", "C01"]]


async def test_whoever_keeps_a_batch_from_being_marked_is_found_before_others_are_looked_at(out: Outbound) -> None:
    await _planned(out, 6, "sms")
    await out.bank.rows("update customers set name_enc = 'broken' where customer_id = 'C00' returning 1")
    await out.sender().mark(4)
    waiting = await out.bank.rows("select customer_id from messages where state = 'deferred'")
    assert [row["customer_id"] for row in waiting] == ["C00"]
    assert await _states(out) == {}


async def test_whom_a_full_gateway_left_over_comes_first_when_it_has_room(out: Outbound) -> None:
    await _planned(out, 6, "email")
    out.gateways["email"] = SlowGateway("email", askable=False, batch_size=1, concurrency=2)
    out.gateways["email"].go.set()
    loop = out.loop(batch=3)
    for expected in (["C00", "C01"], ["C02", "C03"], ["C04", "C05"]):
        await loop.send_once()
        sent = await out.bank.rows("select customer_id from attempts order by marked_real desc, attempt_id limit 2")
        assert sorted(row["customer_id"] for row in sent) == expected


async def test_a_gateway_that_can_not_be_asked_never_holds_more_than_fits_on_the_wire(out: Outbound) -> None:
    """However many batches: with a kill at any time, no more doubts are left for people than it can have at once."""
    await _planned(out, 11, "email")
    out.gateways["email"] = slow = SlowGateway("email", askable=False)
    loop = out.loop()
    sending = asyncio.create_task(loop.send_all())
    seen = []
    while not sending.done():
        await slow.arrived.wait()
        await asyncio.sleep(0.2)  # long enough for whatever else would be marked
        seen.append((await _states(out)).get("sending", 0))
        slow.arrived.clear()
        slow.go.set()
        await asyncio.sleep(0)
        slow.go.clear()
        await asyncio.wait({sending, asyncio.create_task(slow.arrived.wait())}, return_when=asyncio.FIRST_COMPLETED)
    assert await sending == 11
    assert max(seen) == slow.facts.at_once == 4
    assert slow.most <= 4
    assert await _states(out) == {"accepted": 11}


async def test_nothing_is_marked_that_would_wait_for_what_the_gateway_has_in_hand(out: Outbound) -> None:
    await _planned(out, 8, "sms")
    out.gateways["sms"] = slow = SlowGateway("sms", askable=True, batch_size=1, concurrency=3)
    sending = asyncio.create_task(out.loop(batch=2).send_all())
    await slow.arrived.wait()
    await asyncio.sleep(0.2)
    assert await _states(out) == {"sending": 2}, "two more would be one too many"
    slow.go.set()
    assert await sending == 8
    assert slow.most <= 3


async def test_an_error_while_the_next_is_marked_does_not_lose_the_answer_for_what_is_under_way(out: Outbound) -> None:
    await _planned(out, 4, "sms")
    out.gateways["sms"] = slow = SlowGateway("sms", askable=True)
    sender = out.sender()
    loop, mark = SenderLoop(sender, out.gateways, batch=2), sender.mark

    async def mark_once(*args: Any) -> Any:
        found = await mark(*args)
        asyncio.get_running_loop().call_later(0.3, slow.go.set)
        sender.mark = gone  # type: ignore[method-assign]
        return found

    async def gone(*args: Any) -> Any:
        await slow.arrived.wait()
        raise ConnectionError("the database went away")

    sender.mark = mark_once  # type: ignore[method-assign]
    with pytest.raises(ConnectionError):
        await loop.send_all()
    assert "sending" not in await _states(out), "nothing is left to become a doubt"
    sender.mark = mark  # type: ignore[method-assign]
    await loop.send_all()
    assert await _states(out) == {"accepted": 4}
    assert len(slow.taken) == len(set(slow.taken)) == 4


async def test_after_trouble_one_batch_at_a_time_is_tried(out: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(senders._FIRST_PAUSE, ErrorClass.TRANSIENT, 60.0)
    await _planned(out, 6, "sms")
    out.gateways["sms"] = slow = SlowGateway("sms", askable=True)
    slow.answer = Outcome(OutcomeKind.NOT_SENT, error=ErrorClass.TRANSIENT)
    slow.go.set()
    loop = out.loop(batch=2)
    await loop.send_once()
    assert loop.routes["sms"].closed
    loop.routes["sms"]._closed_until = 0.0  # the pause is over
    slow.arrived.clear()
    slow.go.clear()
    sending = asyncio.create_task(loop.send_all())
    await slow.arrived.wait()
    await asyncio.sleep(0.2)
    assert (await _states(out))["sending"] == 2, "no second batch before the first came through"
    slow.answer = Outcome(OutcomeKind.ACCEPTED, provider_id="p")
    slow.go.set()
    assert await sending == 6


async def test_told_to_stop_it_ends_what_is_under_way_and_marks_no_more(out: Outbound) -> None:
    await _planned(out, 8, "sms")
    out.gateways["sms"] = slow = SlowGateway("sms", askable=True)
    stop = asyncio.Event()
    running = asyncio.create_task(out.loop(batch=2).run(stop))
    await slow.arrived.wait()
    stop.set()
    slow.go.set()
    await running
    states = await _states(out)
    assert set(states) == {"accepted"}
    assert states["accepted"] < 8
