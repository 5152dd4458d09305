"""A jurisdiction's contact rules: read from a pack (data with citations and vectors), indexed for the gate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import combinations
from types import MappingProxyType
from typing import Any

from shared.domain.contact_checks import Addressees, MandatoryFacts
from shared.domain.contact_counters import Key
from shared.domain.contact_facts import Channel, ContactFacts, Proposal, Purpose, Target
from shared.domain.contact_legal_checks import Limitation, ProvedLost
from shared.domain.contact_moment import Check
from shared.domain.contact_named_facts import NAMED, Form
from shared.domain.contact_rule_kinds import KINDS, NEVER_ABSENT
from shared.domain.contact_time_checks import CountedCap, MinimumGap
from shared.domain.document import DocumentError, Section, content_hash
from shared.domain.lost_contact import Triggers
from shared.domain.template_lint import TextRule, read_text_rule

STRENGTHS = frozenset({"L", "N", "G", "g", "C", "E"})
"""Statute, regulator's notice, standard ("should not"), guideline ("preferably not"), contract, engineering."""

OVERRIDABLE = frozenset({"g"})
"""Only what is "preferably not" done may be done once, with a reason and a second person."""

_REMEMBERED = 4096
_SHORT_GAP = timedelta(hours=12)  # the latest contact of so long ago is known with the counts of the day
_TEXTS = frozenset({Channel.SMS.value, Channel.EMAIL.value})
_ALL_CHANNELS = frozenset(Channel)
_ALL_PURPOSES = frozenset(Purpose)
_ALL_TARGETS = frozenset(Target)


@dataclass(frozen=True, slots=True)
class Vector:
    """An example that belongs to a rule: asked on its own, with the whole pack in force, the gate answers ``expect``.

    ``given`` changes the facts of the pack's ordinary customer, ``proposal`` those of an ordinary contact; both are
    written as decisions are stored (``shared/domain/contact_record.py``).
    """

    name: str
    channel: str
    purpose: str
    at: str
    given: Mapping[str, Any] = field(hash=False)
    proposal: Mapping[str, Any] = field(hash=False)
    expect: str
    until: str | None
    fired: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A rule is about contacts of which a named fact has one of these values."""

    fact: str
    values: frozenset[Any]

    def met(self, proposal: Proposal, facts: ContactFacts) -> bool | None:
        """None when the fact is not known."""
        value = NAMED[self.fact].value(proposal, facts)
        if value is None:
            return None
        if isinstance(value, frozenset):
            return not self.values.isdisjoint(value)
        return value in self.values


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, or one version of it. In force at an instant whose local date is in [``valid_from``, ``valid_to``).

    It is about contacts by ``channels``, for ``purposes``, with ``targets``, that meet every condition of ``when``.
    ``mandatory`` are the facts without which such a contact is refused: what its conditions and its kind ask for, and
    what the pack adds.
    """

    rule_id: str
    kind: str
    text: str
    citation: str
    strength: str
    verified: bool
    note: str | None
    channels: frozenset[str]
    purposes: frozenset[str]
    targets: frozenset[str]
    when: tuple[Condition, ...]
    mandatory: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    parameters: Mapping[str, Any] = field(hash=False)
    check: Check = field(repr=False)
    vectors: tuple[Vector, ...] = field(repr=False)

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def about(self, channel: str, purpose: str, target: str) -> bool:
        """Could the rule have anything to say of such a contact, whatever the facts?"""
        if channel not in self.channels or purpose not in self.purposes or target not in self.targets:
            return False
        return not (isinstance(self.check, Addressees) and target in self.check.allowed)

    def looks_back(self, channels: frozenset[str]) -> int:
        """Over how many calendar dates it asks for each single contact by one of ``channels``; 0 where the counts of
        the day do."""
        check = self.check
        if isinstance(check, CountedCap) and channels & check.counter.channels:
            return check.dates
        if isinstance(check, MinimumGap) and check.gap > _SHORT_GAP and channels & self.channels:
            return check.gap.days + 2
        return 0

    def asks_permission(self) -> bool:
        """Does it hang on what the person agreed to on record, besides hours?"""
        lifted = isinstance(self.check, CountedCap) and self.check.lifted_by is not None
        return lifted or "permissions" in self.mandatory

    def leaves_debtor_out(self) -> bool:
        """Does it count what one third person hears, and nothing that the debtor does?"""
        check = self.check
        own = isinstance(check, CountedCap) and check.counter.key == Key.PERSON
        return own and Target.DEBTOR not in self.targets

    def unknown_or_unconcerned(self, proposal: Proposal, facts: ContactFacts) -> tuple[str, ...] | None:
        """The facts on which it hangs whether this rule is about the contact, None when it surely is not; empty when
        it surely is."""
        unknown = []
        for condition in self.when:
            met = condition.met(proposal, facts)
            if met is False:
                return None
            if met is None:
                unknown.append(condition.fact)
        return tuple(unknown)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one jurisdiction. ``hash`` is the SHA-256 of the pack's content; ``label`` goes with decisions.

    ``ordinary`` (``facts`` and ``proposal``) is the customer and the contact that vectors change, ``texts`` are the
    rules for templates, ``notes`` what the pack says beside its rules. ``dates_back``: over how many calendar dates its
    rules ask for each single contact; ``texts_back``: for texts and mails to the debtor, 0 where counts of the day do.
    ``asks_permission``: the channels of which a rule asks what the person agreed to.
    """

    jurisdiction: str
    name: str
    version: int
    hash: str
    rules: tuple[Rule, ...] = field(repr=False)
    mandatory: Rule = field(repr=False)
    required: MandatoryFacts = field(repr=False)
    pending_id: str = field(repr=False)
    texts: tuple[TextRule, ...] = field(default=(), repr=False)
    ordinary: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}), repr=False, compare=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    label: str = field(init=False)
    dates_back: int = field(init=False, repr=False, compare=False)
    texts_back: int = field(init=False, repr=False, compare=False)
    asks_permission: frozenset[str] = field(init=False, repr=False, compare=False)
    _about: dict[tuple[str, str, str], tuple[Rule, ...]] = field(init=False, repr=False, compare=False)
    _asked: dict[tuple[str, str, str, date], tuple[Rule, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_about", {})
        object.__setattr__(self, "_asked", {})
        object.__setattr__(self, "label", f"{self.name}@{self.version}:{self.hash[:16]}")
        debtors = [rule for rule in self.rules if not rule.leaves_debtor_out()]
        object.__setattr__(self, "texts_back", max((rule.looks_back(_TEXTS) for rule in debtors), default=0))
        object.__setattr__(self, "dates_back", max((each.looks_back(_ALL_CHANNELS) for each in self.rules), default=0))
        asking = [each.channels for each in self.rules if each.asks_permission()]
        object.__setattr__(self, "asks_permission", frozenset().union(*asking))

    def applying(self, channel: str, purpose: str, target: str = Target.DEBTOR.value) -> tuple[Rule, ...]:
        """The rules to ask, mandatory facts aside. Raises ValueError for a channel, purpose or addressee that does not
        exist."""
        key = (channel, purpose, target)
        found = self._about.get(key)
        if found is None:
            if channel not in _ALL_CHANNELS or purpose not in _ALL_PURPOSES or target not in _ALL_TARGETS:
                raise ValueError(f"no such contact: {purpose!r} by {channel!r} with {target!r}")
            rules = (rule for rule in self.rules if rule is not self.mandatory)
            found = self._about[key] = tuple(rule for rule in rules if rule.about(channel, purpose, target))
        return found

    def asked(self, channel: str, purpose: str, target: str, day: date) -> tuple[Rule, ...]:
        """Those of ``applying`` that are in force on a date; remembered, since decisions of a day are many."""
        key = (channel, purpose, target, day)
        found = self._asked.get(key)
        if found is None:
            found = tuple(rule for rule in self.applying(channel, purpose, target) if rule.in_force(day))
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            self._asked[key] = found
        return found

    def lost_triggers(self, on: date) -> Triggers | None:
        """What makes a debtor lost by the rules in force on a date; None where they do not say."""
        found = [rule.check for rule in self.rules if isinstance(rule.check, ProvedLost) and rule.in_force(on)]
        return found[0].triggers if found else None

    def limitation(self, on: date) -> Limitation | None:
        """How long claims can be brought by the rules in force on a date; None where the pack does not say."""
        found = [rule.check for rule in self.rules if isinstance(rule.check, Limitation) and rule.in_force(on)]
        return found[0] if found else None

    def rule(self, rule_id: str, on: date | None = None) -> Rule:
        """The rule of this id: the version in force ``on`` a date, or the newest. Raises KeyError."""
        found = [rule for rule in self.rules if rule.rule_id == rule_id and (on is None or rule.in_force(on))]
        if not found:
            raise KeyError(rule_id)
        return max(found, key=lambda rule: rule.valid_from)


def parse_rules(document: Mapping[str, Any]) -> RuleSet:
    """Read a pack. Raises DocumentError naming the path; a pack that lacks a rule no pack may lack is refused."""
    root = Section(document, "rules")
    jurisdiction, name, version = root.text("jurisdiction"), root.text("name"), root.whole("version", low=1)
    ordinary = _ordinary(root.section("ordinary", {}))
    notes = root.words("notes", default=())
    rules = tuple(_rule(section) for section in root.sections("rules"))
    texts = tuple(read_text_rule(section, STRENGTHS) for section in root.sections("texts", []))
    root.finish()
    _check_versions([*rules, *texts])
    for kind in NEVER_ABSENT:
        if sum(rule.kind == kind for rule in rules) != 1:
            raise DocumentError("rules.rules", f"needs exactly one rule of kind {kind}")
    mandatory, required = _required(rules, jurisdiction)
    return RuleSet(
        jurisdiction,
        name,
        version,
        content_hash(document),
        rules,
        mandatory,
        required,
        pending_id=next(rule.rule_id for rule in rules if rule.kind == "facts_pending"),
        texts=texts,
        ordinary=ordinary,
        notes=notes,
    )


def _ordinary(section: Section) -> Mapping[str, Any]:
    ordinary = {"facts": dict(section.raw("facts", {})), "proposal": dict(section.raw("proposal", {}))}
    section.finish()
    return MappingProxyType(ordinary)


def _check_versions(rules: list[Rule | TextRule]) -> None:
    """Versions of one rule share its id and follow each other in time; two in force on one day are one too many."""
    by_id: dict[str, list[Rule | TextRule]] = {}
    for rule in rules:
        by_id.setdefault(rule.rule_id, []).append(rule)
    for rule_id, versions in by_id.items():
        for one, other in combinations(versions, 2):
            if one.in_force(other.valid_from) or other.in_force(one.valid_from):
                raise DocumentError("rules.rules", f"{rule_id} is there {len(versions)} times for one day")


def _required(rules: tuple[Rule, ...], jurisdiction: str) -> tuple[Rule, MandatoryFacts]:
    for rule in rules:
        if isinstance(rule.check, MandatoryFacts):
            if rule.check.jurisdiction != jurisdiction:
                raise DocumentError("rules.rules", f"{rule.rule_id} is about another jurisdiction than the pack")
            return rule, rule.check
    raise DocumentError("rules.rules", "needs exactly one rule of kind mandatory_facts")


def _rule(section: Section) -> Rule:
    kind = section.word("kind", KINDS.keys())
    parameters = section.section("parameters", {})
    check = KINDS[kind].read(parameters)
    parameters.finish()
    when = _conditions(section)
    needed = (*(condition.fact for condition in when), *check.needs)
    rule = Rule(
        rule_id=section.text("id"),
        kind=kind,
        text=section.text("text"),
        citation=section.text("citation"),
        strength=section.word("strength", STRENGTHS),
        verified=section.flag("verified"),
        note=section.optional_text("note"),
        channels=frozenset(section.words("channels", _ALL_CHANNELS, default=tuple(_ALL_CHANNELS))),
        purposes=frozenset(section.words("purposes", _ALL_PURPOSES, default=tuple(_ALL_PURPOSES))),
        targets=frozenset(section.words("targets", _ALL_TARGETS, default=tuple(_ALL_TARGETS))),
        when=when,
        mandatory=tuple(dict.fromkeys((*needed, *section.words("mandatory", NAMED.keys(), default=())))),
        valid_from=section.day("valid_from"),
        valid_to=section.optional_day("valid_to"),
        parameters=MappingProxyType(dict(section.raw("parameters", {}))),
        check=check,
        vectors=tuple(_vector(each) for each in section.sections("vectors")),
    )
    section.finish()
    _check_rule(section, rule)
    return rule


def _check_rule(section: Section, rule: Rule) -> None:
    everywhere = (rule.channels, rule.targets, rule.when, rule.valid_to) == (_ALL_CHANNELS, _ALL_TARGETS, (), None)
    if rule.kind in NEVER_ABSENT and not everywhere:
        raise DocumentError(section.path, f"{rule.kind} holds for every channel and without end")
    if rule.valid_to is not None and rule.valid_to <= rule.valid_from:
        raise DocumentError(section.at("valid_to"), "is not after valid_from")


def _conditions(section: Section) -> tuple[Condition, ...]:
    conditions = []
    when = section.section("when", {})
    for fact in when.names():
        named = NAMED.get(fact)
        if named is None or named.form in (Form.OTHER, Form.NUMBER):
            raise DocumentError(when.at(fact), "is not a fact that a rule can hang on")
        if named.form is Form.FLAG:
            values: frozenset[Any] = frozenset({when.flag(fact)})
        else:
            values = frozenset(when.words(fact, named.words or None))
        conditions.append(Condition(fact, values))
    when.finish()
    return tuple(conditions)


def _vector(section: Section) -> Vector:
    vector = Vector(
        name=section.text("name"),
        channel=section.word("channel", _ALL_CHANNELS),
        purpose=section.word("purpose", _ALL_PURPOSES, default="dunning"),
        at=section.text("at"),
        given=MappingProxyType(dict(section.raw("given", {}))),
        proposal=MappingProxyType(dict(section.raw("proposal", {}))),
        expect=section.word("expect", {"allow", "defer", "forbid"}),
        until=section.optional_text("until"),
        fired=section.flag("fired", default=True),
    )
    section.finish()
    if (vector.expect == "defer") != (vector.until is not None):
        raise DocumentError(section.path, "until belongs to a defer, and to nothing else")
    return vector
