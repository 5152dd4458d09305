"""The linter of texts: what a template or script must hold and must not, by the text rules of a pack.

A rule of kind ``required`` wants one of its placeholders or patterns in the text; one of kind ``forbidden`` finds its
placeholders and patterns in the parts it names. Each finding says the rule and the place. Patterns are regular
expressions, asked without regard to case, on text freed of invisible characters and of full-width letters, so that a
word is found however it is written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from shared.domain.contact_facts import Channel, Collector, Content, Purpose, Target
from shared.domain.document import DocumentError, Section

DEBT_FACTS = "debt_facts"
"""The finding of rules that tell words about a debt: what makes a text say something of it."""

_PLACEHOLDER = re.compile(r"\{\{ ?([a-z_0-9]+) ?\}\}")
_CHANNELS, _PURPOSES, _TARGETS = frozenset(Channel), frozenset(Purpose), frozenset(Target)
_COLLECTORS = frozenset(Collector)
_WHERE = frozenset({"subject", "body"})


class TextKind(StrEnum):
    REQUIRED = "required"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class Draft:
    """A text before anybody's values are in it."""

    language: str
    channel: str
    purpose: str
    body: str
    subject: str | None = None
    target: str = Target.DEBTOR.value
    collector: str = Collector.BANK.value


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule objects to and where: ``line`` and ``column`` count from 1, or the ``placeholder`` that is there
    or is missing (then at the end of the text)."""

    rule_id: str
    where: str
    line: int
    column: int
    words: str
    placeholder: str | None
    message: str
    citation: str

    @property
    def place(self) -> str:
        return f"{self.where} {self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class TextVector:
    """An example: the rule finds something in this text, at ``place`` where that is given, or nothing."""

    name: str
    draft: Draft
    found: bool
    place: str | None


@dataclass(frozen=True, slots=True)
class TextRule:
    """``finding`` is what the gate is told of a text that breaks a ``forbidden`` rule, ``part`` of one that keeps a
    ``required`` one. No ``languages``: any. In force on dates in [``valid_from``, ``valid_to``)."""

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
    collectors: frozenset[str]
    languages: frozenset[str]
    valid_from: date
    valid_to: date | None
    name: str
    where: frozenset[str]
    placeholders: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...] = field(hash=False)
    vectors: tuple[TextVector, ...] = field(repr=False)

    def in_force(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)

    def about(self, draft: Draft) -> bool:
        """Is this rule about texts like this one?"""
        return self.about_but_target(draft) and draft.target in self.targets

    def about_but_target(self, draft: Draft) -> bool:
        return (
            draft.channel in self.channels
            and draft.purpose in self.purposes
            and draft.collector in self.collectors
            and (not self.languages or draft.language in self.languages)
        )


def lint_text(draft: Draft, rules: Sequence[TextRule], on: date) -> tuple[Finding, ...]:
    """What the rules in force ``on`` a date object to, rule by rule in the order of the text."""
    asked = (rule for rule in rules if rule.in_force(on) and rule.about(draft))
    return tuple(finding for rule in asked for finding in _findings(rule, draft))


def content_of(draft: Draft, rules: Sequence[TextRule], on: date) -> Content:
    """What the contact gate has to know of the text."""
    asked = [rule for rule in rules if rule.in_force(on) and rule.about_but_target(draft)]
    broken = {rule.name for rule in asked if rule.kind == TextKind.FORBIDDEN and any(_findings(rule, draft))}
    parts = {rule.name for rule in asked if rule.kind == TextKind.REQUIRED and not any(_findings(rule, draft))}
    found = {rule.name for rule in asked if rule.about(draft)} & broken
    return Content(frozenset(parts), DEBT_FACTS in broken, frozenset(found))


def _findings(rule: TextRule, draft: Draft) -> Iterator[Finding]:
    texts = [(where, text) for where, text in (("subject", draft.subject), ("body", draft.body)) if text is not None]
    if rule.kind == TextKind.FORBIDDEN:
        for where, text in texts:
            if where in rule.where:
                yield from _forbidden(rule, where, text)
    elif not any(_holds(rule, text) for where, text in texts if where in rule.where):
        end = draft.body.rstrip("\n")
        wanted = next(iter(rule.placeholders), None)
        yield _finding(rule, "body", end, len(end), "", wanted, f"lacks {rule.name}")


def _forbidden(rule: TextRule, where: str, text: str) -> Iterator[Finding]:
    named = (match for match in _PLACEHOLDER.finditer(text) if match.group(1) in rule.placeholders)
    found: list[tuple[int, str, str | None]] = [(match.start(), match.group(), match.group(1)) for match in named]
    plain, places = _plain(text)
    for pattern in rule.patterns:
        for match in pattern.finditer(plain):
            if match.group():
                start, end = places[match.start()], places[match.end() - 1] + 1
                found.append((start, text[start:end], None))
    for start, words, placeholder in sorted(set(found), key=lambda each: each[:2]):
        yield _finding(rule, where, text, start, words, placeholder, f"says {words!r}: {rule.name}")


def _holds(rule: TextRule, text: str) -> bool:
    if any(match.group(1) in rule.placeholders for match in _PLACEHOLDER.finditer(text)):
        return True
    plain, _ = _plain(text)
    return any(pattern.search(plain) for pattern in rule.patterns)


def _plain(text: str) -> tuple[str, list[int]]:
    """The text as it is compared, and for each of its characters the place it has in the text as written."""
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if unicodedata.category(character) == "Cf":
            continue
        for each in unicodedata.normalize("NFKC", character):
            plain.append(each)
            places.append(place)
    return "".join(plain), places


def _finding(
    rule: TextRule, where: str, text: str, place: int, words: str, placeholder: str | None, message: str
) -> Finding:
    line = text.count("\n", 0, place) + 1
    column = place - (text.rfind("\n", 0, place) + 1) + 1
    return Finding(rule.rule_id, where, line, column, words, placeholder, message, rule.citation)


def read_text_rule(section: Section, strengths: Collection[str]) -> TextRule:
    """Read one rule of a pack's ``texts``. Raises DocumentError naming the path."""
    kind = section.word("kind", frozenset(TextKind))
    parameters = section.section("parameters")
    patterns = tuple(_pattern(parameters, each) for each in parameters.words("patterns", default=()))
    placeholders = parameters.words("placeholders", default=())
    if not patterns and not placeholders:
        raise DocumentError(parameters.path, "names neither patterns nor placeholders")
    where = frozenset(parameters.words("in", _WHERE, default=tuple(_WHERE)))
    name = parameters.text("part" if kind == TextKind.REQUIRED else "finding")
    parameters.finish()
    rule = TextRule(
        rule_id=section.text("id"),
        kind=kind,
        text=section.text("text"),
        citation=section.text("citation"),
        strength=section.word("strength", strengths),
        verified=section.flag("verified"),
        note=section.optional_text("note"),
        channels=frozenset(section.words("channels", _CHANNELS, default=tuple(_CHANNELS))),
        purposes=frozenset(section.words("purposes", _PURPOSES, default=tuple(_PURPOSES))),
        targets=frozenset(section.words("targets", _TARGETS, default=tuple(_TARGETS))),
        collectors=frozenset(section.words("collectors", _COLLECTORS, default=tuple(_COLLECTORS))),
        languages=frozenset(section.words("languages", default=())),
        valid_from=section.day("valid_from"),
        valid_to=section.optional_day("valid_to"),
        name=name,
        where=where,
        placeholders=placeholders,
        patterns=patterns,
        vectors=tuple(_vector(each) for each in section.sections("vectors")),
    )
    section.finish()
    return rule


def _pattern(parameters: Section, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as wrong:
        raise DocumentError(parameters.at("patterns"), f"{pattern!r} is not a regular expression: {wrong}") from None


def _vector(section: Section) -> TextVector:
    draft = Draft(
        language=section.text("language", "zh-CN"),
        channel=section.word("channel", _CHANNELS),
        purpose=section.word("purpose", _PURPOSES, default=Purpose.DUNNING.value),
        body=section.text("body"),
        subject=section.optional_text("subject"),
        target=section.word("target", _TARGETS, default=Target.DEBTOR.value),
        collector=section.word("collector", _COLLECTORS, default=Collector.BANK.value),
    )
    place = section.optional_text("at")
    vector = TextVector(section.text("name"), draft, section.word("expect", {"found", "clean"}) == "found", place)
    section.finish()
    return vector
