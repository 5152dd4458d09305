"""The directory that the demo works in, and empties: its own, or one that holds nothing of value."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg

from shared.runtime.embedded_postgres import EmbeddedPostgres
from shared.runtime.ownership import LockTimeoutError, file_lock

OWN = Path(".arrears/demo")
MARK = "demo.mark"
_LEFT_BEHIND = {"suite.lock", "suite.name", "lock", "owners", "logs"}  # by every start, how early it may fail
_OF_THE_DATABASE = {"pgdata", "socket", "postgres.log", "keys.json", "issuer.json"}  # nothing of value without its data


class HomeRefused(RuntimeError):
    """It would be emptied, and holds something; the message says what."""


def prepare_home(home: Path) -> None:
    """Empty it, and mark it as the demo's. Raises HomeRefused."""
    reason = _reason_to_keep(home) if home.exists() else None
    if reason:
        raise HomeRefused(f"{home} would be emptied, but {reason}")
    EmbeddedPostgres(home).destroy()  # its data may lie elsewhere, where the server's account can reach it
    home.mkdir(parents=True, exist_ok=True)
    (home / MARK).touch()


def _reason_to_keep(home: Path) -> str | None:
    if not home.is_dir():
        return "is no directory"
    if _in_use(home / "suite.lock"):
        return "a suite runs on it"
    if (home / MARK).exists() or home == OWN:
        return None
    harmless = set(_LEFT_BEHIND)
    if (home / "pgdata").exists():
        if asyncio.run(_holds_data(home)):
            return "holds the data of a suite"
        harmless |= _OF_THE_DATABASE
    if not _holds_messages(home / "sandbox"):
        harmless.add("sandbox")
    others = sorted(path.name for path in home.iterdir() if path.name not in harmless)
    return f"holds {others[0]}, which is not the demo's" if others else None


def _in_use(lock: Path) -> bool:
    if not lock.exists():
        return False
    try:
        with file_lock(lock, timeout=0):
            return False
    except LockTimeoutError:
        return True


def _holds_messages(sandbox: Path) -> bool:
    """A log of what was sent, or anything that is not the sandbox's."""
    return sandbox.exists() and any(path.name != "log.ndjson" or path.stat().st_size for path in sandbox.iterdir())


async def _holds_data(home: Path) -> bool:
    """Whether anybody is in the database of a suite, or did anything there."""
    postgres = EmbeddedPostgres(home)
    try:
        conn = await asyncpg.connect(await asyncio.to_thread(postgres.start))
        try:
            if await conn.fetchval("select to_regclass('arrears.customers') is null"):
                return False
            asked = "select exists (select from arrears.customers) or exists (select from arrears.audit)"
            return bool(await conn.fetchval(asked))
        finally:
            await conn.close()
    finally:
        postgres.stop()
