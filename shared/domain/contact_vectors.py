"""A pack's own examples, run: what the packs are checked with, by the tests and by ``arrears rules check``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from shared.domain.contact import decide
from shared.domain.contact_facts import ContactFacts, Proposal
from shared.domain.contact_record import facts_from_document, proposal_from_document
from shared.domain.contact_rules import Rule, RuleSet, Vector
from shared.domain.template_lint import TextRule, TextVector, lint_text


def ordinary_facts(rules: RuleSet, given: Mapping[str, Any]) -> ContactFacts:
    """The pack's ordinary customer, changed by what is given. Raises DocumentError."""
    return facts_from_document({"jurisdiction": rules.jurisdiction, **rules.ordinary.get("facts", {}), **given})


def ordinary_proposal(rules: RuleSet, channel: str, purpose: str, at: str, given: Mapping[str, Any]) -> Proposal:
    """The pack's ordinary contact, changed by what is given. Raises DocumentError."""
    ordinary = {"customer_id": "c-1", "contact_point_id": "p-1", **rules.ordinary.get("proposal", {})}
    return proposal_from_document({**ordinary, **given, "channel": channel, "purpose": purpose, "at": at})


def failing(rules: RuleSet) -> Iterator[str]:
    """Every example that does not come out as it says."""
    for rule in rules.rules:
        for vector in rule.vectors:
            problem = problem_of(rule, vector, rules)
            if problem is not None:
                yield f"{rule.rule_id}: {vector.name}: {problem}"
    for text in rules.texts:
        for example in text.vectors:
            problem = problem_of_text(text, example)
            if problem is not None:
                yield f"{text.rule_id}: {example.name}: {problem}"


def incomplete(rules: RuleSet) -> Iterator[str]:
    """Every rule without an example in which it objects and one in which it does not."""
    examples: list[tuple[str, set[bool]]] = [
        (rule.rule_id, {each.fired for each in rule.vectors}) for rule in rules.rules
    ]
    examples += [(text.rule_id, {each.found for each in text.vectors}) for text in rules.texts]
    for rule_id, outcomes in examples:
        if outcomes != {True, False}:
            yield f"{rule_id}: needs an example in which it objects and one in which it does not"


def problem_of(rule: Rule, vector: Vector, rules: RuleSet) -> str | None:
    """What is wrong with the answer to an example; None when it is the one expected."""
    proposal = ordinary_proposal(rules, vector.channel, vector.purpose, vector.at, vector.proposal)
    decision = decide(proposal, ordinary_facts(rules, vector.given), rules)
    told = ", ".join(fired.rule_id for fired in decision.fired) or "no rule"
    if decision.outcome != vector.expect:
        return f"{decision.outcome} by {told}, not {vector.expect}"
    until = datetime.fromisoformat(vector.until) if vector.until else None
    if decision.until != until:
        return f"until {decision.until}, not {until}"
    if (rule.rule_id in {fired.rule_id for fired in decision.fired}) is not vector.fired:
        return f"objected: {told}"
    return None


def problem_of_text(rule: TextRule, example: TextVector) -> str | None:
    """The same for an example text; asked as of the rule's first day, of this rule alone."""
    found = lint_text(example.draft, [replace(rule, vectors=())], rule.valid_from)
    if bool(found) is not example.found:
        return f"found {', '.join(each.message for each in found) or 'nothing'}"
    if example.place is not None and example.place not in {each.place for each in found}:
        return f"found at {', '.join(each.place for each in found)}, not at {example.place}"
    return None
