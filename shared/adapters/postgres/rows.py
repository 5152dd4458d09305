"""Set-based writes: one statement per table and transaction, whatever the number of rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson

COPY_FROM = 50  # rows; below it, COPY's extra round trip costs more than it saves

_PLACEHOLDER = re.compile(r"\$(\d+)")


class RawJson(bytes):
    """JSON that is written as it is; the connection's encoder passes it through."""


class Rows:
    """How rows of one table are written. ``columns`` maps names to PostgreSQL types, in the order of the tuples."""

    def __init__(self, table: str, columns: dict[str, str], conflict: str = "") -> None:
        self.table = table
        self.names = tuple(columns)
        self._plain = not conflict
        self._json = [index for index, kind in enumerate(columns.values()) if kind == "jsonb"]
        arrays = ", ".join(f"${index}::{kind}[]" for index, kind in enumerate(columns.values(), 1))
        names = ", ".join(self.names)
        self.sql = f"insert into {table} ({names}) select * from unnest({arrays}) {conflict}"  # noqa: S608 - constants

    async def write(self, conn: Any, rows: Iterable[Sequence[Any]]) -> None:
        batch = list(rows)
        if not batch:
            return
        if self._plain and len(batch) >= COPY_FROM:
            await conn.copy_records_to_table(
                self.table.removeprefix("arrears."), schema_name="arrears", columns=self.names, records=batch
            )
            return
        arrays = [list(column) for column in zip(*batch, strict=True)]
        for index in self._json:  # a list of lists would be taken for an array of two dimensions
            arrays[index] = [as_json(value) for value in arrays[index]]
        await conn.execute(self.sql, *arrays)


class Together:
    """Stands for a connection while rows of several tables are written: what is not copied goes as one statement.

    The parts run in no order and do not see each other, so no two of them may be about one row."""

    def __init__(self, conn: Any) -> None:
        self._conn = conn
        self._parts: list[tuple[str, Sequence[Any]]] = []

    async def copy_records_to_table(self, table: str, **copied: Any) -> None:
        await self._conn.copy_records_to_table(table, **copied)

    async def execute(self, statement: str, *args: Any) -> None:
        self._parts.append((statement, args))

    async def send(self) -> None:
        parts, self._parts = self._parts, []
        if len(parts) == 1:
            await self._conn.execute(parts[0][0], *parts[0][1])
        elif parts:
            statement = _joined(tuple((statement, len(args)) for statement, args in parts))
            await self._conn.execute(statement, *(arg for _, args in parts for arg in args))


@lru_cache(maxsize=512)
def _joined(parts: tuple[tuple[str, int], ...]) -> str:
    """One statement of several, their arguments in a row."""
    named, before = [], 0
    for index, (statement, count) in enumerate(parts):
        shifted = _PLACEHOLDER.sub(lambda found, by=before: f"${int(found[1]) + by}", statement)  # type: ignore[misc]
        named.append(f"part_{index} as ({shifted})")
        before += count
    return f"with {', '.join(named)} select"


def as_json(value: Any) -> bytes | None:
    """A value for an array of jsonb; the driver would take a list of lists for an array of two dimensions."""
    return value if value is None or isinstance(value, bytes) else orjson.dumps(value, default=dict)


def set_all(*names: str) -> str:
    """The SET list of an upsert."""
    return ", ".join(f"{name} = excluded.{name}" for name in names)
