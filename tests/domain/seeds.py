"""The shipped data, read once for the tests."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from shared.domain.calendar import parse_calendar
from shared.domain.contact_packs import gather
from shared.domain.policy import parse_policy
from shared.domain.repayment_policy import parse_repayment

SHARED = Path(__file__).parents[2] / "shared"


def load(path: str) -> Any:
    return yaml.load((SHARED / path).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


@cache
def packs() -> dict[str, dict[str, Any]]:
    """Every shipped rule pack by its name."""
    documents = [load(f"rules/{path.name}") for path in sorted((SHARED / "rules").glob("*.yaml"))]
    return {pack["name"]: pack for pack in gather(documents)}


def china_pack() -> dict[str, Any]:
    return packs()["cn"]


def template_documents() -> list[Any]:
    return [load(f"templates/{path.name}") for path in sorted((SHARED / "templates").glob("*.yaml"))]


POLICY = parse_policy(load("policies/card-cn.yaml"))
CALENDAR = parse_calendar(load("policies/calendars/cn.yaml"))
REPAYMENT = parse_repayment(load("policies/repayment/card-cn.yaml"))
