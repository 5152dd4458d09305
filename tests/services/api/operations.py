"""The operations of the OpenAPI document, for tests that go over all of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

DOCUMENT: dict[str, Any] = orjson.loads((Path(__file__).parents[3] / "docs/openapi.json").read_bytes())
"""As it stands on file: that it is the one of the code is a test of its own, and to make it takes a second."""


@dataclass(frozen=True, slots=True)
class Operation:
    method: str
    path: str
    about: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.about["operationId"])

    @property
    def roles(self) -> list[str]:
        """Who may call it; empty when it needs no token."""
        return list(self.about.get("x-roles", ()))


def operations() -> list[Operation]:
    return list(_operations())


def _operations() -> Iterator[Operation]:
    for path, methods in DOCUMENT["paths"].items():
        for method, about in methods.items():
            yield Operation(method.upper(), path, about)
