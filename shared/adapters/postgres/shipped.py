"""What ships with this version, read from its files. What is wrong with a document is told with file and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml

from shared.domain.contact_packs import gather
from shared.domain.contact_rules import RuleSet, parse_rules
from shared.domain.document import DocumentError

SEEDS = Path(__file__).parents[2]  # shared/
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast where libyaml is there

_Parsed = TypeVar("_Parsed")
_Files = tuple[tuple[Path, int], ...]  # and when each was changed


def read_yaml(path: Path) -> Any:
    """Raises DocumentError, for example ``shared/policies/card-cn.yaml line 7 column 3: found unknown escape``."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - a safe one
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" line {mark.line + 1} column {mark.column + 1}" if mark else ""
        raise DocumentError(named(path) + place, error.problem or "can not be read as YAML") from None
    except yaml.reader.ReaderError as error:
        raise DocumentError(f"{named(path)} character {error.position}", str(error.reason)) from None
    except OSError as error:
        raise DocumentError(named(path), f"can not be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise DocumentError(f"{named(path)} byte {error.start}", "is not UTF-8") from None
    except ValueError as error:  # of what looks like a date and is none
        raise DocumentError(named(path), str(error)) from None


def shipped(folder: Path, parse: Callable[[Mapping[str, Any]], _Parsed]) -> Sequence[tuple[Mapping[str, Any], _Parsed]]:
    """The documents of a folder and what ``parse`` makes of each. Raises DocumentError."""
    return _read(_files(folder), parse)


def shipped_packs(folder: Path) -> Sequence[tuple[Mapping[str, Any], RuleSet]]:
    """The contact rules of a folder, each whole. Raises DocumentError."""
    return _packs(folder, _files(folder))


def named(path: Path) -> str:
    """As a person finds it: from where they are, or from where the product lies, if it is below."""
    for above in (Path.cwd(), SEEDS.parent):
        if path.is_relative_to(above):
            return str(path.relative_to(above))
    return str(path)


def _files(folder: Path) -> _Files:
    return tuple((path, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.yaml")))


@lru_cache(maxsize=32)
def _read(files: _Files, parse: Callable[[Mapping[str, Any]], Any]) -> Sequence[tuple[Mapping[str, Any], Any]]:
    """Read and parsed once for as long as no file is changed; so are the packs, which are long."""
    return tuple(_parsed(path, parse) for path, _ in files)


def _parsed(path: Path, parse: Callable[[Mapping[str, Any]], Any]) -> tuple[Mapping[str, Any], Any]:
    document = read_yaml(path)
    with told_of(named(path)):
        return document, parse(document)


@lru_cache(maxsize=8)
def _packs(folder: Path, files: _Files) -> Sequence[tuple[Mapping[str, Any], RuleSet]]:
    documents = [read_yaml(path) for path, _ in files]
    with told_of(named(folder)):
        whole = gather(documents)
    return tuple(_pack(folder, document) for document in whole)


def _pack(folder: Path, document: Mapping[str, Any]) -> tuple[Mapping[str, Any], RuleSet]:
    with told_of(f"{named(folder)}, {document['name']}"):
        return document, parse_rules(document)


@contextmanager
def told_of(place: str) -> Iterator[None]:
    """What is wrong with a document is told with ``place``, where the document is."""
    try:
        yield
    except DocumentError as error:
        raise DocumentError(f"{place}: {error.path}", error.problem) from None
