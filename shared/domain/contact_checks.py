"""Checks that ask what is known and permitted, whatever the hour: facts, points, holds, opt-outs, addressees, content.

``judge`` answers None (nothing against it), an instant (the earliest at which this rule allows it) or a Refusal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.domain.calendar import zone
from shared.domain.contact_facts import ANY, Channel, ContactFacts, HoldFact, PlaceRefusal, Proposal, Target
from shared.domain.contact_moment import Change, Moment, Refusal, Verdict
from shared.domain.contact_named_facts import NAMED

NOTHING: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MandatoryFacts:
    """Facts without which nothing may be decided in the customer's favour or ours. Missing ones deny."""

    jurisdiction: str
    names: tuple[str, ...]
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        return self.missing(moment.facts)

    def missing(self, facts: ContactFacts) -> Refusal | None:
        """What has to be known first; asked before there is a Moment, which needs the zone."""
        unknown = [name for name in self.names if not getattr(facts, name)]
        if unknown:
            return Refusal(f"known: {', '.join(unknown)}")
        if facts.jurisdiction != self.jurisdiction:
            return Refusal(f"decided by the rules of {facts.jurisdiction}, not of {self.jurisdiction}")
        try:
            for name in (facts.zone or "", *facts.zones):
                zone(name)
        except ValueError as unreadable:
            return Refusal(f"a time zone that exists: {unreadable}")
        return None


@dataclass(frozen=True, slots=True)
class FactsPending:
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if not moment.facts.facts_pending:
            return None
        return Refusal("intake no longer blocked", Change("facts.facts_pending", to=False))


@dataclass(frozen=True, slots=True)
class UsablePoint:
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if moment.facts.point_usable:
            return None
        return Refusal("a contact point that can be used", Change("facts.point_usable", to=True))


@dataclass(frozen=True, slots=True)
class PointSource:
    allowed: tuple[str, ...]
    needs: tuple[str, ...] = ("point_source",)

    def judge(self, moment: Moment) -> Verdict:
        if moment.facts.point_source in self.allowed:
            return None
        return Refusal("a contact point from a lawful source", self.cure(moment.proposal, moment.facts))

    def cure(self, proposal: Proposal, facts: ContactFacts) -> Change:
        return Change("facts.point_source", self.allowed[0])


@dataclass(frozen=True, slots=True)
class OptOut:
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        out = moment.facts.opted_out
        if not out:
            return None
        channel, purpose = moment.proposal.channel, moment.proposal.purpose
        binding = {(channel, purpose), (channel, ANY), (ANY, purpose), (ANY, ANY)}
        if out.isdisjoint(binding):
            return None
        return Refusal("the customer withdraws the opt-out", Change("facts.opted_out", out - binding))


@dataclass(frozen=True, slots=True)
class Holds:
    """A hold forbids what it does not allow; one with a known end defers to it. Those of a kind in ``own_person``
    protect the debtor in person and stop nobody else. A step in court is no word to the debtor: it goes on under holds
    of a kind in ``legal_passes`` and under no other, whatever purposes they allow."""

    own_person: frozenset[str] = frozenset()
    legal_passes: frozenset[str] = frozenset()
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        until: datetime | None = None
        for hold in moment.facts.holds:
            if not self._stops(hold, moment):
                continue
            if hold.until is None:
                rest = tuple(each for each in moment.facts.holds if each != hold)
                return Refusal(f"hold released: {hold.kind}", Change("facts.holds", rest))
            if hold.until > moment.at and (until is None or hold.until > until):
                until = hold.until
        return until

    def _stops(self, hold: HoldFact, moment: Moment) -> bool:
        proposal = moment.proposal
        if hold.kind in self.own_person and proposal.target != Target.DEBTOR:
            return False
        if proposal.channel == Channel.LEGAL:
            return hold.kind not in self.legal_passes
        return proposal.purpose not in hold.allowed_purposes


@dataclass(frozen=True, slots=True)
class Addressees:
    """Only these may be contacted."""

    allowed: tuple[str, ...]
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        if moment.proposal.target in self.allowed:
            return None
        return Refusal(f"another addressee: {' or '.join(self.allowed)}", Change("proposal.target", self.allowed[0]))


@dataclass(frozen=True, slots=True)
class Findings:
    """The text or script has nothing in it that a review found and that may not be said."""

    forbidden: frozenset[str]
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        findings = moment.proposal.content.findings
        if findings.isdisjoint(self.forbidden):
            return None
        named = ", ".join(sorted(findings & self.forbidden))
        rest = Change("proposal.content.findings", findings - self.forbidden)
        return Refusal(f"a text that is free of: {named}", rest)


@dataclass(frozen=True, slots=True)
class RefusedPlaces:
    """A kind of place at which the person is not to be contacted; while one is on record, the point's has to be."""

    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        refusals = [each for each in moment.facts.refused_places if each.until is None or each.until > moment.at]
        if not refusals:
            return None
        place = moment.facts.point_place
        binding = [each for each in refusals if place is None or each.place == place]
        if not binding:
            return None
        if any(each.until is None for each in binding):
            return self._refusal(moment, binding)
        return max(each.until for each in binding if each.until is not None)

    def _refusal(self, moment: Moment, binding: list[PlaceRefusal]) -> Refusal:
        if moment.facts.point_place is None:
            return Refusal("known: point_place")
        rest = tuple(each for each in moment.facts.refused_places if each not in binding)
        return Refusal(f"a contact point that is not at {binding[0].place}", Change("facts.refused_places", rest))


@dataclass(frozen=True, slots=True)
class Demand:
    """A named fact has to be so: a flag set as told, a word one of those, a number at least that, words holding all."""

    fact: str
    value: bool | None = None
    one_of: tuple[str, ...] = ()
    least: int | None = None
    contains: frozenset[str] = frozenset()
    release: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.fact,)

    def judge(self, moment: Moment) -> Verdict:
        value = NAMED[self.fact].value(moment.proposal, moment.facts)
        return None if self._met(value) else Refusal(self.release, self.cure(moment.proposal, moment.facts))

    def _met(self, value: Any) -> bool:
        if self.value is not None:
            return value is self.value
        if self.least is not None:
            return bool(value >= self.least)
        if self.contains:
            return not self.contains - value
        return value in self.one_of

    def cure(self, proposal: Proposal, facts: ContactFacts) -> Change:
        """What would satisfy it; also where the fact is not known."""
        named = NAMED[self.fact]
        if self.value is not None:
            return Change(named.path, self.value)
        if self.least is not None:
            return Change(named.path, self.least)
        if self.contains:
            return Change(named.path, (named.value(proposal, facts) or frozenset()) | self.contains)
        return Change(named.path, self.one_of[0])


@dataclass(frozen=True, slots=True)
class Never:
    """Nothing is permitted under this pack yet."""

    release: str
    needs: tuple[str, ...] = NOTHING

    def judge(self, moment: Moment) -> Verdict:
        return Refusal(self.release)
