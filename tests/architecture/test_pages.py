"""What the pages say in tables is what the code has: operations and roles, problem types, settings, laws and paths."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

from services.api import errors
from services.api.app import openapi_document
from services.api.settings import ApiSettings
from services.embedded import LocalSettings
from services.notifier.settings import NotifierSettings, WordingSettings
from services.sandbox.settings import SandboxSettings
from services.scheduler.settings import SchedulerSettings
from services.variables import SETTINGS as variables_of_ours
from shared.adapters.gateways.settings import GatewaySettings
from shared.adapters.kafka.settings import KafkaSettings
from shared.application import refusals
from shared.runtime.settings import ProcessSettings

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = (
    ProcessSettings,
    ApiSettings,
    SchedulerSettings,
    NotifierSettings,
    WordingSettings,
    KafkaSettings,
    LocalSettings,
    GatewaySettings,
    SandboxSettings,
)
REFUSALS = {name for name, kind in vars(refusals).items() if isinstance(kind, type) and issubclass(kind, Exception)}
PAGES = (
    "README.md",
    "README.zh-CN.md",
    "CONTRIBUTING.md",
    *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
)


def page(name: str) -> str:
    return (ROOT / name).read_text()


def operations() -> Iterator[str]:
    for path, methods in openapi_document()["paths"].items():
        for method, operation in methods.items():
            roles = ", ".join(operation.get("x-roles", ())) or "nobody is asked"
            yield f"| `{method.upper()} {path}` | {roles} |"


def problem_types() -> Iterator[str]:
    told = (*errors.REFUSALS.values(), *errors.STATUSES.values(), *(each.type for each in errors.DATABASE.values()))
    yield from {kind.slug for kind in told}
    yield from ("import-done", "import-failed")  # made from the import's state
    for root in ("services/api", "shared"):
        for path in (ROOT / root).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield from _slugs(node)


def _slugs(call: ast.Call) -> Iterator[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code" and name in REFUSALS]
    given += call.args[:1] if name == "BadRequest" else []
    yield from (each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str))


def variables(settings: type[BaseSettings]) -> Iterator[str]:
    prefix = settings.model_config.get("env_prefix", "")
    yield from (f"{prefix}{name.upper()}" for name in settings.model_fields)


def test_every_operation_stands_in_the_api_page_with_its_roles() -> None:
    said = {line for line in page("docs/api.md").splitlines() if re.match(r"\| `[A-Z]+ /", line)}
    assert said == set(operations())


def test_every_problem_type_stands_in_the_api_page() -> None:
    table = page("docs/api.md").partition("## Problem types")[2].partition("\n## ")[0]
    said = re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)
    assert sorted(said) == sorted(set(problem_types()))


def test_every_setting_stands_in_the_operations_page() -> None:
    said = re.findall(r"^\| `(ARREARS_[A-Z0-9_]+)` \|", page("docs/operations.md"), re.MULTILINE)
    known = {variable for settings in SETTINGS for variable in variables(settings)} | {"ARREARS_SECRETS_DIR"}
    assert sorted(said) == sorted(known)
    assert known == variables_of_ours  # or a process would refuse to start with it


@pytest.mark.parametrize("name", PAGES)
def test_a_path_that_a_page_names_is_there(name: str) -> None:
    named = set(re.findall(r"`((?:services|shared|tests|docs)/[\w./-]+?)`", page(name)))
    named |= {link for link in re.findall(r"\]\(([^)#:]+)\)", page(name)) if name.startswith("README")}
    assert {each for each in named if not (ROOT / each).exists()} == set()


def test_the_readme_is_short() -> None:
    assert all(page(name).count("\n") <= 250 for name in ("README.md", "README.zh-CN.md"))
