"""Our source as syntax trees, for the rules that are asked of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "shared/adapters/postgres/migrations/versions/"


@dataclass(frozen=True)
class Module:
    path: str  # from the root of the repository, with forward slashes
    text: str
    tree: ast.Module

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    @property
    def nodes(self) -> Iterator[ast.AST]:
        return ast.walk(self.tree)


@cache
def modules(*folders: str) -> tuple[Module, ...]:
    """Every module below ``folders``, written by hand, in order of path."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    found = []
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(GENERATED):
            text = path.read_text(encoding="utf-8")
            found.append(Module(name, text, ast.parse(text, filename=name)))
    return tuple(found)


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a chain of attributes; the empty string for anything else in it."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""
