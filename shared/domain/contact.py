"""The contact gate: may this customer be contacted by this channel, for this purpose, at this instant?

Pure. Any forbid wins; else the latest ``until`` of those who ask to wait, and at that instant all rules are asked
again until none objects. Each rule answers with the earliest instant it allows, so the result is the earliest that
all allow.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from shared.domain.calendar import at_local, zone
from shared.domain.contact_facts import (
    ANY,
    Channel,
    Consent,
    ContactFacts,
    HoldFact,
    Proposal,
    Purpose,
)
from shared.domain.contact_rule_kinds import Moment, QuietHours
from shared.domain.contact_rules import Rule, RuleSet, parse_rules

__all__ = [
    "ANY",
    "Channel",
    "Consent",
    "ContactFacts",
    "Decision",
    "Fired",
    "HoldFact",
    "Outcome",
    "Proposal",
    "Purpose",
    "RuleSet",
    "allowed_until",
    "decide",
    "parse_rules",
]

LOOK_AHEAD = timedelta(days=60)
NO_SLOT = "no feasible slot"


class Outcome(StrEnum):
    ALLOW = "allow"
    DEFER = "defer"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that objected: until when, or what has to happen first."""

    rule_id: str
    outcome: Outcome
    until: datetime | None
    release: str | None
    citation: str
    strength: str


@dataclass(frozen=True, slots=True)
class Decision:
    """``until`` (the earliest permitted instant, UTC) goes with defer, ``release`` with forbid. ``retry`` marks one
    that lifts by itself once our own intake has caught up. ``rule_set`` is the pack's name, version and hash."""

    outcome: Outcome
    until: datetime | None
    release: str | None
    fired: tuple[Fired, ...]
    rule_set: str
    retry: bool = False


def decide(proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> Decision:
    """Judge one proposed contact. Raises ValueError for a channel or purpose that does not exist."""
    applying = rules.applying(proposal.channel, proposal.purpose)
    moment = _moment(proposal, facts, rules)
    if isinstance(moment, Fired):
        return Decision(Outcome.FORBID, None, moment.release, (moment,), rules.label)
    objections = _objections(applying, moment)
    if not objections:
        return Decision(Outcome.ALLOW, None, None, (), rules.label)
    fired = {one.rule_id: one for one in objections}
    while objections:
        refusals = [one for one in objections if one.until is None]
        if refusals:
            retry = all(one.rule_id == rules.pending_id for one in refusals)
            return Decision(Outcome.FORBID, None, refusals[0].release, tuple(fired.values()), rules.label, retry)
        until = max([one.until for one in objections if one.until is not None])
        if until <= moment.at:
            raise RuntimeError(f"a rule defers to what has passed: {', '.join(one.rule_id for one in objections)}")
        if until - proposal.at > LOOK_AHEAD:
            return Decision(Outcome.FORBID, None, NO_SLOT, tuple(fired.values()), rules.label)
        moment = moment.moved_to(until)
        objections = _objections(applying, moment)
        fired |= {one.rule_id: one for one in objections}
    return Decision(Outcome.DEFER, moment.at, None, tuple(fired.values()), rules.label)


def allowed_until(proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> datetime:
    """When the hours in which an allowed contact may happen end: the start of the next quiet hours, at most the start
    of the next local day. For the last look before the write, and for the validity a carrier is given.

    Consents are left aside, which can only make it earlier. Raises ValueError when the zone is not known.
    """
    if facts.zone is None:
        raise ValueError("without a zone there is no hour to be allowed")
    where = zone(facts.zone)
    local = proposal.at.astimezone(where)
    ends = at_local(local.date() + timedelta(days=1), time.min, where.key)
    for rule in rules.applying(proposal.channel, proposal.purpose):
        if isinstance(rule.check, QuietHours) and rule.in_force(local.date()):
            ends = min(ends, rule.check.window.next_start(proposal.at.astimezone(UTC), where))
    return ends


def _moment(proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> Moment | Fired:
    """The proposal in its zone, or the refusal for want of facts without which there is none."""
    missing = rules.required.missing(facts)
    if missing is not None:
        return _fired(rules.mandatory, missing)
    where = zone(facts.zone or "")
    at = proposal.at.astimezone(UTC)
    local = at.astimezone(where)
    return Moment(proposal, facts, at, where, local, local.date())


def _objections(applying: tuple[Rule, ...], moment: Moment) -> list[Fired]:
    day = moment.local.date()
    objections = []
    for rule in applying:
        if not rule.in_force(day):
            continue
        verdict = rule.check.judge(moment)
        if verdict is None:
            continue
        if rule.valid_to is not None and not isinstance(verdict, str):
            verdict = min(verdict, at_local(rule.valid_to, time.min, moment.where.key))
        objections.append(_fired(rule, verdict))
    return objections


def _fired(rule: Rule, verdict: datetime | str) -> Fired:
    if isinstance(verdict, str):
        return Fired(rule.rule_id, Outcome.FORBID, None, verdict, rule.citation, rule.strength)
    return Fired(rule.rule_id, Outcome.DEFER, verdict, None, rule.citation, rule.strength)
