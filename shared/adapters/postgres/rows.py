"""Set-based writes: one statement per table and transaction, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

COPY_FROM = 50  # rows; below it, COPY's extra round trip costs more than it saves


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


def as_json(value: Any) -> bytes | None:
    """A value for an array of jsonb; the driver would take a list of lists for an array of two dimensions."""
    return value if value is None or isinstance(value, bytes) else orjson.dumps(value)


def set_all(*names: str) -> str:
    """The SET list of an upsert."""
    return ", ".join(f"{name} = excluded.{name}" for name in names)
