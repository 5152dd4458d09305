"""Which schema this code was written for, and how a process refuses a database that has another one.

Apart from ``migrate``, so that a process that has nothing to migrate does not load the tools for it.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import asyncpg

SCHEMA = "arrears"
SERVICE_ROLE = "arrears_service"
MIGRATIONS = Path(__file__).parent / "migrations"
OLDEST_SERVER = 17  # the first with transaction_timeout, which ends what a frozen process holds
SERVER_VERSION = "select current_setting('server_version_num')::int"

_REVISION = re.compile(r"""^revision(?:: str)? = ["'](\w+)["']""", re.MULTILINE)
_FOLLOWS = re.compile(r"""^down_revision(?:: [^=]+)? = ["'](\w+)["']""", re.MULTILINE)


class SchemaMismatchError(RuntimeError):
    """The database's schema is not the one that this code was written for."""


class ServerTooOldError(RuntimeError):
    """The database server is older than what this code needs."""


class OwnerRefusedError(RuntimeError):
    """A service is connected as the owner of the tables, who may do more than a service should."""


@cache
def expected_revision() -> str | None:
    """The newest revision that this code knows: the one that no other follows; None before the first."""
    texts = [path.read_text(encoding="utf-8") for path in (MIGRATIONS / "versions").glob("*.py")]
    followed = {found[1] for text in texts if (found := _FOLLOWS.search(text))}
    newest = {found[1] for text in texts if (found := _REVISION.search(text))} - followed
    if len(newest) > 1:
        raise RuntimeError(f"the migrations end in several revisions: {', '.join(sorted(newest))}")
    return next(iter(newest), None)


async def revision_of(connection: asyncpg.Connection) -> str | None:
    """The revision that a database is at; None when our schema is not there."""
    known = await connection.fetchval("select to_regclass($1)", f"{SCHEMA}.alembic_version")
    found = await connection.fetchval(f"select version_num from {SCHEMA}.alembic_version") if known else None  # noqa: S608 - constants
    return str(found) if found else None


def check_server(version: int) -> None:
    """Raise ``ServerTooOldError`` unless ``version``, the answer to ``SERVER_VERSION`` (180004 is 18.4), will do."""
    major, minor = divmod(version, 10_000)
    if major < OLDEST_SERVER:
        raise ServerTooOldError(
            f"the database server is PostgreSQL {major}.{minor}, this version needs PostgreSQL {OLDEST_SERVER} or later"
        )


async def check_schema(connection: asyncpg.Connection) -> None:
    """Raise ``SchemaMismatchError`` unless the database is at the revision that this code was written for."""
    found = await revision_of(connection)
    if found != expected_revision():
        raise SchemaMismatchError(
            f"the database is at schema revision {found or '(none)'}, this version needs {expected_revision()}: "
            "run `arrears migrate` with this version, or run the version that fits the database"
        )


async def refuse_owner(connection: asyncpg.Connection) -> None:
    """Raise ``OwnerRefusedError`` when the connected role owns our tables, or may act as their owner."""
    owns = await connection.fetchval(
        """
        select exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = $1 and c.relkind in ('r', 'p') and pg_has_role(c.relowner, 'member')
        )
        """,
        SCHEMA,
    )
    if owns:
        role = await connection.fetchval("select current_user")
        raise OwnerRefusedError(f"connected as {role}, which owns the tables: connect as a member of {SERVICE_ROLE}")
