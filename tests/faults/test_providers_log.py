"""What the providers' log would show if we had done wrong is seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from services.demo_report import LogCheck, check_log
from tests.conftest import Database
from tests.faults.outbound import Outbound, an_outbound

Tamper = Callable[[list[dict[str, Any]]], object]


@pytest.fixture
async def out(database: Database, tmp_path: Path) -> AsyncIterator[Outbound]:
    async with an_outbound(database, tmp_path) as outbound:
        await outbound.overdue("C1", email="li@example.com")
        for _ in range(3):
            await outbound.plan_answer()
        await outbound.plan(channels=("email",), template="overdue-details")
        while await outbound.loop().send_once():
            pass
        yield outbound


async def check(out: Outbound, home: Path, tamper: Tamper) -> LogCheck:
    entries = await out.received()
    tamper(entries)
    log = home / "tampered.ndjson"
    log.write_bytes(b"".join(orjson.dumps(entry) + b"\n" for entry in entries))
    async with out.bank.pool.acquire() as conn:
        return await check_log(conn, log)


def at_night(entries: list[dict[str, Any]]) -> None:
    entries[0]["business_at"] = "2026-06-30T14:00:00+00:00"


def once_more(entries: list[dict[str, Any]]) -> None:
    entries.append({**entries[0], "copy": 2})


async def test_the_log_of_what_was_really_sent_is_well(out: Outbound, tmp_path: Path) -> None:
    found = await check(out, tmp_path, lambda entries: None)
    assert (found.entries, found.broken) == (4, False)


@pytest.mark.parametrize(
    ("tamper", "seen"),
    [
        (at_night, {"outside_hours", "unlike"}),
        (once_more, {"over_cap", "second_copies", "repeated"}),
        (lambda entries: entries[0].update(reference="00000000-0000-0000-0000-000000000000"), {"unknown"}),
        (lambda entries: entries[0].update(group="another message"), {"unlike"}),
        (lambda entries: entries[0].update(business_at="2026-06-30T04:00:05+00:00"), {"unlike"}),
    ],
)
async def test_a_wrong_entry_is_seen(out: Outbound, tmp_path: Path, tamper: Tamper, seen: set[str]) -> None:
    found = await check(out, tmp_path, tamper)
    lists = ("outside_hours", "over_cap", "second_copies", "unknown", "repeated", "unlike")
    assert {name for name in lists if getattr(found, name)} == seen
    assert found.broken
