"""The shipped packs: every rule's own examples, and what a pack may not be."""

import copy
from datetime import date, datetime, time

import pytest

from shared.domain.contact import Consent, ContactFacts, HoldFact, Proposal, decide, parse_rules
from shared.domain.contact_rule_kinds import NEVER_ABSENT
from shared.domain.document import DocumentError
from tests.domain.seeds import china_pack

RULES = parse_rules(china_pack())
VECTORS = [(rule, vector) for rule in RULES.rules for vector in rule.vectors]


def facts_of(given):
    """Vector facts: an ordinary customer, changed by what the vector gives."""
    facts = {"zone": "Asia/Shanghai", "jurisdiction": "CN", "point_source": "contract", **given}
    instant = datetime.fromisoformat
    if "opted_out" in facts:
        facts["opted_out"] = frozenset((channel, purpose) for channel, purpose in facts["opted_out"])
    if "last_contact_at" in facts:
        facts["last_contact_at"] = instant(facts["last_contact_at"])
    if "reserved_on" in facts:
        facts["reserved_on"] = {date.fromisoformat(day): counts for day, counts in facts["reserved_on"].items()}
    facts["holds"] = tuple(
        HoldFact(
            hold["kind"],
            frozenset(hold.get("allowed_purposes", ())),
            instant(hold["until"]) if "until" in hold else None,
        )
        for hold in facts.get("holds", ())
    )
    facts["consents"] = tuple(
        Consent(
            consent["channel"],
            time.fromisoformat(consent["from_time"]),
            time.fromisoformat(consent["to_time"]),
            instant(consent["starts_at"]),
            instant(consent["ends_at"]),
        )
        for consent in facts.get("consents", ())
    )
    return ContactFacts(**facts)


@pytest.mark.parametrize(("rule", "vector"), VECTORS, ids=[f"{rule.rule_id}: {each.name}" for rule, each in VECTORS])
def test_a_rule_does_what_its_examples_say(rule, vector):
    proposal = Proposal(vector.channel, vector.purpose, datetime.fromisoformat(vector.at), "c-1", "p-1")
    decision = decide(proposal, facts_of(vector.given), RULES)
    assert decision.outcome == vector.expect
    assert decision.until == (datetime.fromisoformat(vector.until) if vector.until else None)
    assert (rule.rule_id in {fired.rule_id for fired in decision.fired}) is vector.fired


def test_every_rule_has_an_example_that_passes_and_one_that_does_not():
    for rule in RULES.rules:
        assert {vector.fired for vector in rule.vectors} == {True, False}, rule.rule_id


def test_the_hash_is_of_the_content_not_of_how_it_is_written():
    document = copy.deepcopy(china_pack())
    shuffled = dict(reversed(document.items()))
    shuffled["rules"][0]["valid_from"] = date.fromisoformat(shuffled["rules"][0]["valid_from"])
    assert parse_rules(shuffled).hash == RULES.hash
    shuffled["rules"][-1]["parameters"]["max"] += 1
    assert parse_rules(shuffled).hash != RULES.hash
    assert RULES.label == f"cn@1:{RULES.hash[:16]}"


def changed(rule_id, **fields):
    document = copy.deepcopy(china_pack())
    rule = next(rule for rule in document["rules"] if rule["id"] == rule_id)
    rule.update(fields)
    return document


@pytest.mark.parametrize("kind", NEVER_ABSENT)
def test_a_pack_without_a_rule_that_no_pack_may_lack_is_refused(kind):
    document = copy.deepcopy(china_pack())
    document["rules"] = [rule for rule in document["rules"] if rule["kind"] != kind]
    with pytest.raises(DocumentError, match=f"exactly one rule of kind {kind}"):
        parse_rules(document)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (changed("cn-sms-cap", kind="cap"), r"rules\.rules\[8\]\.kind: 'cap' is not one of"),
        (changed("cn-sms-cap", channels=["fax"]), r"\[8\]\.channels: 'fax' is not one of"),
        (changed("cn-sms-cap", parameters={"max": "3", "counts": ["sms"]}), "parameters.max: must be a whole number"),
        (changed("cn-sms-cap", parameters={"max": 3}), "counts either channels or one counter"),
        (
            changed("cn-sms-cap", parameters={"max": 3, "counts": ["sms"], "mix": 1}),
            "parameters.mix: is not a known key",
        ),
        (changed("cn-sms-cap", strength="X"), "strength: 'X' is not one of"),
        (changed("cn-sms-cap", valid_from="soon"), "valid_from: 'soon' is not a date"),
        (changed("cn-sms-cap", valid_to="1999-12-31"), "valid_to: is not after valid_from"),
        (changed("cn-sms-cap", id="cn-email-cap"), "cn-email-cap is there 2 times"),
        (
            changed("cn-quiet-hours-cba", parameters={"from": 1320, "to": "08:00"}),
            "parameters.from: must be a local time",
        ),
        (changed("cn-quiet-hours-cba", parameters={"from": "08:00", "to": "08:00"}), "two different times"),
        (changed("cn-holds", channels=["sms"]), "holds holds for every channel"),
        (changed("cn-mandatory-facts", parameters={"jurisdiction": "CN", "facts": ["zone"]}), "jurisdiction can not"),
        (
            changed("cn-mandatory-facts", parameters={"jurisdiction": "US", "facts": ["zone", "jurisdiction"]}),
            "another",
        ),
        ([], "must be a mapping"),
    ],
)
def test_a_pack_that_makes_no_sense_is_refused_with_its_place(document, problem):
    with pytest.raises(DocumentError, match=problem):
        parse_rules(document)


def test_a_rule_that_ends_defers_no_longer_than_its_end():
    document = changed("cn-quiet-hours-gbt", valid_to="2026-11-25")
    next(rule for rule in document["rules"] if rule["id"] == "cn-quiet-hours-cba")["valid_to"] = "2026-11-25"
    late = Proposal("sms", "dunning", datetime.fromisoformat("2026-11-24T23:00:00+08:00"), "c-1")
    decision = decide(late, facts_of({}), parse_rules(document))
    assert decision.until == datetime.fromisoformat("2026-11-25T00:00:00+08:00")


def test_a_rule_that_begins_on_the_way_is_asked_there():
    document = changed("cn-sms-cap", valid_from="2026-11-25")
    facts = facts_of({"reserved_today": {"sms": 5}, "reserved_on": {"2026-11-25": {"sms": 3}}})
    noon, night = (datetime.fromisoformat(f"2026-11-24T{hour}:00:00+08:00") for hour in (12, 23))
    rules = parse_rules(document)
    assert decide(Proposal("sms", "dunning", noon, "c-1"), facts, rules).outcome == "allow"
    tomorrow_is_full = decide(Proposal("sms", "dunning", night, "c-1"), facts, rules)
    assert tomorrow_is_full.until == datetime.fromisoformat("2026-11-26T08:00:00+08:00")
