"""The gate's facts and proposals as plain documents and back: stored with a decision, so that it can be replayed.

A document holds only what differs from a field's default. Instants are kept in UTC, which is the same instant. Ids are
in it, names, numbers and addresses never: the facts have none.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import UTC, date, datetime, time
from functools import cache
from types import MappingProxyType
from typing import Any, Union, get_args, get_origin, get_type_hints

from shared.domain.contact_facts import ContactFacts, PastContact, Proposal
from shared.domain.document import DocumentError, Section, read_day

Document = dict[str, Any]
_Reader = Callable[[Any, str], Any]


def facts_to_document(facts: ContactFacts) -> Document:
    """JSON-able: mappings, lists, texts, whole numbers, true and false."""
    return _fields_of(facts)


def facts_from_document(document: Mapping[str, Any]) -> ContactFacts:
    """The facts that were written. Raises DocumentError naming the path; a key that is not known is refused."""
    facts: ContactFacts = _record(ContactFacts)(
        {"zone": None, "jurisdiction": None, "point_source": None, **document}, "facts"
    )
    return facts


def proposal_to_document(proposal: Proposal) -> Document:
    return _fields_of(proposal)


def proposal_from_document(document: Mapping[str, Any]) -> Proposal:
    """Raises DocumentError naming the path."""
    proposal: Proposal = _record(Proposal)(document, "proposal")
    return proposal


def history_from_document(document: object, path: str = "history") -> tuple[PastContact, ...]:
    """A list of past contacts, as ``facts_to_document`` writes them. Raises DocumentError naming the path."""
    history: tuple[PastContact, ...] = _items(PastContact)(document, path)
    return history


def plain(value: Any) -> Any:
    """One value of a fact, as documents write it. Raises TypeError for what is no fact."""
    return _written(value)


def _fields_of(record: Any) -> Document:
    written = {}
    for name, default in _defaults(record.__class__):
        value = getattr(record, name)
        if value is not default and value != default:
            written[name] = _written(value)
    return written


@cache
def _defaults(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Each field with its default, which is a value that nobody can change."""
    return tuple((each.name, _default(each)) for each in fields(kind))


def _default(of: Field[Any]) -> Any:
    if of.default_factory is not MISSING:
        return of.default_factory()
    return None if of.default is MISSING else of.default


def _written(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {_written(key): _written(item) for key, item in sorted(value.items())}
    if isinstance(value, frozenset):
        return [_written(item) for item in sorted(value)]
    if isinstance(value, tuple):
        return [_written(item) for item in value]
    if is_dataclass(value):
        return _fields_of(value)
    raise TypeError(f"a {type(value).__name__} is no fact")


@cache
def _record(kind: type[Any]) -> _Reader:
    """A reader of one dataclass: fields that are absent have their default, None where they have none."""
    hints = get_type_hints(kind)
    readers = {each.name: _reader(hints[each.name]) for each in fields(kind)}
    defaults = {each.name: each for each in fields(kind)}

    def read(document: Any, path: str) -> Any:
        section = Section(document, path)
        values: dict[str, Any] = {}
        for name, reader in readers.items():
            if name in section.names():
                values[name] = reader(section.raw(name, None), section.at(name))
            elif defaults[name].default is MISSING and defaults[name].default_factory is MISSING:
                raise DocumentError(section.at(name), "is missing")
        section.finish()
        try:
            return kind(**values)
        except ValueError as wrong:
            raise DocumentError(path, str(wrong)) from None

    return read


def _reader(hint: Any) -> _Reader:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        (known,) = (each for each in inner if each is not type(None))
        reader = _reader(known)
        return lambda value, path: None if value is None else reader(value, path)
    if origin is frozenset:
        items = _items(inner[0])
        return lambda value, path: frozenset(items(value, path))
    if origin is tuple:
        return _items(inner[0]) if inner[-1] is Ellipsis else _row(inner)
    if origin is Mapping:
        return _mapping(*inner)
    return _SCALARS[hint] if hint in _SCALARS else _record(hint)


def _items(inner: Any) -> _Reader:
    reader = _reader(inner)

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list | tuple):
            raise DocumentError(path, "must be a list")
        return tuple(reader(item, f"{path}[{index}]") for index, item in enumerate(value))

    return read


def _row(inner: tuple[Any, ...]) -> _Reader:
    readers = [_reader(each) for each in inner]

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, list | tuple) or len(value) != len(readers):
            raise DocumentError(path, f"must be a list of {len(readers)}")
        return tuple(reader(item, path) for reader, item in zip(readers, value, strict=True))

    return read


def _mapping(keys: Any, values: Any) -> _Reader:
    key_reader, value_reader = _reader(keys), _reader(values)

    def read(value: Any, path: str) -> Any:
        if not isinstance(value, Mapping):
            raise DocumentError(path, "must be a mapping")
        read = {key_reader(key, path): value_reader(item, f"{path}.{key}") for key, item in value.items()}
        return MappingProxyType(read)

    return read


def _text(value: Any, path: str) -> str:
    if not isinstance(value, str):
        raise DocumentError(path, "must be a text")
    return value


def _flag(value: Any, path: str) -> bool:
    if not isinstance(value, bool):
        raise DocumentError(path, "must be true or false")
    return value


def _whole(value: Any, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise DocumentError(path, "must be a whole number")
    return value


def _instant(value: Any, path: str) -> datetime:
    try:
        instant = datetime.fromisoformat(_text(value, path))
    except ValueError:
        raise DocumentError(path, f"{value!r} is not an instant (RFC 3339)") from None
    if instant.tzinfo is None:
        raise DocumentError(path, f"{value!r} carries no offset")
    return instant.astimezone(UTC)


def _day(value: Any, path: str) -> date:
    try:
        return read_day(value)
    except ValueError as wrong:
        raise DocumentError(path, str(wrong)) from None


def _clock(value: Any, path: str) -> time:
    try:
        clock = time.fromisoformat(_text(value, path))
    except ValueError:
        raise DocumentError(path, f"{value!r} is not a local time (HH:MM)") from None
    if clock.tzinfo is not None:
        raise DocumentError(path, f"{value!r} is not a local time")
    return clock


_SCALARS: Mapping[Any, _Reader] = MappingProxyType(
    {str: _text, bool: _flag, int: _whole, datetime: _instant, date: _day, time: _clock}
)
