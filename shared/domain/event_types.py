"""Every type of event that we announce, with the fields of its data: THE table behind the AsyncAPI document.

A field is named with its form; a question mark says that it may be null. All fields of a type are always there, and a
reader ignores those it does not know. A change of meaning is a new ``.vN``. The customer is the event's subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FORMS = ("uuid", "text", "code", "amount", "amounts", "count", "date", "instant", "flag", "texts", "covered")
"""``code`` is a word from a list or a rule, ``amount`` minor units of the event's currency, ``amounts`` a list of
{currency, amount}, ``covered`` a list of {due_date, amount}."""


@dataclass(frozen=True, slots=True)
class EventType:
    """``says``: what happened, in a sentence. ``fields``: name to form."""

    topic: str
    says: str
    fields: Mapping[str, str]


_BUCKET = {
    "account_id": "text",
    "currency": "code",
    "customer_id": "text",
    "case_id": "uuid?",
    "bucket": "code",
    "previous": "code",
    "entered_on": "date",
    "past_due": "amount",
    "oldest_due": "date?",
}
_ACCOUNT = {"account_id": "text", "currency": "code", "customer_id": "text"}
_MONEY = {
    "payment_id": "text",
    "source": "text",
    "account_id": "text",
    "currency": "code",
    "amount": "amount",
    "customer_id": "text",
    "case_id": "uuid?",
    "covered": "covered",
    "still_past_due": "amount",
    "case_state": "code?",
}
_CASE = {"case_id": "uuid", "customer_id": "text", "state": "code", "reopenings": "count"}
_FOLLOW_UP = {"follow_up_id": "uuid", "step": "code", "case_id": "uuid", "reason": "code"}
_WORK = {"item_id": "uuid", "kind": "code", "follow_up_id": "uuid", "case_id": "uuid"}
_MESSAGE = {
    "message_id": "uuid",
    "customer_id": "text",
    "case_id": "uuid?",
    "follow_up_id": "uuid?",
    "step": "code",
    "purpose": "code",
    "channel": "code?",
    "reason": "text?",
}
_COMPLAINT = {"complaint_id": "uuid", "case_id": "uuid?", "state": "code"}
_CLOCK = {"complaint_id": "uuid", "case_id": "uuid?", "clock": "code", "due_by": "instant"}
_HOLD = {"hold_id": "uuid", "kind": "code", "account_id": "text?", "case_id": "uuid?"}
_PROMISE = {
    "promise_id": "uuid",
    "customer_id": "text",
    "account_id": "text",
    "currency": "code",
    "amount": "amount",
    "due_on": "date",
    "paid": "amount",
    "state": "code",
    "previous": "code?",
    "reason": "code",
    "policy_version": "count",
}
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
_ASSESSMENT = {
    "assessment_id": "uuid",
    "customer_id": "text",
    "accounts": "texts",
    "currency": "code",
    "owed": "amount",
    "route": "code",
    "valid_until": "date",
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
_REMINDER = {
    "message_id": "uuid",
    "follow_up_id": "uuid",
    "case_id": "uuid",
    "customer_id": "text",
    "policy_version": "count",
    "step": "code",
    "anchor": "date",
    "channels": "texts",
    "template": "code",
    "purpose": "code",
    "due_at": "instant",
}

DEAD_LETTER = "arrears.dead_letter.given_up.v1"
DEAD_LETTERS = EventType(
    "*-dlt",
    "A consumer gave an event up: it blocks its customer there until a person decides. Without the event's content.",
    {
        "entry": "count",
        "consumer": "code",
        "event_source": "text",
        "event_id": "text",
        "event_type": "code",
        "error": "code",
        "tries": "count",
    },
)
"""The one type that goes to several topics: each topic has one for what was given up of it (``dead_letter_topic``)."""


def dead_letter_topic(event_type: str) -> str:
    """Where it is said that an event of this type was given up. Types that are not ours are the inbound topic's."""
    kind = EVENT_TYPES.get(event_type)
    return f"{kind.topic if kind is not None else 'arrears.inbound'}-dlt"


def _rows(topic: str, noun: str, fields: dict[str, str], says: dict[str, str]) -> dict[str, EventType]:
    return {f"arrears.{noun}.{word}.v1": EventType(topic, sentence, fields) for word, sentence in says.items()}


EVENT_TYPES: dict[str, EventType] = {
    "arrears.reminder.due.v1": EventType(
        "arrears.reminder", "A message step of the ladder is due; the notifier takes it up.", _REMINDER
    ),
    "arrears.payment.received.v1": EventType(
        "arrears.payment",
        "A payment was applied: what it covered and what is still past due.",
        {**_MONEY, "value_date": "date"},
    ),
    "arrears.payment.reversed.v1": EventType(
        "arrears.payment", "A payment was taken back.", {**_MONEY, "reversal_id": "text", "reason": "text"}
    ),
    "arrears.account.delinquent.v1": EventType(
        "arrears.account", "An account left M0: it is past due beyond the grace.", _BUCKET
    ),
    "arrears.bucket.changed.v1": EventType("arrears.account", "An overdue account moved to another bucket.", _BUCKET),
    "arrears.account.cured.v1": EventType("arrears.account", "An account is back in M0.", _BUCKET),
    "arrears.account.charged_off.v1": EventType(
        "arrears.account",
        "The bank charged the account off; it is followed on as recovery.",
        {**_ACCOUNT, "amount": "amount"},
    ),
    "arrears.account.closed.v1": EventType(
        "arrears.account", "The bank closed the account; it is followed no more.", {**_ACCOUNT, "reason": "code"}
    ),
    "arrears.account.limitation_near.v1": EventType(
        "arrears.account",
        "The claim on an account will be barred on a date, unless something starts its period anew.",
        {
            "account_id": "text",
            "customer_id": "text",
            "counted_from": "date",
            "alert_on": "date",
            "ends_on": "date?",
        },
    ),
    "arrears.case.opened.v1": EventType(
        "arrears.case", "A case was opened.", {**_CASE, "bucket": "code", "reason": "code"}
    ),
    "arrears.case.reopened.v1": EventType(
        "arrears.case", "A cured case was opened again.", {**_CASE, "bucket": "code", "reason": "code"}
    ),
    "arrears.case.updated.v1": EventType(
        "arrears.case",
        "What the planner looks at changed: the oldest uncovered due, what is past due or the segment.",
        {**_CASE, "anchor": "date?"},
    ),
    "arrears.case.cured.v1": EventType(
        "arrears.case", "No account of the customer is past due any more.", {**_CASE, "reason": "code"}
    ),
    "arrears.case.closed.v1": EventType(
        "arrears.case", "No account of the customer is followed any more.", {**_CASE, "reason": "code"}
    ),
    "arrears.case.assigned.v1": EventType(
        "arrears.case",
        "The case has another owner or team.",
        {"case_id": "uuid", "owner": "text?", "team": "text?"},
    ),
    "arrears.case.follow_up_deferred.v1": EventType(
        "arrears.case", "A person put a follow-up off.", {**_FOLLOW_UP, "until": "instant"}
    ),
    "arrears.case.follow_up_cancelled.v1": EventType("arrears.case", "A person called a follow-up off.", _FOLLOW_UP),
    "arrears.case.work_taken.v1": EventType("arrears.case", "Somebody took a work item.", _WORK),
    "arrears.case.work_released.v1": EventType("arrears.case", "A work item was given back.", _WORK),
    "arrears.case.work_completed.v1": EventType("arrears.case", "A work item was done.", {**_WORK, "outcome": "code"}),
    "arrears.case.contact_preference_changed.v1": EventType(
        "arrears.case",
        "The customer opted out of a channel, or took that back.",
        {"channel": "code", "opted_out": "flag", "source": "code", "case_id": "uuid?"},
    ),
    "arrears.customer.merged.v1": EventType(
        "arrears.case",
        "Two customers are one; announced for both.",
        {"from_customer_id": "text", "into_customer_id": "text"},
    ),
    "arrears.message.sent.v1": EventType("arrears.message", "A provider has the message.", _MESSAGE),
    "arrears.message.failed.v1": EventType("arrears.message", "The message can not be delivered.", _MESSAGE),
    "arrears.message.suppressed.v1": EventType(
        "arrears.message", "The message is moot or forbidden, and will not be sent.", _MESSAGE
    ),
    "arrears.message.in_doubt.v1": EventType(
        "arrears.message", "Nobody knows whether the provider has the message.", _MESSAGE
    ),
    "arrears.complaint.received.v1": EventType(
        "arrears.complaint", "A complaint came in.", {**_COMPLAINT, "account_id": "text?", "category": "code"}
    ),
    "arrears.complaint.acknowledged.v1": EventType(
        "arrears.complaint", "The complaint is confirmed to the customer.", _COMPLAINT
    ),
    "arrears.complaint.responded.v1": EventType("arrears.complaint", "The complaint was answered.", _COMPLAINT),
    "arrears.complaint.resolved.v1": EventType(
        "arrears.complaint", "The complaint is closed; its hold is lifted.", {**_COMPLAINT, "outcome": "code"}
    ),
    "arrears.complaint.escalated.v1": EventType(
        "arrears.complaint", "The complaint was handed up.", {**_COMPLAINT, "reason": "code"}
    ),
    "arrears.complaint.extended.v1": EventType(
        "arrears.complaint",
        "The complaint was given more time.",
        {**_COMPLAINT, "complexity": "code", "requested_by": "text", "answer_on": "date"},
    ),
    "arrears.complaint.deadline_near.v1": EventType("arrears.complaint", "A clock will run out soon.", _CLOCK),
    "arrears.complaint.deadline_missed.v1": EventType("arrears.complaint", "A clock has run out.", _CLOCK),
    "arrears.hold.placed.v1": EventType(
        "arrears.hold", "The customer, or one account, is to be left in peace.", {**_HOLD, "ends_at": "instant?"}
    ),
    "arrears.hold.released.v1": EventType("arrears.hold", "A hold was lifted.", {**_HOLD, "reason": "code"}),
    "arrears.hold.ended.v1": EventType("arrears.hold", "A hold ended by itself.", _HOLD),
    "arrears.promise.made.v1": EventType("arrears.promise", "Somebody promised to pay.", _PROMISE),
    "arrears.promise.kept.v1": EventType("arrears.promise", "Enough came in for a promise.", _PROMISE),
    "arrears.promise.partially_kept.v1": EventType(
        "arrears.promise", "A promise ran out with a part of it paid.", _PROMISE
    ),
    "arrears.promise.broken.v1": EventType("arrears.promise", "A promise ran out with nothing paid.", _PROMISE),
    "arrears.promise.reopened.v1": EventType(
        "arrears.promise", "A promise was judged again and is open: what had kept it was taken back.", _PROMISE
    ),
    "arrears.promise.cancelled.v1": EventType("arrears.promise", "A promise was called off.", _PROMISE),
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
            "instalment_moved": "An instalment is due on another day: the holidays of its year are known now.",
        },
    ),
    "arrears.assessment.made.v1": EventType(
        "arrears.plan",
        "What the customer can pay was assessed; the route says which kinds of plan it leads to.",
        _ASSESSMENT,
    ),
    **_rows(
        "arrears.plan",
        "plan",
        {
            "plan_id": "uuid",
            "customer_id": "text",
            "due_on": "date",
            "amounts": "amounts",
            "policy_version": "count",
        },
        {"instalment_due": "An instalment is due soon: the customer is reminded of what is not there yet."},
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
