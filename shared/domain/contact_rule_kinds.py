"""The kinds of contact rule: what each checks, given its parameters. A pack (data) says which apply, and why.

``judge`` answers None (nothing against it), an instant (not before then: the earliest at which this rule allows it)
or a text (forbidden until this has happened).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Protocol
from zoneinfo import ZoneInfo

from shared.domain.calendar import ONE_DAY, at_local, zone
from shared.domain.contact_facts import ANY, Channel, ContactFacts, Proposal
from shared.domain.contact_hours import QuietWindow
from shared.domain.document import DocumentError, Section

Verdict = datetime | str | None


@dataclass(slots=True)
class Moment:
    """A proposal looked at as of ``at``: the proposed instant, or a later one that is tried in its place."""

    proposal: Proposal
    facts: ContactFacts
    at: datetime
    where: ZoneInfo
    local: datetime
    first_day: date

    def moved_to(self, at: datetime) -> Moment:
        return Moment(self.proposal, self.facts, at, self.where, at.astimezone(self.where), self.first_day)

    def count(self, channel: str) -> int:
        """Contacts of the channel on the local date of ``at``."""
        day = self.local.date()
        if day == self.first_day:
            return self.facts.reserved_today.get(channel, 0)
        counts = self.facts.reserved_on.get(day)
        return counts.get(channel, 0) if counts else 0

    def next_day(self) -> datetime:
        return at_local(self.local.date() + ONE_DAY, time.min, self.where.key)


class Check(Protocol):
    def judge(self, moment: Moment) -> Verdict: ...


@dataclass(frozen=True, slots=True)
class MandatoryFacts:
    """Facts without which nothing may be decided in the customer's favour or ours. Missing ones deny."""

    jurisdiction: str
    names: tuple[str, ...]

    def judge(self, moment: Moment) -> Verdict:
        return self.missing(moment.facts)

    def missing(self, facts: ContactFacts) -> str | None:
        """What has to be known first; asked before there is a Moment, which needs the zone."""
        unknown = [name for name in self.names if not getattr(facts, name)]
        if unknown:
            return f"known: {', '.join(unknown)}"
        if facts.jurisdiction != self.jurisdiction:
            return f"decided by the rules of {facts.jurisdiction}, not of {self.jurisdiction}"
        try:
            zone(facts.zone or "")
        except ValueError as unreadable:
            return f"a time zone that exists: {unreadable}"
        return None


@dataclass(frozen=True, slots=True)
class FactsPending:
    def judge(self, moment: Moment) -> Verdict:
        return "intake no longer blocked" if moment.facts.facts_pending else None


@dataclass(frozen=True, slots=True)
class UsablePoint:
    def judge(self, moment: Moment) -> Verdict:
        return None if moment.facts.point_usable else "a contact point that can be used"


@dataclass(frozen=True, slots=True)
class PointSource:
    allowed: frozenset[str]

    def judge(self, moment: Moment) -> Verdict:
        source = moment.facts.point_source
        if source in self.allowed:
            return None
        return "known: point_source" if source is None else "a contact point from a lawful source"


@dataclass(frozen=True, slots=True)
class OptOut:
    def judge(self, moment: Moment) -> Verdict:
        out = moment.facts.opted_out
        if not out:
            return None
        channel, purpose = moment.proposal.channel, moment.proposal.purpose
        if out.isdisjoint(((channel, purpose), (channel, ANY), (ANY, purpose), (ANY, ANY))):
            return None
        return "the customer withdraws the opt-out"


@dataclass(frozen=True, slots=True)
class Holds:
    """A hold forbids what it does not allow; one with a known end defers to it."""

    def judge(self, moment: Moment) -> Verdict:
        until: datetime | None = None
        for hold in moment.facts.holds:
            if moment.proposal.purpose in hold.allowed_purposes:
                continue
            if hold.until is None:
                return f"hold released: {hold.kind}"
            if hold.until > moment.at and (until is None or hold.until > until):
                until = hold.until
        return until


@dataclass(frozen=True, slots=True)
class QuietHours:
    window: QuietWindow
    lifted_by_consent: bool

    def judge(self, moment: Moment) -> Verdict:
        if self.lifted_by_consent and moment.facts.consents:
            consents = [given for given in moment.facts.consents if given.channel == moment.proposal.channel]
            if consents:
                return self.window.first_clear_with(moment.at, moment.where, consents)
        return self.window.first_clear(moment.at, moment.local, moment.where)


@dataclass(frozen=True, slots=True)
class DailyCap:
    """At most ``maximum`` contacts per local calendar date, the counts of ``channels`` summed, or one counter."""

    maximum: int
    channels: tuple[str, ...]
    counter: str | None

    def judge(self, moment: Moment) -> Verdict:
        if self.counter is None:
            made = sum([moment.count(channel) for channel in self.channels])
        else:
            today = moment.local.date() == moment.first_day
            made = moment.facts.counters.get(self.counter, 0) if today else 0
        return moment.next_day() if made >= self.maximum else None


@dataclass(frozen=True, slots=True)
class MinimumGap:
    gap: timedelta

    def judge(self, moment: Moment) -> Verdict:
        last = moment.facts.last_contact_at
        if last is None:
            return None
        clear = last.astimezone(UTC) + self.gap
        return clear if clear > moment.at else None


def _daily_cap(parameters: Section) -> DailyCap:
    counter = parameters.optional_text("counter")
    channels = parameters.words("counts", frozenset(Channel), default=())
    if bool(channels) == bool(counter):
        raise DocumentError(parameters.path, "counts either channels or one counter")
    return DailyCap(parameters.whole("max"), channels, counter)


def _quiet_hours(parameters: Section) -> QuietHours:
    start, end = parameters.clock("from"), parameters.clock("to")
    if start == end:
        raise DocumentError(parameters.path, "an hour window needs two different times")
    lifted_by = parameters.word("lifted_by", {"consent", "nothing"}, default="nothing")
    return QuietHours(QuietWindow(start, end), lifted_by == "consent")


def _mandatory_facts(parameters: Section) -> MandatoryFacts:
    names = parameters.words("facts", {"zone", "jurisdiction"})
    for needed in ("zone", "jurisdiction"):
        if needed not in names:
            raise DocumentError(parameters.path, f"{needed} can not be left out: without it no rule can be asked")
    return MandatoryFacts(parameters.text("jurisdiction"), names)


KINDS: Mapping[str, Callable[[Section], Check]] = MappingProxyType(
    {
        "mandatory_facts": _mandatory_facts,
        "facts_pending": lambda _: FactsPending(),
        "usable_point": lambda _: UsablePoint(),
        "point_source": lambda parameters: PointSource(frozenset(parameters.words("allowed"))),
        "opt_out": lambda _: OptOut(),
        "holds": lambda _: Holds(),
        "quiet_hours": _quiet_hours,
        "daily_cap": _daily_cap,
        "min_gap": lambda parameters: MinimumGap(timedelta(minutes=parameters.whole("minutes", low=1, high=525_600))),
    }
)

NEVER_ABSENT = ("mandatory_facts", "facts_pending", "usable_point", "opt_out", "holds")
"""A pack without one of these would allow contact that no jurisdiction allows."""
