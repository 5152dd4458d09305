"""A jurisdiction's contact rules: read from a pack (data with citations and vectors), indexed for the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Any

from shared.domain.contact_facts import Channel, Purpose
from shared.domain.contact_rule_kinds import KINDS, NEVER_ABSENT, Check, MandatoryFacts
from shared.domain.document import DocumentError, Section, content_hash

STRENGTHS = frozenset({"L", "N", "G", "g", "C", "E"})
"""Statute, regulator's notice, standard ("should not"), guideline ("preferably not"), contract, engineering."""

_ALL_CHANNELS = frozenset(Channel)
_ALL_PURPOSES = frozenset(Purpose)


@dataclass(frozen=True, slots=True)
class Vector:
    """An example that belongs to a rule: asked on its own, with the whole pack in force, the gate answers ``expect``.

    ``given`` overrides the facts of an ordinary customer; the reader of vectors in the tests knows the keys.
    """

    name: str
    channel: str
    purpose: str
    at: str
    given: Mapping[str, Any] = field(hash=False)
    expect: str
    until: str | None
    fired: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. In force at an instant whose local date is in [``valid_from``, ``valid_to``)."""

    rule_id: str
    kind: str
    text: str
    citation: str
    strength: str
    verified: bool
    channels: frozenset[str]
    purposes: frozenset[str]
    valid_from: date
    valid_to: date | None
    parameters: Mapping[str, Any] = field(hash=False)
    check: Check = field(repr=False)
    vectors: tuple[Vector, ...] = field(repr=False)

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True, slots=True)
class RuleSet:
    """All rules of one jurisdiction. ``hash`` is the SHA-256 of the pack's content; ``label`` goes with decisions."""

    jurisdiction: str
    name: str
    version: int
    hash: str
    rules: tuple[Rule, ...] = field(repr=False)
    mandatory: Rule = field(repr=False)
    required: MandatoryFacts = field(repr=False)
    pending_id: str = field(repr=False)
    label: str = field(init=False)
    _applying: Mapping[tuple[str, str], tuple[Rule, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pairs = [(channel, purpose) for channel in _ALL_CHANNELS for purpose in _ALL_PURPOSES]
        index = {
            (channel, purpose): tuple(
                rule
                for rule in self.rules
                if rule is not self.mandatory and channel in rule.channels and purpose in rule.purposes
            )
            for channel, purpose in pairs
        }
        object.__setattr__(self, "_applying", MappingProxyType(index))
        object.__setattr__(self, "label", f"{self.name}@{self.version}:{self.hash[:16]}")

    def applying(self, channel: str, purpose: str) -> tuple[Rule, ...]:
        """The rules to ask, mandatory facts aside. Raises ValueError for a channel or purpose that does not exist."""
        try:
            return self._applying[channel, purpose]
        except KeyError:
            raise ValueError(f"no such contact: {purpose!r} by {channel!r}") from None

    def rule(self, rule_id: str) -> Rule:
        for rule in self.rules:
            if rule.rule_id == rule_id:
                return rule
        raise KeyError(rule_id)


def parse_rules(document: Mapping[str, Any]) -> RuleSet:
    """Read a pack. Raises DocumentError naming the path; a pack that lacks a rule no pack may lack is refused."""
    root = Section(document, "rules")
    jurisdiction, name, version = root.text("jurisdiction"), root.text("name"), root.whole("version", low=1)
    rules = tuple(_rule(section) for section in root.sections("rules"))
    root.finish()
    for rule_id, times in Counter(rule.rule_id for rule in rules).items():
        if times > 1:
            raise DocumentError("rules.rules", f"{rule_id} is there {times} times")
    for kind in NEVER_ABSENT:
        if sum(rule.kind == kind for rule in rules) != 1:
            raise DocumentError("rules.rules", f"needs exactly one rule of kind {kind}")
    mandatory, required = _required(rules, jurisdiction)
    pending_id = next(rule.rule_id for rule in rules if rule.kind == "facts_pending")
    return RuleSet(jurisdiction, name, version, content_hash(document), rules, mandatory, required, pending_id)


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
    check = KINDS[kind](parameters)
    parameters.finish()
    rule = Rule(
        rule_id=section.text("id"),
        kind=kind,
        text=section.text("text"),
        citation=section.text("citation"),
        strength=section.word("strength", STRENGTHS),
        verified=section.flag("verified"),
        channels=frozenset(section.words("channels", _ALL_CHANNELS, default=tuple(_ALL_CHANNELS))),
        purposes=frozenset(section.words("purposes", _ALL_PURPOSES, default=tuple(_ALL_PURPOSES))),
        valid_from=section.day("valid_from"),
        valid_to=section.optional_day("valid_to"),
        parameters=MappingProxyType(dict(section.raw("parameters", {}))),
        check=check,
        vectors=tuple(_vector(each) for each in section.sections("vectors")),
    )
    section.finish()
    if kind in NEVER_ABSENT and (rule.channels != _ALL_CHANNELS or rule.valid_to is not None):
        raise DocumentError(section.path, f"{kind} holds for every channel and without end")
    if rule.valid_to is not None and rule.valid_to <= rule.valid_from:
        raise DocumentError(section.at("valid_to"), "is not after valid_from")
    return rule


def _vector(section: Section) -> Vector:
    vector = Vector(
        name=section.text("name"),
        channel=section.word("channel", _ALL_CHANNELS),
        purpose=section.word("purpose", _ALL_PURPOSES, default="dunning"),
        at=section.text("at"),
        given=MappingProxyType(dict(section.raw("given", {}))),
        expect=section.word("expect", {"allow", "defer", "forbid"}),
        until=section.optional_text("until"),
        fired=section.flag("fired", default=True),
    )
    section.finish()
    if (vector.expect == "defer") != (vector.until is not None):
        raise DocumentError(section.path, "until belongs to a defer, and to nothing else")
    return vector
