"""Assessments between the wire and the domain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from services.api.schemas import assessments as schema
from shared.adapters.postgres.assessment_store import COLUMN, TABLE
from shared.adapters.postgres.session import Cipher
from shared.application.assessing import AssessmentAsked
from shared.domain.household import Guide, Item, Span, Statement

_SEALED = ("household", "budget", "findings", "words")
_SCALES = ("above_bps", "floor_bps", "reserve_bps", "reserve_least")


def asked(assessment_id: UUID, body: schema.AssessmentIn) -> AssessmentAsked:
    said = body.household
    return AssessmentAsked(
        assessment_id=assessment_id,
        customer_id=body.customer_id,
        accounts=tuple((each.account_id, each.currency) for each in body.accounts),
        household=Statement(
            adults=said.adults,
            children=said.children,
            incomes=_items(said.incomes),
            fixed=_items(said.fixed),
            flexible=_items(said.flexible),
            pay_day=said.pay_day,
            explained=frozenset(said.explained),
        ),
    )


def _items(stated: list[schema.StatedItem]) -> tuple[Item, ...]:
    return tuple(Item(each.kind, each.amount, Span(each.per)) for each in stated)


def listed(content: str) -> dict[str, Any]:
    row = orjson.loads(content)
    return _about(row, row.pop("document"))


def _about(row: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "debts": [
            {"account_id": each["account_id"], "currency": each["currency"], **each["balances"]}
            for each in document["debts"]
        ],
        "under_way": [{**each, "accounts": _accounts(each["accounts"])} for each in document["under_way"]],
    }


def shown(content: str, sealed: bytes, cipher: Cipher, *, plain: bool) -> dict[str, Any]:
    """``plain``: with what tells of the household."""
    row = orjson.loads(content)
    document = row.pop("document")
    household = orjson.loads(cipher.decrypt_bytes(TABLE, COLUMN, row["assessment_id"], sealed))
    return {
        **_about(row, document),
        "options": [{**each, "terms": _terms(each["terms"])} for each in document["options"]],
        "available": household["budget"]["available"],
        "proofs": household["proofs"],
        **{name: household[name] if plain else None for name in _SEALED},
    }


def _accounts(pairs: list[list[str]]) -> list[dict[str, str]]:
    return [{"account_id": account_id, "currency": currency} for account_id, currency in pairs]


def _terms(terms: Mapping[str, Any]) -> dict[str, Any]:
    known = {**terms, **terms["dates"], **terms["charges"]}
    return {name: known[name] for name in schema.OptionTerms.model_fields}


def guide_shown(guide: Guide) -> dict[str, Any]:
    return {
        **{name: getattr(guide, name) for name in ("name", "version", "hash", "currency", "source", "verified")},
        "incomes": [{"kind": kind, "counted_bps": share} for kind, share in guide.incomes.items()],
        "fixed": list(guide.fixed),
        "flexible": [
            {"kind": kind, "adult": figure.adult, "child": figure.child} for kind, figure in guide.flexible.items()
        ],
        **{name: getattr(guide, name) for name in _SCALES},
    }
