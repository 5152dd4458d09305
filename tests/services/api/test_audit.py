"""The audit trail proves itself: a changed, removed or cut-off entry is found."""

import asyncio

import pytest

from shared.adapters.postgres.audit import Head, append, head, verify_chain
from shared.application.principal import Role


async def write(portfolio, count):
    for number in range(count):
        async with portfolio.deps.work() as tx:
            detail = {"fields": ["name", "手机"], "n": number, "nested": {"b": 1, "a": None}}
            await append(tx.conn, "li.na", "customer.unmasked", f"customer/C-{number}", detail, at=tx.now)


@pytest.mark.parametrize(
    ("statement", "broken"),
    [
        ("update audit set detail = '{}' where entry = 2", 2),
        ("update audit set actor = 'somebody' where entry = 3", 3),
        ("update audit set at = at + interval '1 us' where entry = 1", 1),
        ("delete from audit where entry = 2", 3),
        ("update audit set hash = sha256('x') where entry = 2", 2),
        ("update audit set previous = hash where entry = 3", 3),
    ],
)
async def test_a_changed_row_breaks_the_chain_where_it_was_changed(portfolio, owner, statement, broken):
    await write(portfolio, 4)
    assert await verify_chain(owner) is None
    await owner.execute(statement)
    assert await verify_chain(owner) == broken


async def test_a_chain_whose_end_was_cut_off_is_found_by_its_noted_head(portfolio, owner):
    await write(portfolio, 3)
    noted = await head(owner)
    await write(portfolio, 1)
    assert await verify_chain(owner, head=noted) is None
    await owner.execute("delete from audit where entry >= 3")
    assert await verify_chain(owner) is None
    assert await verify_chain(owner, head=noted) == 3
    assert await verify_chain(owner, head=Head(1, b"another")) == 1


async def test_entries_written_at_the_same_time_make_one_line(portfolio, owner):
    async def unmask(number):
        async with portfolio.deps.work() as tx:
            await append(tx.conn, "x", "y", f"z/{number}", {"n": number})

    await asyncio.gather(*(unmask(number) for number in range(20)))
    assert await owner.fetchval("select count(*) from audit") == 20
    assert await verify_chain(owner) is None


async def test_an_act_that_fails_leaves_no_entry(portfolio, owner):
    async def fail():
        async with portfolio.deps.work() as tx:
            await append(tx.conn, "x", "y", "z/1", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    await write(portfolio, 1)
    assert await owner.fetchval("select count(*) from audit") == 1
    assert await verify_chain(owner) is None


async def test_compliance_and_auditors_read_the_trail(portfolio):
    await write(portfolio, 3)
    for role in (Role.COMPLIANCE, Role.AUDITOR):
        async with portfolio.as_(role) as client:
            entries = (await client.get("/v1/audit")).json()["items"]
            assert [each["subject"] for each in entries] == ["customer/C-2", "customer/C-1", "customer/C-0"]
            assert entries[0]["previous"] == entries[1]["hash"]
            (one,) = (await client.get("/v1/audit?subject=customer/C-1&actor=li.na")).json()["items"]
            assert one == entries[1]
            assert (await client.get("/v1/audit/head")).json() == {k: entries[0][k] for k in ("entry", "hash")}
            assert (await client.get("/v1/audit?until=2026-01-01T00:00:00Z")).json()["items"] == []
    for role in (Role.COLLECTOR, Role.SUPERVISOR, Role.OPERATIONS, Role.ADMIN):
        async with portfolio.as_(role) as client:
            assert (await client.get("/v1/audit")).status_code == 403
