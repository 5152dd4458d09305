"""Read lines of CSV as events: one event type a file, a column for each field.

Fields of nested objects have dotted names (``balances.principal``); lists and the customer are JSON in a cell. One
record is one line: a line break inside a cell is refused. The event's id is a hash of its type and natural key, so that
a file sent twice, or in other pieces, says the same events.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from datetime import datetime
from hashlib import sha256
from types import MappingProxyType, UnionType
from typing import Any, get_args, get_type_hints

import msgspec

from shared.application.facts import InboundEvent, Refused, read_fact
from shared.domain.inbound import FACT_TYPES, Problem

NATURAL_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "delinquency.reported.v1": ("account_id", "currency", "sequence"),
        "payment.posted.v1": ("payment_id",),
        "payment.reversed.v1": ("reversal_id",),
        "customer.updated.v1": ("customer_id", "customer.version"),
        "account.charged_off.v1": ("account_id", "currency"),
        "account.closed.v1": ("account_id", "currency", "sequence"),
        "customer.merged.v1": ("from_customer_id", "into_customer_id"),
    }
)
_WHOLE = re.compile(r"-?[0-9]{1,19}")


class BadHeader(ValueError):
    """The header row does not fit the event type. ``problems`` name the columns."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(f"column {problem.field} {problem.reason}" for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, slots=True)
class Column:
    path: tuple[str, ...]
    required: bool
    read: Callable[[str], Any]

    @property
    def name(self) -> str:
        return ".".join(self.path)


def columns_of(kind: str) -> dict[str, Column]:
    """The columns that a file of an event type may have, by name."""
    return {column.name: column for column in _columns(FACT_TYPES[kind], (), required=True)}


def _columns(struct: Any, at: tuple[str, ...], *, required: bool) -> list[Column]:
    found = []
    hints = get_type_hints(struct)
    for field in fields(struct):
        path = (*at, field.name)
        needed = required and field.default is MISSING and field.default_factory is MISSING
        kind = _without_none(hints[field.name])
        if is_dataclass(kind) and field.name == "balances":
            found += _columns(kind, path, required=needed)
        else:
            found.append(Column(path, needed, _reader(kind)))
    return found


def _without_none(hint: Any) -> Any:
    if isinstance(hint, UnionType):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def _reader(kind: Any) -> Callable[[str], Any]:
    if kind is int:
        return _whole
    if is_dataclass(kind) or get_args(kind)[-1:] == (...,):
        return _json
    return str


def _whole(cell: str) -> Any:
    return int(cell) if _WHOLE.fullmatch(cell) else cell  # what is no number is refused by name, like in JSON


def _json(cell: str) -> Any:
    return msgspec.Raw(cell.encode())


class CsvReader:
    """Reads the lines of one file after its header."""

    def __init__(self, kind: str, source: str, header: bytes) -> None:
        """Raises ``BadHeader`` for a missing, unknown or repeated column, ``ValueError`` for what is no CSV at all."""
        self._kind = kind
        self._source = source
        known = columns_of(kind)
        try:
            names = [_clean(name) for name in _cells(header.removeprefix(b"\xef\xbb\xbf"))]
        except csv.Error as error:
            raise ValueError("the header is not a CSV record") from error
        problems = [Problem(name, f"is not a column of {kind}") for name in names if name not in known]
        problems += [Problem(name, "is there more than once") for name in sorted(set(names)) if names.count(name) > 1]
        problems += [Problem(c.name, "is missing") for c in known.values() if c.required and c.name not in names]
        if problems:
            raise BadHeader(problems)
        self._columns = [known[name] for name in names]

    def read(self, line: bytes, now: datetime) -> InboundEvent | Refused:
        """One record."""
        try:
            cells = _cells(line)
        except (csv.Error, UnicodeDecodeError) as error:
            reason = "is not valid UTF-8" if isinstance(error, UnicodeDecodeError) else f"is not a CSV record: {error}"
            return Refused((Problem("", reason),))
        if len(cells) != len(self._columns):
            return Refused((Problem("", f"has {len(cells)} cells where the header has {len(self._columns)}"),))
        document, problem = self._document(cells)
        if problem is not None:
            return Refused((problem,))
        read = read_fact(self._source, self._id(document), self._kind, msgspec.json.encode(document), now)
        return read if isinstance(read, InboundEvent) else _by_column(read)

    def _document(self, cells: Sequence[str]) -> tuple[dict[str, Any], Problem | None]:
        document: dict[str, Any] = {}
        for column, cell in zip(self._columns, cells, strict=True):
            if cell == "" and not column.required:
                continue
            value = column.read(cell)
            if isinstance(value, msgspec.Raw) and not _is_json(value):
                return {}, Problem(column.name, "is not JSON")
            place = document
            for step in column.path[:-1]:
                place = place.setdefault(step, {})
            place[column.path[-1]] = value
        return document, None

    def _id(self, document: Mapping[str, Any]) -> str:
        parts = [self._kind, *(_value_at(document, path.split(".")) for path in NATURAL_KEYS[self._kind])]
        return sha256("\x1f".join(parts).encode()).hexdigest()


def _cells(line: bytes) -> list[str]:
    if b"\0" in line:
        raise csv.Error("it contains the character NUL")
    if line.count(b'"') % 2:  # half of a record with a line break in a cell; its second half could pass for a whole one
        raise csv.Error("a quote in it is not closed")
    return next(csv.reader([line.rstrip(b"\r").decode()], strict=True), [])


def _clean(name: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in name.strip())[:60]


def _is_json(raw: msgspec.Raw) -> bool:
    try:
        msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _value_at(document: Mapping[str, Any], path: Sequence[str]) -> str:
    value: Any = document
    for step in path:
        if isinstance(value, msgspec.Raw):
            value = msgspec.json.decode(value)
        value = value.get(step, "") if isinstance(value, Mapping) else ""
    return str(value)


def _by_column(refused: Refused) -> Refused:
    """Problems under the names of columns instead of JSON pointers."""
    named = (
        Problem(problem.field.removeprefix("/data").strip("/").replace("/", "."), problem.reason)
        for problem in refused.problems
    )
    return Refused(tuple(named), refused.source, refused.id)
