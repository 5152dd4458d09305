"""The contact gate: may this person be contacted by this channel, for this purpose, at this instant?

Pure. Any forbid wins; else the latest ``until`` of those who ask to wait, and at that instant all rules are asked
again until none objects. Each rule answers with the earliest instant it allows, so the result is the earliest that
all allow. Where the person may be in one of several zones, every rule is asked in each of them. A rule that hangs on a
fact that is not known, or needs one, refuses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum

from shared.domain.calendar import at_local, zone
from shared.domain.contact_checks import Demand, PointSource
from shared.domain.contact_facts import (
    ANY,
    Channel,
    Consent,
    ContactFacts,
    HoldFact,
    Proposal,
    Purpose,
    Target,
)
from shared.domain.contact_moment import Change, Moment, Refusal, Verdict, moment_at
from shared.domain.contact_named_facts import NAMED, changed, missing
from shared.domain.contact_rules import OVERRIDABLE, Rule, RuleSet, parse_rules
from shared.domain.contact_time_checks import Hours

__all__ = [
    "ANY",
    "Channel",
    "Consent",
    "ContactFacts",
    "Decision",
    "Fired",
    "HoldFact",
    "Lift",
    "Outcome",
    "Proposal",
    "Purpose",
    "RuleSet",
    "Target",
    "allowed_until",
    "decide",
    "parse_rules",
]

LOOK_AHEAD = timedelta(days=60)
NO_SLOT = "no feasible slot"
_MOST_CHANGES = 25


class Outcome(StrEnum):
    ALLOW = "allow"
    DEFER = "defer"
    FORBID = "forbid"


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that objected: until when, or what has to happen first. ``change`` is the fact that would have to be
    otherwise; None where none that can be written down would do."""

    rule_id: str
    outcome: Outcome
    until: datetime | None
    release: str | None
    citation: str
    strength: str
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Lift:
    """The smallest change that lifts a refusal: once each of ``releases`` has happened (``changes``, fact by fact),
    the contact is allowed from ``until`` on, at once where that is None. Not ``complete``: some of it has to be found
    out or can not be changed, and what comes then is not known."""

    releases: tuple[str, ...]
    changes: tuple[Change, ...]
    until: datetime | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """``until`` (the earliest permitted instant, UTC) goes with defer, ``release`` and ``lift`` with forbid. ``retry``
    marks one that lifts by itself once our own intake has caught up. ``overridden`` are guidelines set aside for this
    contact. ``rule_set`` is the pack's name, version and hash."""

    outcome: Outcome
    until: datetime | None
    release: str | None
    fired: tuple[Fired, ...]
    rule_set: str
    retry: bool = False
    lift: Lift | None = None
    overridden: tuple[str, ...] = ()


def decide(proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> Decision:
    """Judge one proposed contact. Raises ValueError for a channel, purpose or addressee that does not exist."""
    decision = _judge(proposal, facts, rules)
    if decision.outcome is not Outcome.FORBID:
        return decision
    return replace(decision, lift=_smallest_change(proposal, facts, rules, decision))


def allowed_until(proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> datetime:
    """When the hours in which an allowed contact may happen end: the start of the next quiet hours, at most the start
    of the next local day. For the last look before the write, and for the validity a carrier is given.

    Consents are left aside, which can only make it earlier. Raises ValueError when the zone is not known.
    """
    if facts.zone is None:
        raise ValueError("without a zone there is no hour to be allowed")
    applying = rules.applying(proposal.channel, proposal.purpose, proposal.target)
    ends = []
    for moment in _moments(proposal, facts):
        ends.append(at_local(moment.today + timedelta(days=1), time.min, moment.where.key))
        for rule in applying:
            if isinstance(rule.check, Hours) and rule.in_force(moment.today):
                end = rule.check.ends(moment)
                if end is not None:
                    ends.append(end)
    return min(ends)


def _judge(proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> Decision:
    unready = rules.required.missing(facts)
    if unready is not None:
        fired = _fired(rules.mandatory, unready)
        return Decision(Outcome.FORBID, None, fired.release, (fired,), rules.label)
    moments = _moments(proposal, facts)
    gate = _Gate(proposal, facts, rules)
    objections = gate.objections(moments)
    if not objections:
        return Decision(Outcome.ALLOW, None, None, (), rules.label, overridden=gate.set_aside())
    at, told = moments[0].at, objections
    while objections:
        refusals = [one for one in objections.values() if one.until is None]
        if refusals:
            retry = all(one.rule_id == rules.pending_id for one in refusals)
            return Decision(Outcome.FORBID, None, refusals[0].release, tuple(told.values()), rules.label, retry)
        until = max([one.until for one in objections.values() if one.until is not None])
        if until <= at:
            raise RuntimeError(f"a rule defers to what has passed: {', '.join(objections)}")
        if until - proposal.at > LOOK_AHEAD:
            return Decision(Outcome.FORBID, None, NO_SLOT, tuple(told.values()), rules.label)
        at, moments = until, [moment.moved_to(until) for moment in moments]
        objections = gate.objections(moments)
        told = told | objections
    return Decision(Outcome.DEFER, at, None, tuple(told.values()), rules.label, overridden=gate.set_aside())


def _moments(proposal: Proposal, facts: ContactFacts) -> list[Moment]:
    """The proposal in each zone the person may be in; the one on record comes first."""
    at = proposal.at.astimezone(UTC)
    names = (facts.zone or "", *facts.zones) if facts.zones else (facts.zone or "",)
    return [moment_at(proposal, facts, at, zone(name)) for name in dict.fromkeys(names)]


def _cure(rule: Rule, lacking: list[str], proposal: Proposal, facts: ContactFacts) -> Change | None:
    """For one lacking fact that the rule itself asks for, or a yes or no that it hangs on: what it would have to be."""
    check = rule.check
    if isinstance(check, Demand | PointSource) and lacking == list(check.needs):
        return check.cure(proposal, facts)
    for condition in rule.when:
        if lacking == [condition.fact] and condition.values in ({True}, {False}):
            return Change(NAMED[condition.fact].path, to=condition.values == {False})
    return None


class _Gate:
    """The rules that are about one contact, asked at one instant after another."""

    __slots__ = ("_aside", "_facts", "_overrides", "_proposal", "_rules", "_states")

    def __init__(self, proposal: Proposal, facts: ContactFacts, rules: RuleSet) -> None:
        self._proposal, self._facts, self._rules = proposal, facts, rules
        self._overrides = {each.rule_id for each in proposal.overrides if each.valid}
        self._aside: dict[str, None] = {}
        self._states: dict[int, Refusal | bool] = {}

    def set_aside(self) -> tuple[str, ...]:
        return tuple(self._aside)

    def objections(self, moments: list[Moment]) -> dict[str, Fired]:
        """By rule; where zones differ the later instant, and a refusal before any."""
        found: dict[str, Fired] = {}
        proposal = self._proposal
        for moment in moments:
            for rule in self._rules.asked(proposal.channel, proposal.purpose, proposal.target, moment.today):
                verdict: Verdict = None
                if rule.mandatory:
                    state = self._state(rule)
                    if state is False:
                        continue
                    verdict = state if isinstance(state, Refusal) else None
                verdict = verdict or rule.check.judge(moment)
                if verdict is not None:
                    self._object(found, rule, verdict, moment)
        return found

    def _state(self, rule: Rule) -> Refusal | bool:
        """Whether the rule is about this contact, or what it refuses for at once: a fact it can not do without."""
        state = self._states.get(id(rule))
        if state is None:
            unknown = rule.unknown_or_unconcerned(self._proposal, self._facts)
            lacking = None if unknown is None else list(unknown) or missing(rule.mandatory, self._proposal, self._facts)
            if lacking:
                cure = _cure(rule, lacking, self._proposal, self._facts)
                state = Refusal(f"known: {', '.join(lacking)}", cure)
            else:
                state = lacking is not None
            self._states[id(rule)] = state
        return state

    def _object(self, found: dict[str, Fired], rule: Rule, verdict: datetime | Refusal, moment: Moment) -> None:
        if rule.rule_id in self._overrides and rule.strength in OVERRIDABLE:
            self._aside[rule.rule_id] = None
            return
        if rule.valid_to is not None and isinstance(verdict, datetime):
            verdict = min(verdict, moment.start_of(rule.valid_to))
        one, before = _fired(rule, verdict), found.get(rule.rule_id)
        if before is None or _sterner(one, before):
            found[rule.rule_id] = one


def _sterner(one: Fired, other: Fired) -> bool:
    if one.until is None or other.until is None:
        return one.until is None and other.until is not None
    return one.until > other.until


def _fired(rule: Rule, verdict: datetime | Refusal) -> Fired:
    if isinstance(verdict, Refusal):
        release, change = verdict.release, verdict.change
        return Fired(rule.rule_id, Outcome.FORBID, None, release, rule.citation, rule.strength, change)
    return Fired(rule.rule_id, Outcome.DEFER, verdict, None, rule.citation, rule.strength)


def _smallest_change(proposal: Proposal, facts: ContactFacts, rules: RuleSet, refused: Decision) -> Lift:
    """Change what the first refusal asks for and judge again, until nothing refuses: one change for each refusal that
    no other change lifts."""
    releases: list[str] = []
    changes: list[Change] = []
    decision = refused
    while decision.outcome is Outcome.FORBID and len(changes) < _MOST_CHANGES:
        refusals = [one for one in decision.fired if one.until is None]
        if not refusals:  # no slot in sight: not before the last instant that was asked for, and perhaps not then
            until = max(one.until for one in decision.fired if one.until is not None)
            return Lift(tuple(releases), tuple(changes), until, complete=False)
        first = refusals[0]
        if first.change is None:
            told = dict.fromkeys([*releases, *(one.release or "" for one in refusals)])
            return Lift(tuple(told), tuple(changes), None, complete=False)
        releases.append(first.release or "")
        changes.append(first.change)
        proposal, facts = changed(first.change.path, first.change.to, proposal, facts)
        decision = _judge(proposal, facts, rules)
    return Lift(tuple(releases), tuple(changes), decision.until, complete=decision.outcome is not Outcome.FORBID)
