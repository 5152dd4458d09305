"""A plan as one JSON document, and back. Each account's share follows from debts and instalments; it is not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

import msgspec

from shared.domain.plan import Plan
from shared.domain.plan_quote import shares


def encode_plan(plan: Plan) -> dict[str, Any]:
    return {
        each.name: msgspec.to_builtins(getattr(plan, each.name), enc_hook=_plain)
        for each in fields(plan)
        if each.name != "shares"
    }


def decode_plan(document: Mapping[str, Any]) -> Plan:
    """Raises msgspec.ValidationError for a document that no plan was written to."""
    known = {name: msgspec.convert(document[name], kind) for name, kind in _kinds().items() if name != "shares"}
    debts = known["debts"]
    known["shares"] = {key: row for schedule in known["schedules"] for key, row in shares(schedule, debts).items()}
    return Plan(**known)


@cache
def _kinds() -> dict[str, Any]:
    hints = get_type_hints(Plan)
    return {each.name: hints[each.name] for each in fields(Plan)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(type(value).__name__)
