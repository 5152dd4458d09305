"""What waivers announce: rows for THE table of event types.

They move into ``event_types.EVENT_TYPES`` with the use cases that announce them, for that table is what is announced
today. Each amount is in minor units of the event's currency; ``amounts`` is a list of {currency, amount}.
"""

from __future__ import annotations

from shared.domain.event_types import EventType

_WAIVER = {
    "waiver_id": "uuid",
    "customer_id": "text",
    "account_id": "text",
    "currency": "code",
    "component": "code",
    "amount": "amount",
    "cause": "code",
    "state": "code",
    "reason": "code",
    "policy_version": "count",
}


def _rows(topic: str, noun: str, fields: dict[str, str], says: dict[str, str]) -> dict[str, EventType]:
    return {f"arrears.{noun}.{word}.v1": EventType(topic, sentence, fields) for word, sentence in says.items()}


REPAYMENT_EVENTS: dict[str, EventType] = {
    **_rows(
        "arrears.settlement",
        "waiver",
        _WAIVER,
        {
            "proposed": "Somebody wants to let a customer off charges.",
            "granted": "Charges were waived.",
            "withdrawn": "A waiver was refused or taken back.",
        },
    ),
}
