"""Events that come one by one share transactions, and nobody is the worse for the company."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec

from shared.application.facts import InboundEvent, read_event
from shared.application.group_commit import GroupCommit
from tests.application.bank import Bank, payment, report
from tests.conftest import Database


class Counter:
    """The bank's unit of work, counting what is begun."""

    def __init__(self, bank: Bank) -> None:
        self.begun = 0
        self._work = bank.work

    def __call__(self) -> Any:
        self.begun += 1
        return self._work()


def read(bank: Bank, events: Iterable[dict[str, Any]]) -> list[InboundEvent]:
    inbound = [read_event(msgspec.json.encode(each), bank.latest) for each in events]
    return [each for each in inbound if isinstance(each, InboundEvent)]


def forty(bank: Bank) -> list[InboundEvent]:
    return read(bank, bank.made(*(report(f"A{number}", f"C{number}") for number in range(40))))


async def test_forty_at_once_take_a_few_transactions_and_each_has_its_answer(bank: Bank):
    work = Counter(bank)
    commits = GroupCommit(work, bank.shelf, places=2)
    verdicts = await asyncio.gather(*(commits.take(each) for each in forty(bank)))
    assert {verdict.answer for verdict in verdicts} == {"accepted"}
    assert len(await bank.rows("select 1 from cases")) == 40
    assert work.begun <= 4


async def test_one_alone_is_taken_at_once(bank: Bank):
    work = Counter(bank)
    (event, *_) = forty(bank)
    assert (await GroupCommit(work, bank.shelf, places=2).take(event)).answer == "accepted"
    assert work.begun == 1


async def test_the_same_event_twice_at_once_is_taken_once(bank: Bank):
    commits = GroupCommit(bank.work, bank.shelf, places=1)
    await bank.say(report())
    (event,) = read(bank, bank.made(payment()))
    verdicts = await asyncio.gather(*(commits.take(event) for _ in range(6)))
    assert sorted(verdict.answer for verdict in verdicts) == ["accepted", *["duplicate"] * 5]


async def test_a_customer_that_somebody_holds_delays_nobody_else(bank: Bank, owner: asyncpg.Connection):
    events = forty(bank)
    await asyncio.gather(*(GroupCommit(bank.work, bank.shelf, places=2).take(each) for each in events))
    commits = GroupCommit(bank.work, bank.shelf, places=2)
    paid = read(bank, bank.made(*(payment(f"P{number}", f"A{number}") for number in range(40))))
    holding = owner.transaction()
    await holding.start()
    await owner.execute("select 1 from customers where customer_id = 'C7' for update")
    asked = [asyncio.create_task(commits.take(each)) for each in paid]
    async with asyncio.timeout(20):
        answered = [(await task).answer for number, task in enumerate(asked) if number != 7]
    assert set(answered) == {"accepted"}
    assert not asked[7].done()
    await holding.rollback()
    assert (await asked[7]).answer == "accepted"


async def test_what_can_not_be_applied_is_parked_and_the_others_are_taken(bank: Bank, owner: asyncpg.Connection):
    await owner.execute("alter table payments add constraint poison check (payment_id <> 'P7') not valid")
    await asyncio.gather(*(GroupCommit(bank.work, bank.shelf, places=2).take(each) for each in forty(bank)))
    commits = GroupCommit(bank.work, bank.shelf, places=2)
    paid = read(bank, bank.made(*(payment(f"P{number}", f"A{number}") for number in range(40))))
    verdicts = await asyncio.gather(*(commits.take(each) for each in paid))
    assert [number for number, verdict in enumerate(verdicts) if verdict.answer != "accepted"] == [7]
    assert verdicts[7].answer == "parked"


async def test_who_stops_waiting_does_not_stop_the_event(bank: Bank):
    commits = GroupCommit(bank.work, bank.shelf, places=1)
    events = forty(bank)
    asked = [asyncio.create_task(commits.take(each)) for each in events]
    await asyncio.sleep(0)
    for task in asked[::2]:
        task.cancel()
    await asyncio.gather(*asked[1::2])
    await commits.take(events[0])  # behind all of them
    assert len(await bank.rows("select 1 from cases")) == 40


async def test_an_outage_is_told_to_each_and_nothing_of_them_is_kept(bank: Bank, database: Database):
    commits = GroupCommit(bank.work, bank.shelf, places=2)
    await bank.pool.close()
    told = await asyncio.gather(*(commits.take(each) for each in forty(bank)[:4]), return_exceptions=True)
    assert all(isinstance(each, Exception) for each in told)
    looking = await asyncpg.connect(database.owner_dsn)
    assert await looking.fetchval("select count(*) from arrears.inbox") == 0
    await looking.close()
