"""Two chunks of a file in flight: it ends as if each line had been taken alone, whatever fails in between."""

import asyncio
import json
import random
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.adapters.postgres.import_store import ImportTables
from shared.application import imports
from shared.application.facts import InboundEvent, read_event
from shared.application.intake import ingest_in_turn
from shared.application.turns import Lookahead, Turn
from tests.application.bank import NOW, Bank, closing, event, merged, payment, report, reversal, updated
from tests.services.api.core_banking import CoreBanking, core_banking


@pytest.fixture
async def core(database, tmp_path):
    async with core_banking(database, tmp_path) as core:
        yield core


@pytest.fixture
async def alone(other_database, tmp_path):
    """The same bank on a database of its own; it takes one line at a time."""
    bank = await Bank.open(other_database, tmp_path)
    yield bank
    await bank.pool.close()


def as_lines(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(each).encode() + b"\n" for each in events)


def numbered(facts: list[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    return [event(kind, data, event_id=f"e{number}") for number, (kind, data) in enumerate(facts)]


async def outcome(pool: Any) -> dict[str, list[tuple[Any, ...]]]:
    """What became of a file: each answer, each customer's news in their order, and the facts.

    Not what was replaced: of two telephone numbers that came together, only the newer is ever written."""
    asked = {
        "answers": "select id, answer, customer_id from inbox union all"
        " select event_id, state, customer_id from parked order by 1",
        "news": "select aggregateid, type, payload - 'case_id' from outbox order by aggregateid, seq",
        "accounts": "select account_id, currency, customer_id, sequence, past_due, bucket, status from accounts"
        " order by 1, 2",
        "money": "select payment_id, reversed_amount, matched, customer_id from payments order by 1",
        "customers": "select customer_id, core_version, merged_into, cases_opened from customers order by 1",
        "cases": "select customer_id, ordinal, state, bucket, reopenings from cases order by 1, 2",
        "timers": "select scope, kind, subject, due_at from timers order by 1, 2, 3",
        "points": "select customer_id, kind, position from contact_points where state = 'active' order by 1, 2, 3",
    }
    return {name: [tuple(row.values()) for row in await pool.fetch(query)] for name, query in asked.items()}


def a_story(seed: int) -> list[dict[str, Any]]:
    """Facts about a few customers, so that chunks of a few lines meet and do not meet by turns."""
    dice, facts = random.Random(seed), []
    for number in range(60):
        account, customer = dice.randrange(8), dice.randrange(6)
        posted = f"2026-06-{dice.randrange(20, 29)}T10:00:00+08:00"
        facts.append(
            dice.choice(
                [
                    report(f"A{account}", f"C{account % 6}", sequence=number + 1, unpaid=dice.choice([0, 50_000]),
                           cutoff=posted),
                    report(f"A{account}", f"C{customer}", sequence=number + 1, cutoff=posted),
                    payment(f"P{number % 20}", f"A{account}", amount=dice.choice([10_000, 50_000]), posted=posted),
                    reversal(f"R{number}", f"P{dice.randrange(20)}", f"A{account}", amount=10_000),
                    updated(f"C{customer}", version=number + 1, mobile=f"+86138000{number:05d}"),
                    closing(f"A{account}", sequence=number + 1),
                    merged(f"C{dice.randrange(1, 6)}", "C0") if number > 40 else payment(f"Q{number}", f"A{account}"),
                ]
            )
        )  # fmt: skip
    events = numbered(facts)
    return events + dice.sample(events, 5)  # some come twice


@pytest.mark.parametrize("seed", range(4))
async def test_a_file_in_small_chunks_ends_as_its_lines_one_by_one(core: CoreBanking, alone: Bank, monkeypatch, seed):
    monkeypatch.setattr(imports, "CHUNK_LINES", 3)
    monkeypatch.setattr(imports, "SLICE_BYTES", 900)
    story = a_story(seed)
    for each in story:
        await alone.send([each])
    answer = await core.take(as_lines(story))
    assert answer.json()["state"] == "done", answer.text
    assert await outcome(core.pool) == await outcome(alone.pool)


def disjoint(*numbers: int) -> list[tuple[str, dict[str, Any]]]:
    return [report(f"A{number}", f"C{number}") for number in numbers]


def read(facts: list[tuple[str, dict[str, Any]]], prefix: str = "e") -> list[InboundEvent]:
    found = [
        read_event(json.dumps(event(kind, data, event_id=f"{prefix}{number}")).encode(), NOW)
        for number, (kind, data) in enumerate(facts)
    ]
    return [each for each in found if isinstance(each, InboundEvent)]


class SlowToCommit:
    """A unit of work whose first transaction stays open, all written, until it is let go."""

    def __init__(self, work: Any) -> None:
        self._work, self._first = work, True
        self.written, self.let_go = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def __call__(self):
        first, self._first = self._first, False
        async with self._work() as tx:
            yield tx
            if first:
                self.written.set()
                await self.let_go.wait()


@pytest.mark.parametrize(
    ("second", "beside"),
    [(disjoint(3, 4), True), ([updated("C2")], False), ([payment(account="A1")], False)],
    ids=["other customers", "the same customer", "the same account, which no customer is known of yet"],
)
async def test_the_second_chunk_is_written_before_the_first_commits_unless_they_meet(alone: Bank, second, beside):
    work, lookahead = SlowToCommit(alone.work), Lookahead(1)
    first = Turn(None, lookahead)
    tasks = [
        asyncio.create_task(ingest_in_turn(work, alone.shelf, read(facts, prefix), turn))
        for facts, prefix, turn in ((disjoint(1, 2), "e", first), (second, "f", Turn(first, lookahead)))
    ]
    await work.written.wait()
    waiting = (
        "select count(*) from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
    )
    async with asyncio.timeout(30):
        while await alone.pool.fetchval(waiting) < 1 + beside or not (beside or first._over.done() or lookahead.take()):
            await asyncio.sleep(0.01)
    for _ in range(20):  # whatever is written, nothing is committed before its turn
        assert await alone.pool.fetchval("select count(*) from inbox") == 0
        await asyncio.sleep(0.01)
    work.let_go.set()
    answers = [[verdict.answer for verdict in verdicts] for verdicts in await asyncio.gather(*tasks)]
    assert answers == [["accepted"] * 2, ["accepted"] * len(second)]


async def test_a_chunk_that_fails_half_way_undoes_the_one_beside_it_and_both_are_taken(
    core: CoreBanking, owner, monkeypatch
):
    monkeypatch.setattr(imports, "CHUNK_LINES", 2)
    monkeypatch.setattr(imports, "SLICE_BYTES", 700)
    await owner.execute("alter table accounts add constraint no_zz check (account_id <> 'ZZ')")
    facts = [
        *disjoint(1), report("ZZ", "C9"),
        *disjoint(2, 3),
        updated("C9"), *disjoint(4),
        *disjoint(5), report("A1", "C1", sequence=2, unpaid=70_000, cutoff="2026-06-29T02:00:00+08:00"),
    ]  # fmt: skip
    answer = await core.take(as_lines(numbered(facts)))
    assert answer.json()["counts"] == {"accepted": 6, "parked": 2}
    parked = await core.pool.fetch("select event_id, customer_id from parked order by entry")
    assert [tuple(row) for row in parked] == [("e1", "C9"), ("e4", "C9")]
    assert await core.pool.fetchval("select past_due from accounts where account_id = 'A1'") == 70_000


@pytest.mark.parametrize("lost", range(4))
async def test_a_crash_between_facts_and_progress_loses_nothing_and_counts_nothing_twice(
    core: CoreBanking, alone: Bank, monkeypatch, lost
):
    monkeypatch.setattr(imports, "CHUNK_LINES", 3)
    monkeypatch.setattr(imports, "SLICE_BYTES", 900)
    advance, calls = ImportTables.advance_import, 0

    async def crash(self, *args):
        nonlocal calls
        calls += 1
        if calls == lost + 1:
            raise ConnectionResetError
        return await advance(self, *args)

    monkeypatch.setattr(ImportTables, "advance_import", crash)
    story = a_story(lost)
    where = (await core.announce(lines=len(story))).headers["location"]
    assert (await core.put(where, as_lines(story))).status_code == 503
    state = (await core.client.get(where)).json()
    assert state["state"] == "interrupted"
    assert state["lines_done"] == sum(state["counts"].values())
    answer = await core.put(where, as_lines(story))
    assert answer.json()["state"] == "done", answer.text
    for each in story:
        await alone.send([each])
    assert await outcome(core.pool) == await outcome(alone.pool)
