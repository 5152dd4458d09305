"""The image: what its instructions promise. Nothing is built here; images can not be had where the tests run."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import tomllib
from dataclasses import dataclass, field

from tests.architecture.source import ROOT

IMAGE = ROOT / "deploy" / "Dockerfile"
EXTRA_COMMANDS = re.compile(r"python -m (services\.\w+)")


@dataclass
class Stage:
    base: str
    name: str | None
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, word: str) -> list[str]:
        return [rest for each, rest in self.instructions if each == word]


def stages() -> list[Stage]:
    """The Dockerfile's instructions, continuation lines joined, comments left out."""
    lines = [line for line in IMAGE.read_text().splitlines() if not line.lstrip().startswith("#")]
    text = "\n".join(lines).replace("\\\n", " ")
    found: list[Stage] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        word, _, rest = line.partition(" ")
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            found.append(Stage(base, name or None))
        else:
            found[-1].instructions.append((word, rest.strip()))
    return found


def ignored(path: str) -> bool:
    """By .dockerignore: the last pattern that matches decides."""
    verdict = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().removeprefix("!")
        parts = path.split("/")
        if pattern and not line.startswith("#"):
            above = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
            deep = pattern.removeprefix("**/")
            hit = fnmatch.fnmatch(path, deep) or any(fnmatch.fnmatch(each, pattern) for each in above)
            hit = hit or (pattern.startswith("**/") and any(fnmatch.fnmatch(part, deep) for part in parts))
            verdict = not line.startswith("!") if hit else verdict
    return verdict


def test_it_runs_as_nobody_in_particular_and_ends_on_sigterm() -> None:
    last = stages()[-1]
    user = last.all("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number: an orchestrator can check that it is not root"
    after = [word for word, _ in last.instructions[last.instructions.index(("USER", user)) :]]
    assert "RUN" not in after
    assert "COPY" not in after
    assert last.all("STOPSIGNAL") == ["SIGTERM"]


def test_what_is_copied_into_it_is_there_and_is_not_ignored() -> None:
    sources = [
        source
        for stage in stages()
        for rest in stage.all("COPY")
        if not rest.startswith("--from=")
        for source in rest.split()[:-1]
    ]
    assert {"shared", "services", "requirements.lock", "pyproject.toml"} <= set(sources)
    assert [each for each in sources if not (ROOT / each).exists() or ignored(each)] == []


def test_nothing_else_of_the_checkout_is_sent_to_the_builder() -> None:
    for private in (
        "deploy/secrets/keys.json",
        ".git/config",
        ".arrears/keys.json",
        ".venv/bin/python",
        "tests/feeds.py",
    ):
        assert ignored(private), private
    assert ignored("shared/domain/__pycache__/money.cpython-311.pyc")
    assert not ignored("shared/rules/cn.yaml")


def test_every_package_is_installed_by_its_hash_as_a_wheel() -> None:
    installs = [
        command.split()
        for stage in stages()
        for run in stage.all("RUN")
        for command in run.split("&&")
        if "pip install" in command
    ]
    assert len(installs) == 2
    locked, ours = installs
    assert {"--require-hashes", "--only-binary=:all:", "requirements.lock"} <= set(locked)
    assert {"--no-deps", "--no-build-isolation", "."} <= set(ours), "nothing is fetched for our own package"


def test_the_last_stage_installs_nothing_and_brings_no_compiler() -> None:
    built, last = stages()
    assert last.base == built.base, "a virtual environment works only over the Python that it was made with"
    assert re.fullmatch(r"python:3\.\d+-slim", last.base)
    (copied,) = last.all("COPY")
    assert copied.startswith(f"--from={built.name} ")
    assert not re.search(r"pip|apt|gcc|curl", " ".join(last.all("RUN")))


def test_its_commands_start_modules_that_exist() -> None:
    command = json.loads(stages()[-1].all("CMD")[0])
    assert command[:2] == ["python", "-m"]
    said = {command[2], *EXTRA_COMMANDS.findall(IMAGE.read_text())}
    assert {"services.api", "services.scheduler", "services.notifier"} <= said
    assert [name for name in said if importlib.util.find_spec(f"{name}.__main__") is None] == []
    assert "arrears" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
