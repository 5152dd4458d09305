"""A bank's own rules over a pack: tighter as it likes, looser only with a signature, and the law never.

``overlay`` makes a pack document of a pack document, so what decides is a pack like any other, with its own hash. A
change takes effect on its date: the version before it ends there, and contacts planned for earlier dates are judged by
that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.domain.contact_facts import Channel, Purpose, Target
from shared.domain.contact_rule_kinds import KINDS, NEVER_ABSENT
from shared.domain.contact_rules import RuleSet, parse_rules
from shared.domain.contact_tightness import Direction, more
from shared.domain.document import DocumentError, Section, read_day

Document = Mapping[str, Any]

THE_LAW = frozenset({"L", "N"})
"""What a statute or a regulator says is not a bank's to loosen: who reads it otherwise changes the pack."""

_ADDED = (("rules", "add"), ("texts", "add_texts"))
_PLACE = re.compile(r"rules\.(?P<list>rules|texts)\[(?P<place>\d+)\](?P<rest>.*)", re.DOTALL)
_SCOPE: Mapping[str, frozenset[str]] = {
    "channels": frozenset(Channel),
    "purposes": frozenset(Purpose),
    "targets": frozenset(Target),
}


class LooseningRefused(DocumentError):
    """A change that permits more than the pack, without a signature or against the law."""


@dataclass(frozen=True, slots=True)
class SignOff:
    """Who answers for a loosening, when they signed, and why."""

    by: str
    on: date
    why: str


@dataclass(frozen=True, slots=True)
class _RuleChange:
    path: str
    rule_id: str
    starts: date
    parameters: Mapping[str, Any]
    scope: Mapping[str, tuple[str, ...]]
    retire: bool
    why: str
    signed_off: SignOff | None
    vectors: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Loosening:
    """What a change permits that was not permitted before. ``law``: it was forbidden by the pack, in the name of a
    statute or a regulator's notice."""

    path: str
    rule_id: str
    what: tuple[str, ...]
    law: bool
    signed: bool


@dataclass(frozen=True, slots=True)
class Laid:
    """A pack document with the bank's changes in it, what reads it, and everything that was loosened by them."""

    document: dict[str, Any]
    rules: RuleSet
    loosened: tuple[Loosening, ...]


def overlay(pack: Document, bank: Document) -> dict[str, Any]:
    """The pack with the bank's changes and additional rules: ``bank`` is ``{overlay_of, name, version, changes, add,
    add_texts}``.

    Examples are kept of what the bank wrote alone: those of the pack are about the pack as it is. Raises
    LooseningRefused, or DocumentError naming the path for what makes no sense.
    """
    laid = lay(pack, bank)
    for each in laid.loosened:
        what = f"loosens {', '.join(each.what)} of {each.rule_id}"
        if each.law:
            raise LooseningRefused(each.path, f"{what}, which is the law")
        if not each.signed:
            raise LooseningRefused(each.path, f"{what} without a sign-off")
    return laid.document


def lay(before: Document, bank: Document, pack: Document | None = None) -> Laid:
    """The same, telling what is loosened instead of refusing it. ``before`` may have changes of the bank in it already;
    ``pack`` is then the pack as it ships, and what may not be loosened is judged by that one."""
    root = Section(bank, "overlay")
    name, version = root.text("name"), root.whole("version", low=1)
    of = root.text("overlay_of")
    changes = [_read_change(each) for each in root.sections("changes", [])]
    added = {key: list(_mappings(root, word)) for key, word in _ADDED}
    root.finish()
    if of != str(before.get("name")).partition("+")[0]:
        raise DocumentError("overlay.overlay_of", f"is {of!r}, not {before.get('name')!r}")
    rules: list[dict[str, Any]] = [{**rule, "vectors": []} for rule in before["rules"]]
    texts = [{**text, "vectors": []} for text in before.get("texts", ())]
    written: dict[int, str] = {}  # by identity: where the bank wrote a rule
    touched: list[tuple[dict[str, Any], _RuleChange]] = []
    for change in changes:
        touched += [(rule, change) for rule in rules if _concerns(change, rule)]
        rules = _changed(rules, change, name, written)
    for key, mine in (("rules", rules), ("texts", texts)):
        mine += added[key]
        written |= {id(each): f"overlay.{dict(_ADDED)[key]}[{place}]" for place, each in enumerate(added[key])}
    made = {**before, "name": f"{of}+{name}", "version": version, "rules": rules, "texts": texts}
    read = _read(made, written)  # first: what can not be read can not be compared
    law = [rule for rule in (before if pack is None else pack)["rules"] if rule["strength"] in THE_LAW]
    return Laid(made, read, tuple(_loosened(touched, law)))


def _read(made: Document, written: Mapping[int, str]) -> RuleSet:
    """Errors name the place in what the bank wrote, not in what was made of it."""
    try:
        return parse_rules(made)
    except DocumentError as error:
        found = _PLACE.match(error.path)
        if found is None:
            raise
        path = written.get(id(made[found["list"]][int(found["place"])]))
        raise DocumentError(error.path if path is None else path + found["rest"], error.problem) from None


def _loosened(touched: list[tuple[dict[str, Any], _RuleChange]], law: list[Document]) -> Iterator[Loosening]:
    for rule, change in touched:
        looser = _looser(rule, change)
        if looser:
            signed = change.signed_off is not None
            lawful = not any(_of_one_day(rule, each, change) and _looser(each, change) for each in law)
            yield Loosening(change.path, change.rule_id, tuple(looser), not lawful, signed)


def _of_one_day(rule: Document, other: Document, change: _RuleChange) -> bool:
    """Is ``other`` the same rule at some time at which the change concerns ``rule``?"""
    if other["id"] != rule["id"] or not _concerns(change, other):
        return False
    ends, other_ends = rule.get("valid_to"), other.get("valid_to")
    begins, other_begins = read_day(rule["valid_from"]), read_day(other["valid_from"])
    return (ends is None or other_begins < read_day(ends)) and (other_ends is None or begins < read_day(other_ends))


def _mappings(root: Section, key: str) -> Iterator[dict[str, Any]]:
    for each in root.sections(key, []):
        yield {name: each.raw(name, None) for name in each.names()}


def _read_change(section: Section) -> _RuleChange:
    signature = section.section("signed_off", {})
    change = _RuleChange(
        path=section.path,
        rule_id=section.text("rule"),
        starts=section.day("from"),
        parameters=dict(section.raw("parameters", {})),
        scope={key: section.words(key, _SCOPE[key]) for key in _SCOPE if key in section.names()},
        retire=section.flag("retire", default=False),
        why=section.text("why"),
        signed_off=_signature(signature) if signature.names() else None,
        vectors=tuple(section.raw("vectors", [])),
    )
    section.finish()
    if change.signed_off is not None and change.signed_off.on > change.starts:
        raise DocumentError(section.at("signed_off"), "is signed after the change takes effect")
    if not (change.parameters or change.scope or change.retire):
        raise DocumentError(section.path, "changes nothing")
    return change


def _signature(section: Section) -> SignOff:
    signature = SignOff(section.text("by"), section.day("on"), section.text("why"))
    section.finish()
    return signature


def _changed(
    rules: list[dict[str, Any]], change: _RuleChange, bank: str, written: dict[int, str]
) -> list[dict[str, Any]]:
    """Each version of the rule that is in force at some time from the change on is one until then, another since."""
    after: list[dict[str, Any]] = []
    if not any(_concerns(change, rule) for rule in rules):
        raise DocumentError(f"{change.path}.rule", f"there is no {change.rule_id} to change from {change.starts} on")
    for rule in rules:
        if not _concerns(change, rule):
            after.append(rule)
            continue
        if rule["kind"] in NEVER_ABSENT:
            raise DocumentError(f"{change.path}.rule", f"{rule['kind']} is not a bank's to change")
        begins = read_day(rule["valid_from"])
        if begins < change.starts:
            after.append({**rule, "valid_to": change.starts.isoformat()})
        if not change.retire:
            version = _version(rule, change, max(begins, change.starts), bank)
            written[id(version)] = change.path
            after.append(version)
    return after


def _concerns(change: _RuleChange, rule: Document) -> bool:
    ends = rule.get("valid_to")
    return bool(rule["id"] == change.rule_id) and (ends is None or read_day(ends) > change.starts)


def _version(rule: dict[str, Any], change: _RuleChange, begins: date, bank: str) -> dict[str, Any]:
    parameters = {**rule.get("parameters", {}), **change.parameters}
    return {
        **rule,
        "parameters": {key: value for key, value in parameters.items() if value is not None},
        **{key: list(words) for key, words in change.scope.items()},
        "valid_from": begins.isoformat(),
        "note": f"Changed by {bank}: {change.why}",
        "vectors": list(change.vectors),
    }


def _looser(rule: Document, change: _RuleChange) -> list[str]:
    """What of the change permits more than before."""
    if change.retire:
        return ["all"]
    tight: Mapping[str, Direction] = KINDS[rule["kind"]].tight
    old = rule.get("parameters", {})
    new = {**old, **change.parameters}
    looser = [key for key in change.parameters if not tight[key](key, old, new)]
    for key, words in change.scope.items():
        before = {key: rule.get(key) or _SCOPE[key]}
        if not more(key, before, {key: words}):
            looser.append(key)
    return looser
