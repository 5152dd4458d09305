"""A decision of the contact gate as it is stored: the answer, with all that it was taken from, so that it can be taken
again (L10)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from shared.domain.contact import ContactFacts, Decision, Fired, Lift, Proposal
from shared.domain.contact_record import facts_to_document, plain, proposal_to_document


def decision_document(proposal: Proposal, facts: ContactFacts, decision: Decision) -> dict[str, Any]:
    """JSON-able. ``fired`` are the rules that objected; ``lift`` the smallest change that would do, where refused."""
    return {
        "at": proposal.at.isoformat(),
        "channel": proposal.channel,
        **answer_document(decision),
        "proposal": proposal_to_document(proposal),
        "facts": facts_to_document(facts),
    }


def answer_document(decision: Decision) -> dict[str, Any]:
    """The answer alone; equal for equal answers."""
    return {
        "outcome": decision.outcome.value,
        "until": _instant(decision.until),
        "release": decision.release,
        "retry": decision.retry,
        "rule_set": decision.rule_set,
        "overridden": list(decision.overridden),
        "fired": [_fired(each) for each in decision.fired],
        "lift": None if decision.lift is None else _lift(decision.lift),
    }


def _fired(fired: Fired) -> dict[str, Any]:
    return {
        "rule_id": fired.rule_id,
        "outcome": fired.outcome.value,
        "until": _instant(fired.until),
        "release": fired.release,
        "citation": fired.citation,
        "strength": fired.strength,
    }


def _lift(lift: Lift) -> dict[str, Any]:
    return {
        "releases": list(lift.releases),
        "changes": [{"path": each.path, "to": plain(each.to)} for each in lift.changes],
        "until": _instant(lift.until),
        "complete": lift.complete,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
