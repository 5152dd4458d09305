"""Our source as syntax trees, for the rules that are asked of every file."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
GENERATED = "shared/adapters/postgres/migrations/versions/"


@dataclass(frozen=True)
class Module:
    path: str  # from the root of the repository, with forward slashes
    text: str

    def at(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.path)

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        return tuple(ast.walk(self.tree))

    @property
    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Those inside others too. Walks statements only, which is a tenth of the tree."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node
            for name in ("body", "orelse", "finalbody", "handlers", "cases"):
                found = getattr(node, name, ())
                waiting.extend(found if isinstance(found, list) else ())


def modules(*folders: str) -> tuple[Module, ...]:
    """Every module below ``folders``, written by hand, in order of path. A tree is made when it is first looked at."""
    return tuple(module for folder in sorted(folders) for module in _below(folder))


@cache
def _below(folder: str) -> tuple[Module, ...]:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith(GENERATED):
            found.append(Module(name, path.read_text(encoding="utf-8")))
    return tuple(found)


def dotted(node: ast.expr) -> str:
    """``a.b.c`` of a chain of attributes; the empty string for anything else in it."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""
