"""The rules that no linter knows: what the core may touch, where commits happen, how big things get.

An exception is a line in a table here, with its reason.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

import pytest

from tests.architecture.source import ROOT, Module, dotted, modules

pytestmark = pytest.mark.xdist_group("house rules")  # the trees are made once a process

FILE_LIMIT = 400
TEST_FILE_LIMIT = 500
FUNCTION_LIMIT = 60
IMPORT_LIMIT = 20

CLOCK_READS = re.compile(r"\b(datetime\.now|datetime\.utcnow|datetime\.today|date\.today|time\.time|time\.time_ns)$")

# The sandbox plays a provider outside: its clock is not ours.
CLOCK_READERS = ("shared/adapters/", "shared/runtime/", "services/sandbox/")

# Where a transaction may be opened or committed besides the unit of work, and why.
COMMITS_ELSEWHERE = {
    "shared/adapters/postgres/unit_of_work.py": "the one place",
    "shared/adapters/postgres/digest.py": "reads only: a cursor needs a transaction, and all lines are of one instant",
    "shared/adapters/postgres/outbox.py": "a relay's leases: who ships, not what was decided",
    "shared/adapters/postgres/epochs.py": "a new epoch is begun whole or not at all, between transports",
    "shared/adapters/kafka/consumer.py": "tells the broker an offset, after the database's commit",
    "shared/adapters/postgres/migrate.py": "changes the schema, not the book; runs on its own, before any service",
}

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}


def imported(module: Module) -> Iterator[tuple[ast.stmt, str]]:
    for node in module.nodes:
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node, node.module or "."


def test_the_domain_imports_the_standard_library_and_itself_only() -> None:
    strangers = [
        f"{module.at(node)} {name}"
        for module in modules("shared/domain")
        for node, name in imported(module)
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("shared.domain")
    ]
    assert strangers == []


def test_no_float_comes_near_money() -> None:
    floats = [
        module.at(node)
        for module in modules("shared/domain")
        for node in module.nodes
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
        or (isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div))
    ]
    assert floats == []


def test_only_adapters_and_runtime_read_a_clock() -> None:
    reads = [
        f"{module.at(node)} {dotted(node)}"
        for module in modules("services", "shared")
        if not module.path.startswith(CLOCK_READERS)
        for node in module.nodes
        if isinstance(node, ast.Attribute) and CLOCK_READS.search(dotted(node))
    ]
    assert reads == []


def test_only_the_unit_of_work_commits() -> None:
    commits = [
        f"{module.at(node)} .{node.func.attr}()"
        for module in modules("services", "shared")
        if module.path not in COMMITS_ELSEWHERE
        for node in module.nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "transaction", "begin"}
    ]
    assert commits == []


@pytest.mark.parametrize("module", modules("services", "shared", "tests"), ids=lambda module: module.path)
def test_a_file_does_one_thing(module: Module) -> None:
    limit = TEST_FILE_LIMIT if module.path.startswith("tests/") else FILE_LIMIT
    assert module.text.count("\n") <= limit, "split it by use case or by rule"
    if not module.path.startswith("tests/"):
        own = {name for node, name in imported(module) if node in module.tree.body}
        assert len(own) <= IMPORT_LIMIT, "it knows too much"


def test_a_function_does_one_thing() -> None:
    long = [
        f"{module.at(node)} {node.name}"
        for module in modules("services", "shared", "tests")
        for node in module.functions
        if (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LIMIT
    ]
    assert long == []


def test_names_of_files_say_what_is_in_them() -> None:
    vague = [
        module.path
        for module in modules("services", "shared", "tests")
        if module.path.removesuffix(".py").rsplit("/", 1)[-1] in VAGUE_NAMES
    ]
    assert vague == []


def test_every_silenced_lint_names_its_rule() -> None:
    silenced = re.compile(r"#\s*(noqa(?!: [A-Z]+\d+)|type: ignore(?!\[))")
    bare = [
        f"{module.path}:{number}"
        for module in modules("services", "shared")
        for number, line in enumerate(module.text.splitlines(), start=1)
        if silenced.search(line)
    ]
    assert bare == []


def test_the_lock_files_name_no_registry_and_hash_everything() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "file:" not in text
        pinned = re.split(r"\n(?=\S)", text.strip())
        assert all("==" in each and "--hash=sha256:" in each for each in pinned), name
