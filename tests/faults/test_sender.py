"""What may go wrong between the mark and the answer, and that no customer hears anything twice for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from services.notifier import sender as senders
from shared.adapters.postgres import invariants
from shared.adapters.postgres.replay import replay_newest
from shared.application.book import Book
from shared.application.complaints import ComplaintDesk, NewComplaint
from shared.application.doubts import decide_doubt
from shared.application.gateway import ErrorClass, Outcome, OutcomeKind
from shared.application.principal import Principal, Role
from shared.application.refusals import Conflict
from shared.domain.complaint import Complexity
from tests.application.bank import NOW, event, merged, payment
from tests.conftest import Database
from tests.faults.outbound import Outbound, an_outbound

LAST_SECOND = datetime(2026, 6, 30, 21, 59, 59, tzinfo=UTC) - timedelta(hours=8)  # of the permitted hours in Shanghai


@pytest.fixture
async def out(database: Database, tmp_path: Path) -> AsyncIterator[Outbound]:
    async with an_outbound(database, tmp_path) as outbound:
        yield outbound


async def test_an_sms_that_was_never_answered_for_is_asked_about_and_not_sent_again(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    await out.sandbox.turn(sms={"never_answer_next": 1})
    await out.wait_for_answers(1.0)
    loop = out.loop()
    assert await loop.send_once() == 1
    assert (await out.message(key))["state"] == "in_doubt"
    assert await out.contacts() == ["unknown"]
    assert await loop.send_once() == 0
    assert await out.resolve() == 1
    assert (await out.message(key))["state"] == "done"
    assert await out.contacts() == ["committed"]
    assert len(await out.received()) == 1


async def test_a_mail_that_was_never_answered_for_stays_in_doubt_where_everybody_sees_it(out: Outbound) -> None:
    await out.overdue("C1", email="li@example.com")
    key = await out.plan(channels=("email", "sms"), template="overdue-details")
    await out.sandbox.turn(email={"never_answer_next": 1})
    await out.wait_for_answers(1.0)
    loop = out.loop()
    await loop.send_once()
    assert await out.resolve() == 0
    assert await loop.send_once() == 0, "neither by mail again nor by the other channel"
    assert (await out.message(key))["state"] == "in_doubt"
    assert await out.contacts() == ["unknown"], "it counts against the cap"
    assert [entry["channel"] for entry in await out.received()] == ["email"]


async def test_a_mail_server_that_hangs_up_after_taking_the_mail_leaves_a_doubt(out: Outbound) -> None:
    await out.overdue("C1", email="li@example.com")
    key = await out.plan(channels=("email",), template="overdue-details")
    await out.sandbox.turn(email={"never_answer_next": 1, "never_answer_mode": "close"})
    await out.loop().send_once()
    assert (await out.message(key))["state"] == "in_doubt"


async def test_what_a_dead_process_had_marked_but_not_sent_is_sent_once_by_the_next(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    marked, _ = await out.sender().mark(10)
    assert len(marked) == 1
    await out.bury("sender-1")
    assert await out.resolve() == 1
    assert (await out.message(key))["state"] == "planned"
    assert await out.contacts() == ["released"]
    await out.register("sender-2")
    assert await out.loop("sender-2", fence=2).send_once() == 1
    assert (await out.message(key))["state"] == "done"
    assert await out.attempts(key) == ["released", "accepted"]
    assert len(await out.received()) == 1


async def test_what_a_dead_process_had_sent_and_not_written_down_is_found_by_asking(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    sender = out.sender()
    marked, began = await sender.mark(10)
    await sender.hand_over(marked, began)
    await out.bury("sender-1")
    assert await out.resolve() == 1
    assert (await out.message(key))["state"] == "done"
    assert await out.loop("sender-2", fence=2).send_once() == 0
    assert len(await out.received()) == 1


async def test_not_found_is_no_sure_answer_while_the_holder_may_still_write(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    await out.sender(lease=timedelta(0)).mark(10)
    assert await out.resolve() == 0
    assert (await out.message(key))["state"] == "in_doubt"
    assert await out.loop().send_once() == 0
    assert await out.received() == []


async def test_an_answer_that_comes_after_the_lease_ran_out_is_refused(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    sender = out.sender(lease=timedelta(0))
    marked, began = await sender.mark(10)
    results = await sender.hand_over(marked, began)
    assert await out.resolve() == 1, "asking has settled it"
    await sender.record([(marked[0], Outcome(OutcomeKind.NOT_SENT, code="too late"))])
    assert (await out.message(key))["state"] == "done"
    await sender.record(results)
    assert await out.attempts(key) == ["accepted"]


async def test_an_answer_under_another_fence_is_refused(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    holder, stranger = out.sender(fence=1), out.sender("sender-0", fence=0)
    marked, _ = await holder.mark(10)
    await stranger.record([(marked[0], Outcome(OutcomeKind.NOT_SENT))])
    assert await out.attempts(key) == ["sending"]
    await holder.record([(marked[0], Outcome(OutcomeKind.ACCEPTED, provider_id="p1"))])
    assert await out.attempts(key) == ["accepted"]


async def test_a_throttled_route_waits_as_told_and_the_other_route_goes_on(out: Outbound) -> None:
    await out.overdue("C1", "C2", "C3", email="li@example.com")
    await out.sandbox.turn(sms={"throttle_per_second": 0.01})
    loop = out.loop(batch=1)
    first = await out.plan("C1")
    assert await loop.send_once() == 1
    second = await out.plan("C2")
    assert await loop.send_once() == 1
    assert (await out.message(first))["state"] == "done"
    assert (await out.message(second))["state"] == "planned"
    assert loop.routes["sms"].closed
    assert await loop.send_once() == 0, "not asked again before the provider's time"
    mail = await out.plan("C3", channels=("email",), template="overdue-details")
    assert await loop.send_once() == 1
    assert (await out.message(mail))["state"] == "done"
    assert await out.attempts(second) == ["released"], "the contact was given back"


@pytest.mark.parametrize(("takes", "settled"), [(1.0, "done"), (0.0, "in_doubt")])
async def test_a_server_error_is_a_doubt_that_only_the_provider_can_lift(
    out: Outbound, takes: float, settled: str
) -> None:
    await out.overdue("C1")
    key = await out.plan()
    await out.sandbox.turn(sms={"fail_5xx": 1.0, "fail_5xx_takes": takes})
    await out.loop().send_once()
    assert (await out.message(key))["state"] == "in_doubt"
    await out.sandbox.turn(sms={"fail_5xx": 0.0})
    await out.resolve()
    assert (await out.message(key))["state"] == settled
    assert await out.loop().send_once() == 0
    assert len(await out.received()) == int(takes)


async def test_a_provider_that_can_not_be_reached_never_had_it(out: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(senders._FIRST_PAUSE, ErrorClass.TRANSIENT, 60.0)
    await out.overdue("C1")
    key = await out.plan()
    for server in out.sandbox.sandbox._servers:
        server.close()
    for connection in list(out.sandbox.sandbox._http.connections):
        connection.shutdown()
    loop = out.loop()
    await loop.send_once()
    assert (await out.message(key))["state"] == "planned"
    assert await out.contacts() == ["released"]
    assert loop.routes["sms"].closed


async def test_what_is_marked_in_the_last_second_does_not_leave_after_ten_in_the_evening(out: Outbound) -> None:
    await out.overdue("C1")
    await out.move_clock(LAST_SECOND)
    key = await out.plan()
    sender = out.sender()
    marked, began = await sender.mark(10)
    assert len(marked) == 1
    await out.move_clock(LAST_SECOND + timedelta(seconds=1))
    await sender.record(await sender.hand_over(marked, began))
    assert await out.received() == []
    assert (await out.message(key))["state"] == "planned"
    assert await out.loop().send_once() == 0
    waiting = await out.message(key)
    assert waiting["state"] == "deferred"
    assert waiting["not_before"] == LAST_SECOND + timedelta(hours=10, seconds=1), "eight in the morning"
    await out.move_clock(waiting["not_before"])
    assert await out.loop().send_once() == 1
    assert (await out.message(key))["state"] == "done"


async def test_what_did_not_leave_within_the_send_window_does_not_leave(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    instant = [100.0]
    sender = out.sender(monotonic=lambda: instant[0])
    marked, began = await sender.mark(10)
    instant[0] += 5.0
    await sender.record(await sender.hand_over(marked, began))
    assert await out.received() == []
    assert (await out.message(key))["state"] == "planned"


async def test_ten_senders_at_once_never_pass_the_cap(out: Outbound) -> None:
    customers = [f"C{number}" for number in range(6)]
    await out.overdue(*customers)
    keys = [await out.plan_answer(customer) for customer in customers for _ in range(7)]
    loops = [out.loop("sender-1", fence=fence, batch=3) for fence in range(1, 11)]

    async def send(number: int) -> int:
        sent = 0
        while await out.bank.rows(
            "select from messages where state in ('planned', 'deferred') and not_before <= $1 limit 1", NOW
        ):
            sent += await loops[number].send_once()
        return sent

    assert sum(await asyncio.gather(*map(send, range(10)))) == 3 * len(customers)
    received = await out.received()
    assert len(received) == len({entry["group"] for entry in received}) == 3 * len(customers)
    assert all(sum(entry["to"] == to for entry in received) == 3 for to in {entry["to"] for entry in received})
    states = [(await out.message(key))["state"] for key in keys]
    assert (states.count("done"), states.count("deferred")) == (18, 24)
    async with out.bank.pool.acquire() as conn:
        assert [found for found in await invariants.check(conn) if found.law in ("L3", "L4")] == []


async def test_a_doubt_counts_against_the_cap(out: Outbound) -> None:
    await out.overdue("C1")
    for _ in range(3):
        await out.plan_answer()
    await out.sandbox.turn(sms={"never_answer_next": 1})
    await out.wait_for_answers(1.0)
    loop = out.loop()
    await loop.send_once()
    assert await out.contacts() == ["unknown"] * 3
    fourth = await out.plan_answer()
    assert await loop.send_once() == 0
    assert (await out.message(fourth))["state"] == "deferred"


async def test_what_a_person_was_told_under_another_number_of_theirs_counts_after_the_merger(out: Outbound) -> None:
    """Two records of one person, merged by way of a third: the day's contacts of all of them count."""
    await out.overdue("C1", "C2", "C3")
    for customer in ("C1", "C2", "C2"):
        await out.plan_answer(customer)
    assert await out.loop().send_once() == 3
    assert await out.bank.say(merged("C1", "C2")) == ["accepted"]
    assert await out.bank.say(merged("C2", "C3")) == ["accepted"]
    fourth = await out.plan_answer("C3")
    assert await out.loop().send_once() == 0
    assert (await out.message(fourth))["state"] == "deferred"


async def test_an_answer_waits_for_the_merger_and_then_meets_what_protects_the_person(out: Outbound) -> None:
    await out.overdue("C1", "C2")
    answer = await out.plan_answer("C1")
    async with out.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        await tx.conn.execute(
            "insert into holds (hold_id, customer_id, kind, reason, placed_at, placed_by)"
            " values (gen_random_uuid(), 'C1', 'deceased', 'told_by_family', $1, 'test')",
            NOW,
        )
    assert await out.bank.say(merged("C1", "C2")) == ["accepted"]
    late = await out.plan_answer("C1")
    assert await out.loop().send_once() == 0
    assert await out.received() == []
    moved, gone = await out.message(answer), await out.message(late)
    assert (moved["customer_id"], moved["reason"]) == ("C2", "forbidden: cn-holds")
    assert (gone["state"], gone["reason"]) == ("suppressed", "moot: customer merged")


async def test_two_people_who_decide_a_doubt_at_once_do_not_both_succeed(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    await out.sandbox.turn(sms={"never_answer_next": 1})
    await out.wait_for_answers(1.0)
    await out.loop().send_once()

    async def decide() -> str:
        try:
            async with out.work() as tx:
                await decide_doubt(tx, key, sent=False, reason="seen in the log", actor="li.na")
        except Conflict:
            return "too late"
        return "decided"

    assert sorted(await asyncio.gather(decide(), decide(), decide())) == ["decided", "too late", "too late"]


async def test_a_customer_who_can_not_be_marked_delays_nobody_else(out: Outbound) -> None:
    customers = [f"C{number:02d}" for number in range(40)]
    await out.overdue(*customers)
    keys = {customer: await out.plan_answer(customer) for customer in customers}
    await out.bank.rows("update customers set name_enc = 'broken' where customer_id = 'C33' returning 1")
    loop, rounds = out.loop(), 0
    while len(await out.received()) < len(customers) - 1:
        await loop.send_once()
        rounds += 1
        assert rounds <= 12, "halved, not one by one"
    await loop.send_once()
    stuck = await out.message(keys["C33"])
    assert (stuck["state"], stuck["reason"]) == ("deferred", "could not be marked: CryptoError")


async def test_a_gateway_that_can_not_be_asked_gets_no_more_marks_than_fit_on_the_wire(out: Outbound) -> None:
    """Every mark that a crash leaves behind there is a doubt for a person."""
    facts = out.gateways["email"].facts
    most = facts.batch_size * facts.concurrency
    customers = [f"C{number:03d}" for number in range(most + 5)]
    await out.overdue(*customers, email="li@example.com")
    for customer in customers:
        await out.plan(customer, channels=("email",), template="overdue-details")
    sender = out.sender()
    first, _ = await sender.mark(1000)
    second, _ = await sender.mark(1000)
    assert (len(first), len(second)) == (most, 5)


async def test_a_complaint_that_comes_between_planning_and_sending_stops_the_reminder(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    complaint = NewComplaint(
        complaint_id=uuid4(),
        customer_id="C1",
        account_id=None,
        category="contact_times",
        channel="phone",
        complexity=Complexity.SIMPLE,
        text="请不要再联系我",
        owner=None,
        received_at=None,
    )
    async with out.work() as tx:
        await ComplaintDesk(out.bank.shelf).receive(tx, complaint, Principal("li", frozenset({Role.SUPERVISOR})))
    assert await out.loop().send_once() == 0
    stopped = await out.message(key)
    assert (stopped["state"], stopped["reason"]) == ("suppressed", "forbidden: cn-holds")
    assert await out.received() == []
    assert await out.contacts() == []


async def test_a_payment_that_comes_between_planning_and_sending_stops_the_reminder(out: Outbound) -> None:
    await out.overdue("C1", "C2")
    paid, unpaid = await out.plan("C1"), await out.plan("C2")
    assert await out.bank.say(payment("P1", "A-C1")) == ["accepted"]
    assert await out.loop().send_once() == 1
    assert (await out.message(paid))["state"] == "suppressed"
    assert (await out.message(paid))["reason"] == "moot: case cured"
    assert (await out.message(unpaid))["state"] == "done"


async def test_payments_and_marks_at_the_same_moment_leave_no_moot_message(out: Outbound) -> None:
    customers = [f"C{number}" for number in range(40)]
    await out.overdue(*customers)
    for customer in customers:
        await out.plan(customer)
    paid: set[str] = set()
    some_paid, some_marked = asyncio.Event(), asyncio.Event()  # neither is always the quicker one

    async def pay() -> None:
        for customer in reversed(customers):
            assert await out.bank.say(payment(f"P{customer}", f"A-{customer}")) == ["accepted"]
            paid.add(customer)
            if len(paid) == 4:
                some_paid.set()
                await some_marked.wait()

    async def send(number: int) -> set[str]:
        await some_paid.wait()
        sender, written = out.sender(fence=number), set()
        while waiting := await out.bank.rows("select from messages where state = 'planned' limit 1"):
            before = paid.copy()  # their payments were committed before the mark began
            marked, began = await sender.mark(len(waiting))
            assert before.isdisjoint(one.customer_id for one in marked)
            written |= {one.customer_id for one in marked}
            if len(written) >= 4:
                some_marked.set()
            if marked:
                await sender.record(await sender.hand_over(marked, began))
        return written

    _, *written = await asyncio.gather(pay(), *map(send, range(1, 4)))
    counted = await out.bank.rows("select state, count(*) from messages group by state")
    states = {row["state"]: row["count"] for row in counted}
    assert states["done"] == sum(map(len, written)) == len(await out.received())
    assert states["done"] + states["suppressed"] == len(customers)
    assert min(states.values()) > 3


async def test_while_an_event_of_the_customer_is_parked_nothing_is_sent_to_them(out: Outbound) -> None:
    await out.overdue("C1", "C2")
    held, free = await out.plan("C1"), await out.plan("C2")
    kind, data = payment("P1", "A-C1")
    waiting = Waiting(**event(kind, data, event_id="parked"))
    async with out.work() as tx:
        await tx.park("intake", "C1", waiting, tries=1, retry_in=timedelta(minutes=5), error="OperationalError")
    assert await out.loop().send_once() == 1
    assert (await out.message(free))["state"] == "done"
    assert (await out.message(held))["state"] == "deferred"
    assert (await out.message(held))["reason"] == "facts pending"
    entry = (await out.bank.row("select entry from parked"))["entry"]
    async with out.work() as tx:
        assert await tx.end_parked(entry, "replayed")
    await out.move_clock(NOW + timedelta(minutes=1))
    assert await out.loop().send_once() == 1
    assert (await out.message(held))["state"] == "done"


class Waiting:
    """An event as intake parks it."""

    def __init__(self, **fields: object) -> None:
        self.id, self.source, self.type = fields["id"], fields["source"], fields["type"]
        self.envelope = b"{}"


async def test_what_the_sender_decided_comes_out_the_same_when_decided_again(out: Outbound) -> None:
    await out.overdue("C1", "C2")
    sent, waiting = await out.plan("C1"), await out.plan("C2")
    await out.loop().send_once()
    await out.move_clock(LAST_SECOND + timedelta(seconds=1))
    late = await out.plan("C2")
    await out.loop().send_once()
    assert [(await out.message(key))["state"] for key in (sent, waiting, late)] == ["done", "done", "deferred"]
    async with out.bank.pool.acquire() as conn:
        assert await replay_newest(conn, 10) == (3, [])
        await conn.execute(
            "update messages set decision = jsonb_set(decision, '{facts,zone}', $2) where message_id = $1",
            late,
            "Asia/Tokyo",
        )
        _, (different,) = await replay_newest(conn, 10)
    assert different.stored.key == str(late)
