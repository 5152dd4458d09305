"""Read a parsed JSON or YAML document strictly: every error names the path, unknown keys are refused.

Policies, rule packs, calendars and templates are data that people write; a misspelt key that is silently ignored
would be a rule that silently does not hold.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, time
from typing import Any, TypeVar

T = TypeVar("T")
REQUIRED: Any = object()


class DocumentError(ValueError):
    """What is wrong and where, for example ``ladders[0].steps[2].day: must be a whole number``."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem


class Section:
    """One mapping of a document. Every reader takes the key and, when the key may be absent, a default."""

    __slots__ = ("_seen", "_values", "path")

    def __init__(self, values: object, path: str = "document") -> None:
        if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
            raise DocumentError(path, "must be a mapping with text keys")
        self._values: Mapping[str, object] = values
        self._seen: set[str] = set()
        self.path = path

    def at(self, key: str) -> str:
        return f"{self.path}.{key}"

    def names(self) -> tuple[str, ...]:
        return tuple(self._values)

    def raw(self, key: str, default: Any = REQUIRED) -> Any:
        self._seen.add(key)
        value = self._values.get(key)
        if value is not None:
            return value
        if default is REQUIRED:
            raise DocumentError(self.at(key), "is missing")
        return default

    def finish(self) -> None:
        """Refuse keys that nobody has read."""
        unknown = sorted(set(self._values) - self._seen)
        if unknown:
            raise DocumentError(self.at(unknown[0]), "is not a known key")

    def text(self, key: str, default: Any = REQUIRED) -> str:
        return self._read(key, default, _text)

    def line(self, key: str) -> str:
        """A name or key: a text without a line feed or another control character."""
        return self._read(key, REQUIRED, _line)

    def optional_line(self, key: str) -> str | None:
        return self._read(key, None, _line)

    def optional_text(self, key: str) -> str | None:
        return self._read(key, None, _text)

    def word(self, key: str, allowed: Collection[str], default: Any = REQUIRED) -> str:
        return self._read(key, default, lambda value: _one_of(_text(value), allowed))

    def words(self, key: str, allowed: Collection[str] | None = None, default: Any = REQUIRED) -> tuple[str, ...]:
        return self._read(key, default, lambda value: _words(value, allowed))

    def whole(self, key: str, default: Any = REQUIRED, *, low: int = 0, high: int = 10**15) -> int:
        return self._read(key, default, lambda value: _whole(value, low, high))

    def amounts(self, key: str, default: Any = REQUIRED) -> dict[str, int]:
        """A mapping of currency (or other word) to a whole number of minor units."""
        return self._read(key, default, _amounts)

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        return self._read(key, default, _flag)

    def day(self, key: str, default: Any = REQUIRED) -> date:
        return self._read(key, default, read_day)

    def optional_day(self, key: str) -> date | None:
        return self._read(key, None, read_day)

    def clock(self, key: str, default: Any = REQUIRED) -> time:
        """A local time written ``"HH:MM"``. Quoted, because YAML 1.1 reads 22:00 as the number 1320."""
        return self._read(key, default, _clock)

    def section(self, key: str, default: Any = REQUIRED) -> Section:
        return Section(self.raw(key, default), self.at(key))

    def sections(self, key: str, default: Any = REQUIRED) -> Iterator[Section]:
        for index, value in enumerate(self._list(key, default)):
            yield Section(value, f"{self.at(key)}[{index}]")

    def _list(self, key: str, default: Any) -> list[object]:
        value = self.raw(key, default)
        if not isinstance(value, list | tuple):
            raise DocumentError(self.at(key), "must be a list")
        return list(value)

    def _read(self, key: str, default: Any, read: Callable[[Any], T]) -> T:
        value = self.raw(key, default)
        try:
            result: T = value if value is default else read(value)
        except (TypeError, ValueError) as wrong:
            raise DocumentError(self.at(key), str(wrong)) from None
        return result


def content_hash(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a document's content: the order of keys and how dates were written do not matter."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_as_written)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _as_written(value: object) -> str:
    if isinstance(value, date):
        return value.isoformat()
    raise DocumentError("document", f"holds a {type(value).__name__}, which is no document value")


def read_day(value: object) -> date:
    """A date, written as one or as ``YYYY-MM-DD``."""
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a date (YYYY-MM-DD)") from None
    if type(value) is not date:
        raise ValueError("must be a date (YYYY-MM-DD)")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text that is not empty")
    return value


def _line(value: object) -> str:
    text = _text(value)
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


def _one_of(value: str, allowed: Collection[str]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is not one of {', '.join(sorted(allowed))}")
    return value


def _words(value: object, allowed: Collection[str] | None) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError("must be a list of texts")
    words = tuple(_text(item) if allowed is None else _one_of(_text(item), allowed) for item in value)
    if len(set(words)) != len(words):
        raise ValueError("names something twice")
    return words


def _whole(value: object, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError("must be a whole number")
    if not low <= value <= high:
        raise ValueError(f"must be between {low} and {high}")
    return value


def _amounts(value: object) -> dict[str, int]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ValueError("must be a mapping of currency to minor units")
    return {key: _whole(amount, 0, 10**15) for key, amount in value.items()}


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("must be true or false")
    return value


def _clock(value: object) -> time:
    if isinstance(value, str):
        try:
            clock = time.fromisoformat(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a local time (HH:MM)") from None
        if clock.tzinfo is None and len(value) in (5, 8):
            return clock
    raise ValueError('must be a local time in quotes, for example "09:30"')
