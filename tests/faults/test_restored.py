"""A database that does not know what was sent since its backup, a holder who comes too late: nobody hears it twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.adapters.postgres.epochs import Epochs
from shared.application.gateway import ErrorClass, Outcome, OutcomeKind
from shared.application.transport import KnownSend
from shared.domain.message import LedgerState
from tests.conftest import Database
from tests.faults.outbound import Outbound, an_outbound


@pytest.fixture
async def out(database: Database, tmp_path: Path) -> AsyncIterator[Outbound]:
    async with an_outbound(database, tmp_path) as outbound:
        yield outbound


async def forget(out: Outbound, key: UUID, tries: int = 0) -> None:
    """The database is what it was before the message's last try."""
    async with out.bank.pool.acquire() as conn, conn.transaction():
        await conn.execute("delete from contact_ledger where attempt_id in (select attempt_id from attempts)")
        await conn.execute("delete from attempts where message_id = $1", key)
        await conn.execute("update messages set state = 'planned', tries = $2 where message_id = $1", key, tries)


async def know(out: Outbound, *keys: UUID, channel: str = "sms") -> None:
    """The event log says that these were sent to C1 just now."""
    at = await out.bank.pool.fetchval("select now from business_clock")
    async with Epochs(out.bank.pool).turn() as turn:
        await turn.note_sends([KnownSend(key, "C1", channel, "dunning", at, LedgerState.COMMITTED) for key in keys])


async def told(out: Outbound, key: UUID) -> list[tuple[str, str | None]]:
    rows = await out.bank.rows(
        "select type, payload from outbox where aggregatetype = 'arrears.message'"
        " and payload->>'message_id' = $1 order by seq",
        str(key),
    )
    return [(row["type"], row["payload"]["reason"]) for row in rows]


async def test_what_the_provider_has_is_found_there_and_not_sent_again(out: Outbound) -> None:
    await out.overdue("C1", "C2")
    sent, new = await out.plan("C1"), await out.plan("C2")
    await out.loop(batch=1).send_once()
    await forget(out, sent)
    assert await out.loop(ask_first=True).send_once() == 2
    assert (await out.message(sent))["state"] == (await out.message(new))["state"] == "done"
    assert len(await out.received()) == 2
    assert await out.contacts() == ["committed"] * 2, "and it counts"


async def test_a_try_that_followed_the_backup_is_found_under_its_own_reference(out: Outbound) -> None:
    """It had been throttled ten times when the backup was taken, and twice more before it went."""
    await out.overdue("C1")
    key = await out.plan("C1")
    await forget(out, key, tries=12)
    await out.loop().send_once()
    await forget(out, key, tries=10)
    await out.loop(ask_first=True).send_once()
    assert (await out.message(key))["state"] == "done"
    assert len(await out.received()) == 1


async def test_while_the_provider_can_not_be_asked_nothing_is_sent_there(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan("C1")
    for server in out.sandbox.sandbox._servers:
        server.close()
    for connection in list(out.sandbox.sandbox._http.connections):
        connection.shutdown()
    await out.loop(ask_first=True).send_once()
    assert (await out.message(key))["state"] == "planned"
    assert await out.attempts(key) == ["released"]


async def test_a_mail_of_which_the_event_log_says_that_it_went_is_taken_for_sent(out: Outbound) -> None:
    """Its provider can not be asked."""
    await out.overdue("C1", "C2", email="li@example.com")
    sent = await out.plan("C1", channels=("email",), template="overdue-details")
    new = await out.plan("C2", channels=("email",), template="overdue-details")
    await know(out, sent, channel="email")
    assert await out.loop(ask_first=True).send_once() == 1
    assert (await out.message(sent))["state"] == (await out.message(new))["state"] == "done"
    assert await told(out, sent) == [("arrears.message.sent.v1", "known from the event log")]
    assert await told(out, new) == [("arrears.message.sent.v1", None)]
    assert len(await out.received()) == 1


async def test_what_the_event_log_says_was_sent_counts_against_the_cap_and_keeps_the_gap(out: Outbound) -> None:
    """Three texts a day, two hours before a reminder; the database knows nothing of two messages that went."""
    await out.overdue("C1", "C2", "C3")
    await know(out, uuid4(), uuid4())
    for customer in ("C1", "C2"):
        await out.plan(customer)
    for customer in ("C1", "C1", "C3", "C3"):
        await out.plan_answer(customer)
    await out.loop().send_all()
    sent = await out.bank.rows(
        "select customer_id, array_agg(purpose order by purpose) as purposes from messages"
        " where state = 'done' group by customer_id"
    )
    assert {row["customer_id"]: row["purposes"] for row in sent} == {
        "C1": ["answer"],
        "C2": ["dunning"],
        "C3": ["answer", "answer"],
    }


async def test_a_send_that_the_database_knows_counts_once(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan("C1")
    await out.loop().send_once()
    await know(out, key)
    await know(out, key)
    assert await out.contacts() == ["committed"]


async def test_what_is_known_to_be_sent_is_known_for_good(out: Outbound) -> None:
    """One that waits for its turn for longer than providers are asked first."""
    await out.overdue("C1")
    key = await out.plan("C1")
    await know(out, key)
    assert await out.loop(ask_first=False).send_once() == 0
    assert (await out.message(key))["state"] == "done"
    assert await out.received() == []


async def test_a_holder_who_comes_too_late_lets_go_and_then_not_found_is_sure(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    late = out.sender(lease=timedelta(0))
    marked, _ = await late.mark(10)
    assert await out.resolve() == 0, "the lease ran out, and the holder may still write"
    assert (await out.message(key))["state"] == "in_doubt"
    await late.record([(marked[0], Outcome(OutcomeKind.NOT_SENT, ErrorClass.TRANSIENT, code="window closed"))])
    assert (await out.bank.row("select state, disowned from attempts")) == {"state": "in_doubt", "disowned": True}
    assert await out.resolve() == 1, "it has said that it will not"
    assert (await out.message(key))["state"] == "planned"
    assert await out.contacts() == ["released"]
    assert await out.loop().send_once() == 1
    assert await out.attempts(key) == ["released", "accepted"]
    assert len(await out.received()) == 1


async def test_a_holder_who_comes_too_late_and_has_sent_is_found_by_asking(out: Outbound) -> None:
    await out.overdue("C1")
    key = await out.plan()
    late = out.sender(lease=timedelta(0))
    marked, began = await late.mark(10)
    results = await late.hand_over(marked, began)
    await out.bank.pool.execute("update messages set state = 'in_doubt'")
    await out.bank.pool.execute("update attempts set state = 'in_doubt'")
    await late.record(results)
    assert await out.attempts(key) == ["in_doubt"], "its answer is refused, and it lets go"
    assert await out.resolve() == 1
    assert (await out.message(key))["state"] == "done"
    assert await out.loop().send_once() == 0
    assert len(await out.received()) == 1


async def test_only_the_holder_itself_can_let_go(out: Outbound) -> None:
    await out.overdue("C1")
    await out.plan()
    holder, stranger = out.sender(fence=1, lease=timedelta(0)), out.sender("sender-2", fence=2)
    marked, _ = await holder.mark(10)
    await out.resolve()
    await stranger.record([(marked[0], Outcome(OutcomeKind.NOT_SENT))])
    assert not (await out.bank.row("select disowned from attempts"))["disowned"]
    assert await out.resolve() == 0
