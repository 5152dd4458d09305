"""The shipped packs: every rule's own examples, and what a pack may not be."""

import copy
from dataclasses import replace
from datetime import date, datetime

import pytest

from shared.domain.contact import Proposal, decide, parse_rules
from shared.domain.contact_packs import gather
from shared.domain.contact_rule_kinds import KINDS, NEVER_ABSENT
from shared.domain.contact_vectors import failing, incomplete, ordinary_facts, problem_of, problem_of_text
from shared.domain.document import DocumentError
from tests.domain.seeds import china_pack, packs

PACKS = {name: parse_rules(document) for name, document in packs().items()}
RULES = PACKS["cn"]
VECTORS = [(pack, rule, vector) for pack in PACKS.values() for rule in pack.rules for vector in rule.vectors]
TEXTS = [(rule, example) for pack in PACKS.values() for rule in pack.texts for example in rule.vectors]


def facts_of(given):
    return ordinary_facts(RULES, given)


@pytest.mark.parametrize(
    ("pack", "rule", "vector"), VECTORS, ids=[f"{rule.rule_id}: {vector.name}" for _, rule, vector in VECTORS]
)
def test_a_rule_does_what_its_examples_say(pack, rule, vector):
    assert problem_of(rule, vector, pack) is None


@pytest.mark.parametrize(("rule", "example"), TEXTS, ids=[f"{rule.rule_id}: {each.name}" for rule, each in TEXTS])
def test_a_text_rule_finds_what_its_examples_say(rule, example):
    assert problem_of_text(rule, example) is None


def test_the_packs_that_were_promised_are_there():
    assert {"cn", "us", "uk", "in", "hk", "sg", "eu"} == set(PACKS)
    places = {
        value for rule in PACKS["us"].rules for each in rule.when if each.fact == "places" for value in each.values
    }
    assert {"US-MA", "US-NYC"} <= places


def test_every_rule_has_an_example_that_passes_and_one_that_does_not():
    for pack in PACKS.values():
        assert list(incomplete(pack)) == []


def test_every_rule_says_what_it_is_from_and_is_of_its_pack():
    for name, pack in PACKS.items():
        for rule in (*pack.rules, *pack.texts):
            assert rule.rule_id.startswith(f"{name}-")
            assert rule.text
            assert rule.citation
            assert not (rule.strength in "LNG" and not rule.verified and not rule.note), f"{rule.rule_id}: why not?"


def test_the_checker_tells_of_an_example_that_does_not_hold_and_of_one_that_is_missing():
    document = changed("cn-sms-cap", parameters={"max": 4, "counts": ["sms"]})
    assert list(failing(parse_rules(document))) == [
        "cn-sms-cap: fourth of the day: allow by no rule, not defer",
        "cn-sms-cap: tomorrow is full too: allow by no rule, not defer",
    ]
    document = changed("cn-email-cap", vectors=[])
    assert list(incomplete(parse_rules(document))) == [
        "cn-email-cap: needs an example in which it objects and one in which it does not"
    ]
    text = PACKS["cn"].texts[0]
    assert problem_of_text(text, replace(text.vectors[0], found=True)) == "found nothing"


def test_the_hash_is_of_the_content_not_of_how_it_is_written():
    document = copy.deepcopy(china_pack())
    shuffled = dict(reversed(document.items()))
    shuffled["rules"][0]["valid_from"] = date.fromisoformat(shuffled["rules"][0]["valid_from"])
    assert parse_rules(shuffled).hash == RULES.hash
    next(rule for rule in shuffled["rules"] if rule["id"] == "cn-sms-cap")["parameters"]["max"] += 1
    assert parse_rules(shuffled).hash != RULES.hash
    assert RULES.label == f"cn@{RULES.version}:{RULES.hash[:16]}"


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
        (changed("cn-visit-record", when={"weather": ["rain"]}), "when.weather: is not a fact that a rule can hang on"),
        (changed("cn-visit-record", when={"entry": ["yes"]}), "when.entry: must be true or false"),
        (changed("cn-visit-record", when={"collector": ["friend"]}), "when.collector: 'friend' is not one of"),
        (changed("cn-visit-record", parameters={"fact": "mood", "is": True, "release": "x"}), "'mood' is not one of"),
        (
            changed("cn-visit-record", parameters={"fact": "recorded", "least": 2, "release": "x"}),
            "parameters.is: is missing",
        ),
        (
            changed("cn-visit-record", parameters={"fact": "principal", "is": True, "release": "x"}),
            "principal is not a fact that can be compared",
        ),
        (changed("cn-visit-record", mandatory=["staff", "mood"]), "mandatory: 'mood' is not one of"),
        (changed("cn-home-hours", parameters={"zone": "Mars/Base", "from": "22:00", "to": "08:00"}), "parameters.zone"),
        (
            changed("cn-interval-7d", parameters={"max": 1, "counts": ["visit"], "only": ["loud"], "per": "person"}),
            "only: 'loud' is not one of",
        ),
        (
            changed("cn-interval-7d", parameters={"max": 0, "counts": ["visit"], "per": "person", "dates": 7}),
            "max: must be between 1",
        ),
        (changed("cn-holds", targets=["debtor"]), "holds holds for every channel"),
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


def test_versions_of_a_rule_share_its_id_when_they_follow_each_other():
    document = copy.deepcopy(china_pack())
    old = next(rule for rule in document["rules"] if rule["id"] == "cn-sms-cap")
    new = {**old, "valid_from": "2026-12-01", "parameters": {"max": 1, "counts": ["sms"]}}
    document["rules"].append(new)
    with pytest.raises(DocumentError, match="cn-sms-cap is there 2 times"):
        parse_rules(document)
    old["valid_to"] = "2026-12-01"
    rules = parse_rules(document)
    once = facts_of({"reserved_today": {"sms": 1}})

    def asked(day):
        return decide(Proposal("sms", "dunning", datetime.fromisoformat(f"{day}T10:00:00+08:00"), "c-1"), once, rules)

    assert asked("2026-11-30").outcome == "allow"
    assert asked("2026-12-01").outcome == "defer"
    assert rules.rule("cn-sms-cap", date(2026, 11, 30)).parameters["max"] == 3
    assert rules.rule("cn-sms-cap").parameters["max"] == 1
    with pytest.raises(KeyError):
        rules.rule("cn-sms-cap", date(1999, 1, 1))


def test_a_part_belongs_to_a_pack_that_is_there():
    whole, part = {"name": "x", "rules": [1]}, {"part_of": "x", "rules": [2], "notes": ["n"]}
    assert gather([part, whole]) == [{"name": "x", "rules": [1, 2], "notes": ["n"]}]
    assert whole == {"name": "x", "rules": [1]}
    with pytest.raises(DocumentError, match="there is no pack 'y'"):
        gather([whole, {"part_of": "y", "rules": []}])
    with pytest.raises(DocumentError, match="version: is not a known key of a part"):
        gather([whole, {**part, "version": 3}])
    with pytest.raises(DocumentError, match="name: is missing"):
        gather([{"rules": []}])


def test_each_kind_says_of_each_of_its_parameters_which_way_is_tight():
    """A parameter that is read but has no direction could be moved by a bank without anybody's signature."""
    read = {kind: set() for kind in KINDS}
    for pack in PACKS.values():
        for rule in pack.rules:
            read[rule.kind] |= set(rule.parameters)
    for kind, parameters in read.items():
        assert parameters <= set(KINDS[kind].tight), kind
