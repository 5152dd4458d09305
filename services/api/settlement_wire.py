"""Settlements between the wire and the domain."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson

from services.api.schemas import settlements as schema
from shared.application.settlement_offering import SettlementAsked
from shared.domain.plan_dates import DateRule, Frequency, Shift

_KEPT = (
    *("settlement_id", "instrument", "reason", "schedule", "reckoned_at", "valid_until", "proposed_by", "proposed_on"),
    *("approvers", "approved_by", "accepted_on", "active_from", "ended_on", "policy_version"),
)
_ROW = ("customer_id", "case_id", "currency", "state", "owed", "pays", "received", "row_version")


def asked(settlement_id: UUID, body: schema.SettlementIn) -> SettlementAsked:
    return SettlementAsked(
        settlement_id=settlement_id,
        customer_id=body.customer_id,
        accounts=tuple((each.account_id, each.currency) for each in body.accounts),
        dates=lambda: DateRule(body.first_on, Frequency(body.frequency), body.day, 0, Shift(body.shift)),
        pays=body.pays,
        discount=body.discount,
        instalments=body.instalments,
        amounts=tuple(body.amounts),
        valid_until=body.valid_until,
        waive=tuple(body.waive),
    )


def shown(content: str) -> dict[str, Any]:
    row = orjson.loads(content)
    document = row["document"]
    owed, pays, received = row["owed"], row["pays"], row["received"]
    debts = [
        {"account_id": each["account_id"], "currency": each["currency"], **each["balances"]}
        for each in document["debts"]
    ]
    return {
        **{name: document[name] for name in _KEPT},
        **{name: row[name] for name in _ROW},
        "debts": debts,
        "discount": owed - pays,
        "gives_up": [
            dict(zip(("account_id", "component", "amount"), each, strict=True)) for each in document["given_up"]
        ],
        "given_up": owed - pays if row["state"] == "fulfilled" else 0,
        "back": max(0, owed - received) if row["state"] == "breached" else 0,
        "oldest_due": [{"account_id": account, "due_on": day} for account, day in document["oldest_due"]],
    }
