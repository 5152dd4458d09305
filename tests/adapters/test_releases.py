"""A new pack comes into force with what the bank signed laid over it anew, or not at all."""

import copy
import json
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from shared.adapters.postgres.pool import Pool
from shared.adapters.postgres.releases import release_packs, release_texts
from shared.adapters.postgres.shelf import Shelf, seed
from shared.domain.contact_rules import parse_rules
from shared.domain.document import DocumentError
from shared.domain.templates import Template
from tests.domain.seeds import china_pack

AT = datetime(2026, 7, 1, tzinfo=UTC)
EARLIER = {"rule": "cn-quiet-hours-cba", "from": "2026-07-10", "parameters": {"from": "20:00"}, "why": "evenings"}


@pytest.fixture
async def pool(database):
    pool = await Pool.open(database.dsn(), size=2)
    async with pool.acquire() as conn:
        await seed(conn, AT)
    yield pool
    await pool.close()


async def signed(pool, change):
    document = {"overlay_of": "cn", "name": "bank", "version": 1, "changes": [change], "add": [], "add_texts": []}
    await pool.execute(
        """
        insert into contact_overlays (overlay_id, jurisdiction, version, document, starts, reason, loosens, base, state,
            proposed_by, proposed_at, signed_by, signed_at)
        values ($1, 'CN', 1, $2, '2026-07-10', 'r', '[]', '', 'signed', 'a', $3, 'b', $3)
        """,
        uuid4(), document, AT,
    )  # fmt: skip


def newer(**changes):
    """The pack's next version: ``changes`` are of rules by id, None takes one out."""
    pack = json.loads(json.dumps(copy.deepcopy(china_pack()), default=str)) | {"version": 99}
    rules = [
        rule | (changes.get(rule["id"]) or {}) for rule in pack["rules"] if changes.get(rule["id"], {}) is not None
    ]
    return pack | {"rules": rules}


async def release(pool, pack):
    async with pool.acquire() as conn, conn.transaction():
        await release_packs(conn, [(pack, parse_rules(pack))], AT, "seed")


async def in_force(pool):
    shelf = Shelf(pool)
    await shelf.renew()
    return shelf.rules("CN")


async def test_seeding_again_releases_nothing(pool):
    before = await pool.fetchval("select count(*) from releases")
    async with pool.acquire() as conn:
        await seed(conn, AT)
    assert await pool.fetchval("select count(*) from releases") == before


async def test_a_new_pack_keeps_what_the_bank_signed(pool):
    await signed(pool, EARLIER)
    await release(pool, newer())
    rules = await in_force(pool)
    assert (rules.name, rules.rule("cn-quiet-hours-cba").parameters["from"]) == ("cn+bank", "20:00")


@pytest.mark.parametrize(
    ("pack", "where"),
    [
        (newer(**{"cn-call-ends-in-time": None}), "no cn-call-ends-in-time"),
        (newer(**{"cn-call-ends-in-time": {"strength": "L"}}), "which is the law"),
    ],
)
async def test_a_pack_that_does_not_bear_it_is_refused_and_the_old_one_stays(pool, pack, where):
    sign = {"by": "b", "on": "2026-07-01", "why": "calls are short"}
    await signed(pool, {"rule": "cn-call-ends-in-time", "from": "2026-07-10", "parameters": {"minutes": 5}, "why": "w",
                        "signed_off": sign})  # fmt: skip
    with pytest.raises(DocumentError, match=where):
        await release(pool, pack)
    assert (await in_force(pool)).version != 99


@pytest.mark.parametrize(("wrote", "state"), [("zhao.min", "draft"), ("seed", "approved")])
async def test_a_text_that_ships_does_not_replace_one_of_the_banks_own(pool, wrote, state):
    await pool.execute(
        "update templates set created_by = $1 where key = 'overdue-first' and language = 'en' and channel = 'sms'",
        wrote,
    )
    body = "【{{ bank }}】Card {{ card_last4 }}: {{ past_due }}. {{ hotline }} {{ opt_out }}"
    used = ("bank", "card_last4", "hotline", "opt_out", "past_due")
    async with pool.acquire() as conn, conn.transaction():
        newer = Template("overdue-first", 2, "en", "sms", "dunning", None, body, used)
        await release_texts(conn, [newer], AT, "seed")
    assert await pool.fetchval("select state from templates where key = 'overdue-first' and version = 2") == state
