"""What contact rules say on a date, and what proposed ones would have changed: counted by rule, with examples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from shared.application.replaying import Consequence, Stored, consequences
from shared.application.rule_changes import OverlayOnFile, RulesOnRecord, tried_on_the_past
from shared.domain.contact_rules import Rule, RuleSet, parse_rules

WORDS = ("blocked", "deferred", "allowed", "eased", "moved")
SHOWN = 5


def dry_run(overlay: OverlayOnFile, record: RulesOnRecord, stored: Sequence[Stored], since: datetime) -> dict[str, Any]:
    """Takes as long as the questions are many: run it beside the event loop."""
    now = parse_rules(record.in_force)
    found, unreadable = consequences(stored, now, tried_on_the_past(overlay.document, record, since.date()).rules)
    counts = Counter(each.word for each in found)
    by_rule: dict[str, Counter[str]] = {}
    for each in found:
        for rule_id in each.rule_ids:
            by_rule.setdefault(rule_id, Counter())[each.word] += 1
    return {
        "overlay_id": str(overlay.overlay_id),
        "base": now.label,
        "since": since,
        "asked": len(stored) - unreadable,
        "unreadable": unreadable,
        **_counted(counts),
        "rules": [{"rule": rule_id, **_counted(by_rule[rule_id])} for rule_id in sorted(by_rule)],
        "examples": [_example(each) for word in WORDS for each in _first(found, word)],
    }


def _counted(counts: Mapping[str, int]) -> dict[str, int]:
    return {word: counts.get(word, 0) for word in WORDS}


def _first(found: Iterable[Consequence], word: str) -> list[Consequence]:
    return [each for each in found if each.word == word][:SHOWN]


def _example(each: Consequence) -> dict[str, Any]:
    proposal = each.stored.decision["proposal"]
    return {
        "about": each.stored.about,
        "id": each.stored.key,
        "at": proposal["at"],
        "channel": proposal["channel"],
        "purpose": proposal["purpose"],
        "consequence": each.word,
        "before": each.before,
        "after": each.after,
        "until": each.until,
        "rules": list(each.rule_ids),
    }


def rules_on(found: Mapping[str, Any], on: date) -> dict[str, Any]:
    """A rule set on record, with its rules of one date."""
    rules: RuleSet = parse_rules(found["document"])
    written = {(rule["id"], str(rule["valid_from"])): rule for rule in found["document"]["rules"]}
    return {
        "jurisdiction": rules.jurisdiction,
        "name": rules.name,
        "version": rules.version,
        "label": rules.label,
        "hash": rules.hash,
        "overlay_id": found["overlay_id"],
        "released_at": found["released_at"],
        "released_by": found["released_by"],
        "on": on,
        "rules": [
            _rule(rule, written[rule.rule_id, rule.valid_from.isoformat()]) for rule in rules.rules if rule.in_force(on)
        ],
    }


def _rule(rule: Rule, written: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": rule.rule_id,
        "kind": rule.kind,
        "text": rule.text,
        "citation": rule.citation,
        "strength": rule.strength,
        "verified": rule.verified,
        "note": rule.note,
        **{key: written.get(key) for key in ("channels", "purposes", "targets")},
        "when": written.get("when") or {},
        "parameters": dict(rule.parameters),
        "valid_from": rule.valid_from,
        "valid_to": rule.valid_to,
    }
