"""A bank's own rules over a pack: tighter as it likes, looser only with a signature, and the law never.

``overlay`` makes a pack document of a pack document, so what decides is a pack like any other, with its own hash. A
change takes effect on its date: the version before it ends there, and contacts planned for earlier dates are judged by
that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from shared.domain.contact_facts import Channel, Purpose, Target
from shared.domain.contact_rule_kinds import KINDS, NEVER_ABSENT
from shared.domain.contact_rules import parse_rules
from shared.domain.contact_tightness import Direction, more
from shared.domain.document import DocumentError, Section, read_day

Document = Mapping[str, Any]

THE_LAW = frozenset({"L", "N"})
"""What a statute or a regulator says is not a bank's to loosen: who reads it otherwise changes the pack."""

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


def overlay(pack: Document, bank: Document) -> dict[str, Any]:
    """The pack with the bank's changes and additional rules: ``bank`` is ``{overlay_of, name, version, changes, add,
    add_texts}``.

    Examples are kept of what the bank wrote alone: those of the pack are about the pack as it is. Raises
    LooseningRefused, or DocumentError naming the path for what makes no sense.
    """
    root = Section(bank, "overlay")
    name, version = root.text("name"), root.whole("version", low=1)
    of = root.text("overlay_of")
    changes = [_read_change(each) for each in root.sections("changes", [])]
    added = {key: list(root.raw(name, [])) for key, name in (("rules", "add"), ("texts", "add_texts"))}
    root.finish()
    if of != pack.get("name"):
        raise DocumentError("overlay.overlay_of", f"is {of!r}, not {pack.get('name')!r}")
    parse_rules(pack)
    rules: list[dict[str, Any]] = [{**rule, "vectors": []} for rule in pack["rules"]]
    texts = [{**text, "vectors": []} for text in pack.get("texts", ())]
    touched: list[tuple[dict[str, Any], _RuleChange]] = []
    for change in changes:
        touched += [(rule, change) for rule in rules if _concerns(change, rule)]
        rules = _changed(rules, change, name)
    made = {**pack, "name": f"{of}+{name}", "version": version}
    made |= {"rules": [*rules, *added["rules"]], "texts": [*texts, *added["texts"]]}
    parse_rules(made)  # first: what can not be read can not be compared
    for rule, change in touched:
        _check(rule, change)
    return made


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


def _changed(rules: list[dict[str, Any]], change: _RuleChange, bank: str) -> list[dict[str, Any]]:
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
            after.append(_version(rule, change, max(begins, change.starts), bank))
    return after


def _concerns(change: _RuleChange, rule: dict[str, Any]) -> bool:
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


def _check(rule: dict[str, Any], change: _RuleChange) -> None:
    looser = list(_looser(rule, change))
    if not looser:
        return
    if rule["strength"] in THE_LAW:
        raise LooseningRefused(change.path, f"loosens {', '.join(looser)} of {change.rule_id}, which is the law")
    if change.signed_off is None:
        raise LooseningRefused(change.path, f"loosens {', '.join(looser)} of {change.rule_id} without a sign-off")


def _looser(rule: dict[str, Any], change: _RuleChange) -> list[str]:
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
