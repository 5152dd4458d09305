"""What plans, settlements, waivers and approvals announce: rows for THE table of event types.

They move into ``event_types.EVENT_TYPES`` with the use cases that announce them, for that table is what is announced
today. Each amount is in minor units of the event's currency; ``amounts`` is a list of {currency, amount}.
"""

from __future__ import annotations

from shared.domain.event_types import EventType

_PLAN = {
    "plan_id": "uuid",
    "customer_id": "text",
    "kind": "code",
    "accounts": "texts",
    "state": "code",
    "previous": "code?",
    "reason": "code",
    "left": "amounts",
    "ended_on": "date?",
    "replaces": "uuid?",
    "replaced_by": "uuid?",
    "policy_version": "count",
}
_INSTALMENT = {
    "plan_id": "uuid",
    "customer_id": "text",
    "currency": "code",
    "number": "count",
    "due_on": "date",
    "amount": "amount",
    "paid": "amount",
    "covered_on": "date?",
    "overdue": "amount",
    "left": "amount",
}
_SETTLEMENT = {
    "settlement_id": "uuid",
    "customer_id": "text",
    "accounts": "texts",
    "currency": "code",
    "instrument": "code",
    "owed": "amount",
    "pays": "amount",
    "received": "amount",
    "given_up": "amount",
    "back": "amount",
    "valid_until": "date",
    "state": "code",
    "previous": "code?",
    "ended_on": "date?",
    "reason": "code",
    "policy_version": "count",
}
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
_APPROVAL = {
    "approval_id": "uuid",
    "customer_id": "text",
    "subject": "code",
    "subject_id": "text",
    "state": "code",
    "requested_by": "text",
    "decided_by": "text?",
    "approvers": "texts",
    "expires_at": "instant",
    "reason": "code",
}


def _rows(topic: str, noun: str, fields: dict[str, str], says: dict[str, str]) -> dict[str, EventType]:
    return {f"arrears.{noun}.{word}.v1": EventType(topic, sentence, fields) for word, sentence in says.items()}


REPAYMENT_EVENTS: dict[str, EventType] = {
    **_rows(
        "arrears.plan",
        "plan",
        _PLAN,
        {
            "proposed": "A repayment plan was proposed.",
            "approved": "A plan was approved, by the proposer's own limit or by a second person.",
            "activated": "The customer agreed; collection stops while the plan is kept.",
            "completed": "A plan was paid to the end.",
            "broken": "A plan is not kept any more; collection goes on.",
            "resumed": "A plan was judged again and is active: the past changed.",
            "restructured": "A plan gave way to another one.",
            "cancelled": "A plan was called off, refused or not taken up.",
        },
    ),
    **_rows(
        "arrears.plan",
        "plan",
        _INSTALMENT,
        {
            "instalment_covered": "An instalment is paid.",
            "instalment_missed": "An instalment's days of grace are over and it is not paid.",
            "instalment_uncovered": "An instalment is not paid after all: a payment was taken back.",
        },
    ),
    **_rows(
        "arrears.settlement",
        "settlement",
        _SETTLEMENT,
        {
            "proposed": "A settlement was proposed.",
            "offered": "A settlement was offered: the bank would take less than is owed.",
            "accepted": "The customer accepted a settlement.",
            "activated": "A settlement is in force.",
            "fulfilled": "A settlement was paid; the rest of the debt is given up.",
            "breached": "A settlement was not kept; the debt is back, less what was paid.",
            "resumed": "A settlement was judged again and is in force: the past changed.",
            "withdrawn": "A settlement was called off or refused.",
            "expired": "Nobody took up a settlement in time.",
        },
    ),
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
    **_rows(
        "arrears.case",
        "approval",
        _APPROVAL,
        {
            "requested": "Something about a customer needs a second person.",
            "approved": "A second person approved it.",
            "refused": "A second person refused it.",
            "expired": "Nobody decided in time.",
            "withdrawn": "Who asked took the request back.",
        },
    ),
}
