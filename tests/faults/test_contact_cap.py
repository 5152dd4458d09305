"""One customer, an allowance of three contacts a day, a hundred who would like to make one, and connections that are
cut at any point: never a fourth contact, and no place in the allowance is lost for good."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from shared.adapters.postgres import invariants, workers
from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.schema import SCHEMA
from shared.adapters.postgres.unit_of_work import PostgresUnitOfWork
from shared.application.contact_attempts import AttemptTold, record_attempt
from shared.application.contact_permits import PermitDesk, release_permit
from shared.application.doubts import ask_providers, expire_leases
from shared.application.permit_facts import Contact, PermitAsked
from shared.application.principal import Principal, Role
from shared.domain.contact_facts import Content, Mandate, Manner
from shared.domain.contact_outcome import ContactOutcome
from shared.domain.contact_rules import parse_rules
from tests.conftest import Database
from tests.domain.seeds import china_pack
from tests.faults.outbound import Outbound, an_outbound

CAP = 3
SENDERS, DIALLERS = 40, 60
WHO = Principal("dialler", frozenset({Role.COLLECTOR, Role.SUPERVISOR}))
CUT = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)
ALL_CHANNELS = {
    "id": "test-three-a-day",
    "kind": "daily_cap",
    "text": "At most three contacts a day, by whatever channel and whoever makes them.",
    "citation": "A rule of this test",
    "strength": "E",
    "verified": True,
    "valid_from": "2000-01-01",
    "parameters": {"max": CAP, "counts": ["sms", "phone"]},
    "vectors": [],
}


class AnyVersion:
    def check(self, version: int) -> None:
        """Whoever cleans up does not care who else did."""


@dataclass
class Rush:
    """``made`` are the contacts that really happened, by whoever made them; only the world knows."""

    out: Outbound
    work: PostgresUnitOfWork
    point_id: UUID
    owner: asyncpg.Connection
    chance: random.Random
    made: list[str] = field(default_factory=list)
    most_counted: int = 0

    async def counted(self) -> int:
        found: int = await self.owner.fetchval("select count(*) from contact_ledger where state <> 'released'")
        self.most_counted = max(self.most_counted, found)
        return found

    async def cut_something(self) -> None:
        """Cut one connection of those at work, wherever in its transaction it is; its process dies with it."""
        await self.owner.execute(
            """
            select pg_terminate_backend(pid) from pg_stat_activity
            where datname = current_database() and application_name = 'rush' order by random() limit 1
            """
        )

    async def dial(self, permit_id: UUID) -> None:
        """A dialler asks, calls where it may, tells; it may die before and after each of the three."""
        contact = Contact(
            customer_id="C1", point_id=self.point_id, channel="phone", purpose="dunning", target="debtor",
            person_id=None, account_ids=(), announcement=False, party="agency", party_name="agency-7",
        )  # fmt: skip
        asked = PermitAsked(
            permit_id=permit_id,
            contact=contact,
            content=Content(),
            manner=Manner(account_registered=True),
            mandate=Mandate(listed=True),
        )
        async with self.work() as tx:
            await PermitDesk(self.out.bank.shelf).ask(tx, asked, WHO)
        if not await self._granted(permit_id):
            return
        if self.chance.random() < 0.25:
            return  # dies before it dials
        self.made.append("phone")
        if self.chance.random() < 0.25:
            return  # dies during the call
        told = AttemptTold(
            attempt_id=uuid4(), permit_id=permit_id, contact=None, outbound=True, outcome=ContactOutcome.RIGHT_PARTY,
            effective_talk=True, talk_seconds=60, recording=None, at=None,
        )  # fmt: skip
        async with self.work() as tx:
            await record_attempt(tx, told, WHO)

    async def _granted(self, permit_id: UUID) -> bool:
        async with self.work() as tx:
            found = await tx.permits_by_id([permit_id])
        return found[permit_id].state == "granted"

    async def send(self, number: int) -> None:
        """A sender marks, hands over, writes down; it may die between any two of them."""
        holder = f"sender-{number}"
        await self.out.register(holder)
        sender = self.out.sender(holder, fence=number)
        sender._work = self.work
        try:
            marked, began = await sender.mark(1)
            if marked and self.chance.random() < 0.75:
                results = await sender.hand_over(marked, began)
                if self.chance.random() < 0.75:
                    await sender.record(results)
        finally:
            async with self.out.bank.pool.acquire() as conn:
                await workers.leave(conn, holder)


@pytest.fixture
async def rush(database: Database, tmp_path: Path) -> AsyncIterator[Rush]:
    async with an_outbound(database, tmp_path) as out:
        await _one_allowance_for_all(database, out)
        await out.overdue("C1")
        pool = await Pool.open(database.dsn(), size=8, application="rush")
        owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": SCHEMA})
        point_id = await owner.fetchval("select point_id from contact_points")
        work = out.work.on(pool, observe=out.clock.observe)
        yield Rush(out, work, point_id, owner, random.Random(20261125))
        await owner.close()
        await pool.close()


async def _one_allowance_for_all(database: Database, out: Outbound) -> None:
    pack = china_pack()
    kept = [rule for rule in pack["rules"] if rule["id"] != "cn-sms-gap"]
    pack = {**pack, "name": "cn-test", "rules": [*kept, ALL_CHANNELS]}
    owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": SCHEMA})
    await owner.execute(
        """
        with kept as (insert into rule_sets (hash, jurisdiction, document, loaded_at)
            values ($1, 'CN', $2::jsonb, '2030-01-01'))
        insert into releases (kind, subject, rule_set, released_at, released_by)
        values ('rules', 'CN', $1, '2030-01-01', 'test')
        """,
        _hash(pack),
        json.dumps(pack, default=str),
    )
    await owner.close()
    await out.bank.shelf.renew()
    found = out.bank.shelf.rules("CN")
    assert found is not None
    assert found.label.startswith("cn-test@")


def _hash(pack: Any) -> str:
    return parse_rules(json.loads(json.dumps(pack, default=str))).hash


async def test_a_hundred_who_die_at_random_make_three_contacts_and_leave_none_lost(rush: Rush) -> None:
    for _ in range(SENDERS):
        await rush.out.plan()
    permits = [uuid4() for _ in range(DIALLERS)]
    tasks = [rush.dial(permit) for permit in permits] + [rush.send(number) for number in range(2, SENDERS + 2)]
    rush.chance.shuffle(tasks)
    over = asyncio.Event()

    async def killer() -> None:
        while not over.is_set():
            await rush.cut_something()
            assert await rush.counted() <= CAP
            await asyncio.sleep(rush.chance.random() / 20)

    killing = asyncio.create_task(killer())
    results = await asyncio.gather(*tasks, return_exceptions=True)
    over.set()
    await killing
    died = [one for one in results if isinstance(one, BaseException)]
    assert all(isinstance(one, CUT) for one in died), [one for one in died if not isinstance(one, CUT)]
    assert died, "nobody was killed: the test shows nothing"

    sent = len(await rush.out.received())
    assert len(rush.made) + sent <= CAP
    assert await rush.counted() <= CAP
    assert rush.most_counted == CAP, "somebody was at the limit"

    await _find_out(rush)
    happened = len(rush.made) + len(await rush.out.received())
    assert await rush.counted() == happened, "what was not used is free again, what happened counts"
    await _use_up(rush, CAP - happened)
    assert await rush.counted() == CAP
    assert len(rush.made) + len(await rush.out.received()) == CAP, "every place was used in the end, and no more"
    async with rush.out.bank.pool.acquire() as conn:
        assert await invariants.check(conn) == []


async def _find_out(rush: Rush) -> None:
    """Afterwards: doubts are asked about; of each open permit somebody says what became of it."""
    await rush.owner.execute("update attempts set asked_at = null, marked_real = marked_real - interval '1 minute'")
    await rush.owner.execute("update attempts set lease_until = now() - interval '1 second' where state = 'sending'")
    await expire_leases(rush.out.work)
    await ask_providers(rush.out.work, rush.out.gateways)
    told = await rush.owner.fetchval("select count(*) from contact_permits where state = 'used'")
    dialled = len(rush.made) - told
    open_ones = [
        row[0] for row in await rush.owner.fetch("select permit_id from contact_permits where state='granted'")
    ]
    for permit_id in open_ones[dialled:]:
        async with rush.out.work() as tx:
            await release_permit(tx, permit_id, "process_died", WHO, AnyVersion())
    assert len(open_ones) >= dialled


async def _use_up(rush: Rush, free: int) -> None:
    """Whatever place is free can be taken; then none is."""
    calm = replace(rush, chance=_Never())
    await rush.owner.execute("update messages set state = 'suppressed', reason = 'test' where state = 'planned'")
    for _ in range(free + 2):
        await calm.dial(uuid4())


class _Never(random.Random):
    def random(self) -> float:
        return 1.0
