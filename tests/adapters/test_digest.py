"""The same events, however they came, give the same digest; another fact gives another one."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import asyncpg
import pytest

from shared.adapters.crypto import FieldCipher, Keyring
from shared.adapters.normalisation import contact_value
from shared.adapters.postgres.digest import (
    NoPolicy,
    facts_digest,
    facts_lines,
    outcome_digest,
    outcome_lines,
    passed_over,
    snapshot,
)
from shared.adapters.postgres.invariants import check
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.shelf import Shelf, seed
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.adapters.synthetic import portfolio
from shared.application.facts import InboundEvent, read_event
from shared.application.intake import ingest
from shared.domain.inbound import Answer
from tests.adapters.lawful_world import ATTEMPT, MESSAGE, settle_in
from tests.conftest import Database

NOW = datetime(2026, 10, 1, tzinfo=UTC)
BOOK = """customers, contact_points, accounts, snapshots, payments, reversals, waiting_facts, bucket_history, cases,
    case_standings, case_events, timers, inbox, outbox"""


@dataclass(frozen=True, slots=True)
class Intake:
    """The door for events, as ``api`` has it."""

    work: PostgresUnitOfWork
    shelf: Shelf

    async def take(self, events: Sequence[InboundEvent]) -> Counter[Answer]:
        answers: Counter[Answer] = Counter()
        for first in range(0, len(events), 200):
            verdicts = await ingest(self.work, self.shelf, events[first : first + 200])
            answers += Counter(verdict.answer for verdict in verdicts)
        return answers


@pytest.fixture
async def intake(database: Database) -> AsyncIterator[Intake]:
    pool, shelf = await Pool.open(database.dsn(), size=2), Shelf()
    async with pool.acquire() as conn:
        await seed(conn)
        await shelf.refresh(conn)
    yield Intake(PostgresUnitOfWork(pool, FieldCipher(Keyring(1, {1: bytes(32)}, bytes(32))), contact_value), shelf)
    await pool.close()


def portfolio_events() -> list[InboundEvent]:
    events = [read_event(line, NOW) for line in portfolio(60, 6, 11, date(2026, 4, 1))]
    assert all(isinstance(event, InboundEvent) for event in events)
    return [event for event in events if isinstance(event, InboundEvent)]


async def lines_of(conn: asyncpg.Connection) -> list[list[object]]:
    async with snapshot(conn):
        return [json.loads(line) async for line in outcome_lines(conn)]


async def test_a_portfolio_sent_twice_is_all_duplicate_and_the_digest_stays(
    intake: Intake, owner: asyncpg.Connection
) -> None:
    events = portfolio_events()
    first = await intake.take(events)
    digest = await facts_digest(owner)
    second = await intake.take(events)
    assert set(first) <= {Answer.ACCEPTED, Answer.UNMATCHED}
    assert second == {Answer.DUPLICATE: len(events)}
    assert await facts_digest(owner) == digest
    assert [finding for finding in await check(owner) if finding.law in ("L2", "L6", "L7", "L9")] == []


async def test_a_portfolio_in_another_order_gives_the_same_facts(
    intake: Intake, owner: asyncpg.Connection, database: Database
) -> None:
    events = portfolio_events()
    await intake.take(events)
    ordered = await lines_of(owner)
    await owner.execute(f"truncate {BOOK}")
    random.Random(5).shuffle(events)
    answers = await intake.take(events)
    assert not {Answer.REJECTED, Answer.PARKED, Answer.CONFLICT, Answer.DUPLICATE} & set(answers)
    assert await lines_of(owner) == ordered


def second_currency() -> list[InboundEvent]:
    """A known card gets a second currency: reported, paid, half of it bounced, closed."""
    core = {"specversion": "1.0", "source": "core"}
    card = {"account_id": "A1", "customer_id": "C1", "product": "card", "card_last4": "0001", "credit_limit": 10**6}
    owed = {"principal": 5000, "interest": 0, "fees": 0, "penalty": 0}
    money = {"account_id": "A1", "currency": "USD", "payment_id": "P1"}

    def report(number: int, currency: str) -> dict[str, Any]:
        due = {"due_date": "2026-04-20", "minimum_due": 5000, "unpaid": 5000}
        at = {"cutoff_at": f"2026-0{number}-25T02:00:00+08:00", "sequence": number, "currency": currency}
        return {"type": "delinquency.reported.v1", "data": {**card, **at, "balances": owed, "dues": [due]}}

    paid = {"amount": 3000, "value_date": "2026-06-01", "posted_at": "2026-06-01T10:00:00Z", "channel": "wallet"}
    bounced = {"reversal_id": "R1", "amount": 1000, "reason": "bounced", "reversed_at": "2026-06-02T10:00:00Z"}
    ended = {"account_id": "A1", "currency": "USD", "sequence": 6, "reason": "sold"}
    told = [
        report(4, "CNY"),
        report(4, "USD"),
        report(5, "USD"),
        {"type": "payment.posted.v1", "data": {**money, **paid}},
        {"type": "payment.reversed.v1", "data": {**money, **bounced}},
        {"type": "account.closed.v1", "data": ended},
    ]
    lines = [json.dumps({**core, "id": f"E{index}", **event}).encode() for index, event in enumerate(told)]
    return [event for event in (read_event(line, NOW) for line in lines) if isinstance(event, InboundEvent)]


async def test_a_second_currency_may_be_told_of_in_any_order(intake: Intake, owner: asyncpg.Connection) -> None:
    events = second_currency()
    assert len(events) == 6
    seen = set()
    for order in [events, *(random.Random(throw).sample(events, 6) for throw in range(25))]:
        await owner.execute(f"truncate {BOOK}")
        for event in order:
            await intake.take([event])
        seen.add(await facts_digest(owner))
        assert await check(owner) == []
    assert len(seen) == 1
    assert await owner.fetchval("select paid_since from accounts where currency = 'USD' and status = 'closed'") == 2000


async def test_each_kind_of_fact_is_in_the_digest(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    before = await facts_digest(owner)
    seen = {before}
    for change in (
        "update accounts set principal = principal + 1",
        """update accounts set dues = '[["2026-05-20", 200000, 100001]]'""",
        "update accounts set status = 'charged_off'",
        "update payments set reversed_amount = 1 where payment_id = 'P1'",
        "update payments set matched = true where payment_id = 'P2'",
        "update reversals set applied = false",
        "update cases set state = 'cured'",
    ):
        await owner.execute(change)
        seen.add(await facts_digest(owner))
    assert len(seen) == 8


async def test_days_are_counted_to_the_newest_cut_off_or_to_the_date_that_is_asked_for(
    owner: asyncpg.Connection,
) -> None:
    await settle_in(owner)
    async with snapshot(owner):
        account = json.loads(await anext(facts_lines(owner)))
    assert account[-3:] == ["2026-05-25", 5, "M1"]
    assert await facts_digest(owner) == await facts_digest(owner, date(2026, 5, 25))
    async with snapshot(owner):
        account = json.loads(await anext(facts_lines(owner, date(2026, 6, 25))))
    assert account[-3:] == ["2026-06-25", 36, "M2"]


async def test_ids_that_we_made_up_and_times_of_the_clock_are_not_in_it(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    before = await outcome_digest(owner)
    await owner.execute("""
        update follow_ups set decided_at = decided_at + interval '1 day';
        update attempts set attempt_id = gen_random_uuid(), marked_at = now();
        update messages set message_id = gen_random_uuid(), updated_at = now(), created_at = now();
        update accounts set updated_at = now(), created_at = now(), bucket = 'M3';
        update business_clock set now = '2026-07-01'
    """)
    assert await outcome_digest(owner) == before


@pytest.mark.parametrize("state", ["submitting", "in_doubt"])
async def test_submitted_and_in_doubt_are_one_class(owner: asyncpg.Connection, state: str) -> None:
    await settle_in(owner)
    before = await outcome_digest(owner)
    await owner.execute("update messages set state = $1", state)
    await owner.execute("update follow_ups set state = 'issued' where state = 'done'")
    assert await outcome_digest(owner) == before


async def test_delivered_or_not_is_one_class_and_refused_is_another(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    before = await outcome_digest(owner)
    await owner.execute("update messages set state = 'failed'")
    await owner.execute("update attempts set state = 'undelivered'")
    assert await outcome_digest(owner) == before
    await owner.execute("update attempts set state = 'rejected'")
    refused = await outcome_digest(owner)
    await owner.execute("update messages set state = 'suppressed', reason = 'moot: case cured'")
    moot = await outcome_digest(owner)
    await owner.execute("update messages set reason = 'no usable contact point'")
    assert len({before, refused, moot, await outcome_digest(owner)}) == 4


async def test_steps_passed_over_by_one_run_can_be_left_out_of_another(owner: asyncpg.Connection) -> None:
    await settle_in(owner)
    step = ("C1", 1, "m1-first-sms", "2026-05-20")
    punctual = await outcome_digest(owner, without={step})
    await owner.execute("update follow_ups set state = 'passed_over' where step = 'm1-first-sms'")
    await owner.execute(f"delete from messages where message_id = '{MESSAGE}'")
    await owner.execute(f"delete from attempts where attempt_id = '{ATTEMPT}'")
    late = await passed_over(owner)
    assert late == {step}
    assert await outcome_digest(owner, without=late) == punctual
    assert await outcome_digest(owner, without_passed_over=True) == punctual
    assert await outcome_digest(owner) != punctual


async def test_without_a_policy_there_are_no_days_to_count(owner: asyncpg.Connection) -> None:
    assert await facts_digest(owner) == await outcome_digest(owner)
    await settle_in(owner)
    await owner.execute("update policies set state = 'retired'")
    with pytest.raises(NoPolicy):
        await facts_digest(owner)
