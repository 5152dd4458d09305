"""Who is at work, and who is known to have died: by a neighbour, by a successor, never by silence."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from shared.adapters.postgres import workers
from shared.adapters.postgres.workers import Birth
from shared.runtime.process_identity import birth_of, host_name, is_gone

HERE = host_name()


@pytest.fixture
def neighbour() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, start_new_session=True
    )
    yield process
    process.kill()
    process.communicate()


async def dead(pool: asyncpg.Pool) -> set[str]:
    return {row[0] for row in await pool.fetch("select instance from workers where dead")}


def born(process: subprocess.Popen[bytes], **changes: Any) -> Birth:
    given: dict[str, Any] = {"host": HERE, "pid": process.pid, "birth": birth_of(process.pid)}
    return Birth(**(given | changes))


async def test_each_process_has_a_fence_above_all_before_it(pool: asyncpg.Pool) -> None:
    fences = [await workers.register(pool, f"w{number}", "notifier") for number in range(3)]
    await workers.leave(pool, "w2")
    fences.append(await workers.register(pool, "other", "api"))
    assert fences == sorted(set(fences))


async def test_a_neighbour_buries_what_was_killed_and_not_what_was_stopped(
    pool: asyncpg.Pool, neighbour: subprocess.Popen[bytes]
) -> None:
    await workers.register(pool, "notifier-1", "notifier", born(neighbour))
    assert await workers.bury_neighbours(pool, HERE, is_gone) == []
    neighbour.send_signal(signal.SIGSTOP)
    await pool.execute("update workers set beat_at = now() - interval '1 day'")
    assert await workers.bury_neighbours(pool, HERE, is_gone) == [], "silent for a day, and it may go on"
    neighbour.kill()
    neighbour.wait()
    assert await workers.bury_neighbours(pool, HERE, is_gone) == ["notifier-1"]
    assert await workers.bury_neighbours(pool, HERE, is_gone) == [], "once"
    assert await dead(pool) == {"notifier-1"}
    assert await pool.fetchval("select ended_at is not null from workers")


async def test_a_number_that_was_given_out_again_is_another_process(
    pool: asyncpg.Pool, neighbour: subprocess.Popen[bytes]
) -> None:
    await workers.register(pool, "notifier-1", "notifier", born(neighbour, birth="1"))
    await workers.register(pool, "notifier-2", "notifier", born(neighbour))
    assert await workers.bury_neighbours(pool, HERE, is_gone) == ["notifier-1"]


async def test_of_other_machines_and_of_unknown_births_nobody_here_can_say(
    pool: asyncpg.Pool, neighbour: subprocess.Popen[bytes]
) -> None:
    await workers.register(pool, "elsewhere", "notifier", born(neighbour, host="another/boot", birth="1"))
    await workers.register(pool, "unborn", "notifier")
    assert await workers.bury_neighbours(pool, HERE, is_gone) == []


async def test_a_successor_under_a_name_buries_its_predecessor_of_the_same_service(pool: asyncpg.Pool) -> None:
    await workers.register(pool, "n-old", "notifier", Birth(name="0"))
    await workers.register(pool, "n-other", "notifier", Birth(name="1"))
    await workers.register(pool, "api-0", "api", Birth(name="0"))
    await workers.register(pool, "nameless", "notifier")
    await workers.register(pool, "n-new", "notifier", Birth(name="0"))
    assert await dead(pool) == {"n-old"}


async def test_a_graceful_end_is_known(pool: asyncpg.Pool) -> None:
    await workers.register(pool, "n-1", "notifier")
    await workers.leave(pool, "n-1")
    assert await dead(pool) == {"n-1"}
