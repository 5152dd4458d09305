"""A plan, settlement or waiver as one JSON document, and back. Each account's share of a plan follows from debts and
instalments; it is not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_type_hints

import msgspec

from shared.domain.plan import Plan
from shared.domain.plan_quote import shares
from shared.domain.settlement import Settlement
from shared.domain.waiver import Waiver


def encode_plan(plan: Plan) -> dict[str, Any]:
    return {name: value for name, value in _encode(plan).items() if name != "shares"}


def encode_settlement(settlement: Settlement) -> dict[str, Any]:
    return _encode(settlement)


def encode_waiver(waiver: Waiver) -> dict[str, Any]:
    return _encode(waiver)


def decode_plan(document: Mapping[str, Any]) -> Plan:
    """What an earlier version did not know is as the plan's default has it. Raises msgspec.ValidationError for a
    document that no plan was written to."""
    known = {name: msgspec.convert(document[name], kind) for name, kind in _kinds(Plan).items() if name in document}
    debts = known["debts"]
    known["shares"] = {key: row for schedule in known["schedules"] for key, row in shares(schedule, debts).items()}
    return Plan(**known)


def decode_settlement(document: Mapping[str, Any]) -> Settlement:
    """Raises msgspec.ValidationError for a document that no settlement was written to."""
    return Settlement(**{name: msgspec.convert(document[name], kind) for name, kind in _kinds(Settlement).items()})


def decode_waiver(document: Mapping[str, Any]) -> Waiver:
    """Raises msgspec.ValidationError for a document that no waiver was written to."""
    return Waiver(**{name: msgspec.convert(document[name], kind) for name, kind in _kinds(Waiver).items()})


@cache
def _kinds(kind: type[Any]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: hints[each.name] for each in fields(kind)}


def _encode(value: Any) -> dict[str, Any]:
    return {each.name: msgspec.to_builtins(getattr(value, each.name), enc_hook=_plain) for each in fields(value)}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(type(value).__name__)
