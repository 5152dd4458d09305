"""What the contact rules would say of a step of the ladder, at the instant at which it could happen.

Asked as a permit would be for the same channel, in the bank's own name and about any of the debts, and judged by the
same facts. What only the person who makes the contact knows is not known here, so the rules that need it refuse and
say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from shared.application.decisions import answer_document
from shared.application.limitation import ClaimOnFile
from shared.application.permit_facts import (
    POINT_KINDS,
    Contact,
    OnFile,
    PermitAsked,
    PointOnFile,
    facts_at,
    proposal_of,
)
from shared.application.sending import RuleShelf
from shared.application.sending_desk import Desk, manner_of
from shared.domain.contact import Decision, Outcome, RuleSet, decide
from shared.domain.contact_facts import Channel, Collector, Content, Mandate, Manner, Target

NO_POINT = "no usable contact point"
NO_RULES = "no contact rules for the customer's jurisdiction"
LEGAL_STEP = "suit"  # a step of the ladder does not say which legal step it is; this is the one that can come too late
_NOBODY = UUID(int=0)


class Said(Protocol):
    """What would be said: a step of the ladder, or a word about a plan."""

    @property
    def channels(self) -> tuple[str, ...]: ...
    @property
    def purpose(self) -> str: ...


def foreseen(
    step: Said,
    at: datetime,
    desk: Desk,
    points: Sequence[PointOnFile],
    claims: Sequence[ClaimOnFile],
    shelf: RuleShelf,
) -> list[dict[str, Any]]:
    """Each channel of the step, in their order. ``points`` are the customer's, those in use first; ``claims`` those on
    overdue accounts."""
    rules = shelf.rules(desk.jurisdiction) if desk.jurisdiction else None
    if rules is None:
        return [_unasked(channel, at) for channel in step.channels]
    return [
        _judged(asked_for(step.purpose, channel, desk, points), at, desk, points, claims, rules, shelf)
        for channel in step.channels
    ]


def asked_for(purpose: str, channel: str, desk: Desk, points: Sequence[PointOnFile]) -> PermitAsked:
    """The permit that would be asked for; a machine sends messages. A legal step is not taken at a number or an
    address."""
    point = None if channel == Channel.LEGAL else _first(points, channel)
    contact = Contact(
        customer_id=desk.customer_id,
        point_id=None if point is None else point.point_id,
        channel=channel,
        purpose=purpose,
        target=Target.DEBTOR.value,
        person_id=None,
        account_ids=(),
        announcement=False,
        party=Collector.BANK.value,
        party_name=None,
    )
    manner = Manner(legal_step=LEGAL_STEP) if channel == Channel.LEGAL else manner_of(desk, channel)
    return PermitAsked(permit_id=_NOBODY, contact=contact, content=Content(), manner=manner, mandate=Mandate())


def _first(points: Sequence[PointOnFile], channel: str) -> PointOnFile | None:
    return next((point for point in points if point.kind in POINT_KINDS[channel]), None)


def _judged(
    asked: PermitAsked,
    at: datetime,
    desk: Desk,
    points: Sequence[PointOnFile],
    claims: Sequence[ClaimOnFile],
    rules: RuleSet,
    shelf: RuleShelf,
) -> dict[str, Any]:
    channel = asked.contact.channel
    point = next((each for each in points if each.point_id == asked.contact.point_id), None)
    facts = facts_at(desk, asked, OnFile(point=point, claims=claims), rules, shelf, at)
    told = _told(asked, at, decide(proposal_of(asked, at), facts, rules))
    return told if point is not None or channel == Channel.LEGAL else _without_point(told)


def _without_point(told: dict[str, Any]) -> dict[str, Any]:
    """There is nothing on file to reach the person by: no rule has to forbid it, and what else objects is told too."""
    wanted = f"a usable contact point: {' or '.join(sorted(POINT_KINDS[told['channel']]))}"
    lift: Mapping[str, Any] = told["lift"] or {"releases": [], "changes": []}
    return told | {
        "outcome": Outcome.FORBID.value,
        "earliest": None,
        "until": None,
        "release": wanted,
        "reason": NO_POINT,
        "lift": {"releases": [wanted, *lift["releases"]], "changes": lift["changes"], "until": None, "complete": False},
    }


def _unasked(channel: str, at: datetime) -> dict[str, Any]:
    return {
        "channel": channel,
        "at": at,
        "contact_point_id": None,
        "legal_step": None,
        "outcome": Outcome.FORBID.value,
        "earliest": None,
        "lift": None,
        "until": None,
        "release": None,
        "reason": NO_RULES,
        "rule_set": None,
        "fired": [],
    }


def _told(asked: PermitAsked, at: datetime, decision: Decision) -> dict[str, Any]:
    answer = answer_document(decision)
    return {
        "channel": asked.contact.channel,
        "at": at,
        "contact_point_id": asked.contact.point_id,
        "legal_step": asked.manner.legal_step,
        "outcome": answer["outcome"],
        "earliest": at if decision.outcome is Outcome.ALLOW else decision.until,
        "lift": answer["lift"],
        "until": decision.until,
        "release": answer["release"],
        "reason": None,
        "rule_set": answer["rule_set"],
        "fired": answer["fired"],
    }
