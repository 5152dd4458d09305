"""Packs from their parts: a large pack is written in several documents, each of which names the one it belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shared.domain.document import DocumentError

_ADDED = ("rules", "texts", "notes")


def gather(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Whole packs, each with the rules, texts and notes of its parts (``part_of: <name of the pack>``) after its own,
    in the order of ``documents``. Raises DocumentError for a part whose pack is not there, or one with other keys."""
    packs: dict[str, dict[str, Any]] = {}
    parts = []
    for document in documents:
        if isinstance(document, Mapping) and "part_of" in document:
            parts.append(document)
        elif not isinstance(document, Mapping) or not isinstance(document.get("name"), str):
            raise DocumentError("rules.name", "is missing")
        else:
            packs[document["name"]] = dict(document)
    for part in parts:
        pack = packs.get(str(part["part_of"]))
        if pack is None:
            raise DocumentError("rules.part_of", f"there is no pack {part['part_of']!r}")
        unknown = sorted(set(part) - {"part_of", *_ADDED})
        if unknown:
            raise DocumentError(f"rules.{unknown[0]}", "is not a known key of a part")
        for key in _ADDED:
            if part.get(key):
                pack[key] = [*pack.get(key, ()), *part[key]]
    return list(packs.values())
