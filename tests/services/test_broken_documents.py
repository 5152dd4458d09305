"""A document that can not be read keeps everything from starting, in one line with file, place and reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shared.adapters.postgres.shipped import read_yaml
from shared.domain.document import DocumentError
from tests.services.commands import run_to_end

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The product as it is installed, in a place where a file of it may be broken."""
    place = tmp_path_factory.mktemp("product")
    for folder in ("services", "shared"):
        shutil.copytree(ROOT / folder, place / folder, ignore=shutil.ignore_patterns("__pycache__"))
    return place


async def start(product: Path, *command: str, **told: str) -> tuple[int | None, str]:
    home = str(product / "home")
    code, _, wrong = await run_to_end(*command, cwd=product, PYTHONPATH=str(product), ARREARS_HOME=home, **told)
    return code, wrong


@pytest.mark.parametrize("command", ["services.local", "services.cli migrate", "services.cli demo --home home/demo"])
async def test_a_broken_policy_is_told_before_anything_is_started(product: Path, command: str) -> None:
    policy = product / "shared/policies/card-cn.yaml"
    whole = policy.read_text()
    policy.write_text(whole.replace("reopen_days: 30", "reopen_days: soon"))
    try:
        code, told = await start(product, *command.split())
    finally:
        policy.write_text(whole)
    assert told == "arrears: shared/policies/card-cn.yaml: policy.reopen_days: must be a whole number\n"
    assert code == 1
    assert not (product / "home/pgdata").exists()


async def test_a_start_that_failed_so_early_does_not_stand_in_the_way_of_the_next(product: Path) -> None:
    (product / "failed").mkdir()
    (product / "failed/suite.lock").touch()
    test = test_a_broken_policy_is_told_before_anything_is_started
    for _ in range(2):
        await test(product, "services.cli demo --home failed")


@pytest.mark.parametrize("service", ["api", "scheduler", "notifier"])
async def test_so_does_a_service_that_reads_one_in_place(product: Path, service: str) -> None:
    guide = product / "shared/policies/affordability/cn.yaml"
    whole = guide.read_text()
    guide.write_text(f"broken: [1\n{whole}")
    try:
        code, told = await start(product, f"services.{service}", ARREARS_DATABASE_URL="postgresql://127.0.0.1:1/x")
    finally:
        guide.write_text(whole)
    assert told.startswith(f"arrears {service}: shared/policies/affordability/cn.yaml line ")
    assert told.count("\n") == 1
    assert code == 1


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"version: 1\nname: [a, b\n", r"file.yaml line 3 column 1: .* expected"),
        (b"version: 1\n  name: x\n", r"file.yaml line 2 column 7: mapping values are not allowed"),
        (b'name: "\\q"\n', r"file.yaml line 1 column \d+: found unknown escape"),
        (b"name: \x07\n", r"file.yaml .*: control characters are not allowed"),
        (b"name: \xff\n", r"file.yaml byte 6: is not UTF-8"),
        (b"from: 2026-02-30\n", r"file.yaml: day is out of range"),
        (b"a: !!python/name:os.system x\n", r"file.yaml line 1 column 4: could not determine a constructor"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_place(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "file.yaml").write_bytes(content)
    with pytest.raises(DocumentError, match=told) as caught:
        read_yaml(tmp_path / "file.yaml")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none.yaml: can not be read \(No such file"):
        read_yaml(tmp_path / "none.yaml")
