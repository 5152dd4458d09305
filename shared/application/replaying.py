"""Take stored decisions again, from the facts and rules they were taken from: the answer has to be the same (L10)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.domain.contact import Decision, RuleSet, decide
from shared.domain.contact_record import facts_from_document, proposal_from_document
from shared.domain.document import DocumentError


@dataclass(frozen=True, slots=True)
class Stored:
    """``about`` is ``message`` or ``permit``; ``decision`` as it was written."""

    about: str
    key: str
    customer_id: str
    decision: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Different:
    """A stored decision that does not come out as it did, or can not be taken again; ``why`` in a word."""

    stored: Stored
    why: str


def replay(stored: Stored, rules_of: Callable[[str], RuleSet | None]) -> Different | None:
    """None when the answer is the same. ``rules_of`` finds the pack by the label that the decision names."""
    written = stored.decision
    rules = rules_of(str(written.get("rule_set")))
    if rules is None:
        return Different(stored, "the rules it names are not on record")
    try:
        proposal = proposal_from_document({"customer_id": stored.customer_id, **written["proposal"]})
        facts = facts_from_document(written["facts"])
    except (DocumentError, KeyError, TypeError):
        return Different(stored, "what it saw can not be read")
    if _said(decide(proposal, facts, rules)) != _was_said(written):
        return Different(stored, "it comes out otherwise")
    return None


def _said(decision: Decision) -> tuple[Any, ...]:
    fired = [(one.rule_id, one.outcome.value, _instant(one.until)) for one in decision.fired]
    return decision.outcome.value, _instant(decision.until), decision.release, decision.rule_set, fired


def _was_said(written: Mapping[str, Any]) -> tuple[Any, ...]:
    fired = []
    for one in written["fired"]:  # a message keeps them short
        row = (one["rule_id"], one["outcome"], one["until"]) if isinstance(one, Mapping) else tuple(one)
        fired.append(row)
    return written["outcome"], written["until"], written["release"], written["rule_set"], fired


def _instant(at: Any) -> str | None:
    return None if at is None else str(at.isoformat())


@dataclass(frozen=True, slots=True)
class Otherwise:
    """How a past question would be answered by other rules: the outcome then and now, and the rules that object now."""

    stored: Stored
    before: str
    after: str
    rule_ids: tuple[str, ...]


def under(stored: Stored, rules: RuleSet) -> Otherwise | None:
    """Ask a stored question of other rules, a bank's overlay that is only proposed; None where the outcome is the same.

    Each question is asked of the facts as they were: what would have followed from another answer is not played on.
    Raises DocumentError for a record that can not be read."""
    written = stored.decision
    proposal = proposal_from_document({"customer_id": stored.customer_id, **written["proposal"]})
    decision = decide(proposal, facts_from_document(written["facts"]), rules)
    if decision.outcome.value == written["outcome"]:
        return None
    fired = tuple(one.rule_id for one in decision.fired)
    return Otherwise(stored, written["outcome"], decision.outcome.value, fired)


@dataclass(frozen=True, slots=True)
class Consequence:
    """What other rules would have made of a past question. ``word``: ``blocked``, ``deferred`` (it was allowed),
    ``allowed``, ``eased`` (it would only have had to wait) or ``moved`` (to another instant). ``rule_ids`` are the
    rules that make the difference."""

    stored: Stored
    word: str
    before: str
    after: str
    until: str | None
    rule_ids: tuple[str, ...]


_WORDS = {
    ("allow", "forbid"): "blocked",
    ("defer", "forbid"): "blocked",
    ("allow", "defer"): "deferred",
    ("forbid", "defer"): "eased",
    ("forbid", "allow"): "allowed",
    ("defer", "allow"): "allowed",
}


def consequences(stored: Sequence[Stored], now: RuleSet, then: RuleSet) -> tuple[list[Consequence], int]:
    """Ask past questions, each of the facts as they were, of the rules in force and of rules that are proposed; where
    the answers differ, and how many records could not be read."""
    found, unreadable = [], 0
    for each in stored:
        try:
            proposal = proposal_from_document({"customer_id": each.customer_id, **each.decision["proposal"]})
            facts = facts_from_document(each.decision["facts"])
        except (DocumentError, KeyError, TypeError):
            unreadable += 1
            continue
        before, after = decide(proposal, facts, now), decide(proposal, facts, then)
        word = _WORDS.get((before.outcome.value, after.outcome.value))
        if word is None and before.until != after.until:
            word = "moved"
        if word is None:
            continue
        said, says = [one.rule_id for one in before.fired], [one.rule_id for one in after.fired]
        apart = (
            [rule for rule in says if rule not in said] or [rule for rule in said if rule not in says] or says or said
        )
        found.append(
            Consequence(each, word, before.outcome.value, after.outcome.value, _instant(after.until), tuple(apart))
        )
    return found, unreadable
