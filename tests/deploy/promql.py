"""As much of PromQL as is needed to see which series an expression names, and by which labels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"(?<![\w.$])([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(?!\s*\(|[\w:])")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*")')
_WORDS = {
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
    "offset",
    "bool",
    "and",
    "or",
    "unless",
    "inf",
}


@dataclass(frozen=True)
class Selector:
    """A series as it is named: matchers as (label, operator, value)."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def selectors(expression: str) -> Iterator[Selector]:
    strings: list[str] = []

    def put_away(found: re.Match[str]) -> str:
        strings.append(found[0])
        return f'"{len(strings) - 1}"'

    text = _STRING.sub(put_away, expression)
    text = re.sub(r"\[[^\]]*\]", "", text)  # ranges
    text = re.sub(r"\boffset\s+-?\w+", "", text)
    text = _GROUPING.sub("", text)
    for name, braces in _SELECTOR.findall(text):
        if name not in _WORDS:
            yield Selector(
                name,
                tuple((label, how, strings[int(value[1:-1])][1:-1]) for label, how, value in _MATCHER.findall(braces)),
            )


def groupings(expression: str) -> set[str]:
    """Labels that an expression groups or joins by."""
    return {
        label.strip()
        for _, labels in _GROUPING.findall(_STRING.sub('""', expression))
        for label in labels.split(",")
        if label.strip()
    }
