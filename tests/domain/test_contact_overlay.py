"""A bank's own rules: tighter at once, looser by signature, the law never."""

import copy
from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contact import Outcome, Proposal, decide, parse_rules
from shared.domain.contact_facts import Channel, PastContact
from shared.domain.contact_overlay import LooseningRefused, overlay
from shared.domain.contact_rule_kinds import NEVER_ABSENT
from shared.domain.contact_vectors import ordinary_facts, problem_of
from shared.domain.document import DocumentError
from tests.domain.seeds import china_pack, packs

SIGNED = {"by": "head of legal", "on": "2026-11-01", "why": "the guideline allows it by agreement"}


def bank(*changes, add=(), **fields):
    return {"overlay_of": "cn", "name": "bank", "version": 3, "changes": list(changes), "add": list(add), **fields}


def change(rule, parameters=None, **fields):
    given = {"rule": rule, "from": "2026-12-01", "why": "our own policy", **fields}
    return given if parameters is None else {**given, "parameters": parameters}


def laid(*changes, **fields):
    return parse_rules(overlay(china_pack(), bank(*changes, **fields)))


def ask(rules, day, hour=10, channel="sms", **given):
    at = datetime.fromisoformat(f"{day}T{hour:02}:00:00+08:00")
    return decide(Proposal(channel, "dunning", at, "c-1", "p-1"), ordinary_facts(rules, given), rules)


def test_a_tighter_cap_holds_from_its_date_on_and_not_before():
    rules = laid(change("cn-sms-cap", {"max": 1}))
    once = {"reserved_today": {"sms": 1}}
    assert ask(rules, "2026-11-30", **once).outcome is Outcome.ALLOW
    deferred = ask(rules, "2026-12-01", **once)
    assert deferred.outcome is Outcome.DEFER
    assert deferred.rule_set.startswith("cn+bank@3:")
    assert rules.rule("cn-sms-cap", date(2026, 12, 1)).note == "Changed by bank: our own policy"


def test_the_pack_itself_is_left_as_it_was():
    before = copy.deepcopy(china_pack())
    laid(change("cn-sms-cap", {"max": 1}), change("cn-email-cap", retire=True, signed_off=SIGNED))
    assert china_pack() == before


def test_looser_needs_a_signature_that_says_who_when_and_why():
    looser = {"max": 5}
    with pytest.raises(LooseningRefused, match=r"changes\[0\]: loosens max of cn-sms-cap without a sign-off"):
        laid(change("cn-sms-cap", looser))
    for missing in ("by", "on", "why"):
        signature = {key: value for key, value in SIGNED.items() if key != missing}
        with pytest.raises(DocumentError, match=f"signed_off.{missing}: is missing"):
            laid(change("cn-sms-cap", looser, signed_off=signature))
    with pytest.raises(DocumentError, match="signed after the change takes effect"):
        laid(change("cn-sms-cap", looser, signed_off={**SIGNED, "on": "2026-12-02"}))
    rules = laid(change("cn-sms-cap", looser, signed_off=SIGNED))
    four = {"reserved_today": {"sms": 4}}
    assert ask(rules, "2026-11-30", **four).outcome is Outcome.DEFER
    assert ask(rules, "2026-12-01", **four).outcome is Outcome.ALLOW


def test_no_signature_loosens_the_law():
    quieter = change("cn-visit-no-entry", retire=True, signed_off=SIGNED)
    with pytest.raises(LooseningRefused, match="loosens all of cn-visit-no-entry, which is the law"):
        laid(quieter)
    with pytest.raises(LooseningRefused, match="which is the law"):
        laid(change("cn-limitation-3y", {"interrupted_by": ["demand"], "years": 4}, signed_off=SIGNED))
    assert laid(change("cn-limitation-3y", {"after": "never"})).rule("cn-limitation-3y").parameters["after"] == "never"


@pytest.mark.parametrize(
    ("rule", "tighter", "looser"),
    [
        ("cn-sms-cap", {"max": 2}, {"max": 4}),
        ("cn-sms-cap", {"counts": ["sms", "email"]}, {"counts": ["email"]}),
        ("cn-quiet-hours-cba", {"from": "21:00"}, {"from": "22:30"}),
        ("cn-quiet-hours-cba", {"to": "10:00"}, {"to": "07:59"}),
        ("cn-quiet-hours-cba", {"from": "20:00", "to": "09:00"}, {"from": "21:00", "to": "07:00"}),
        ("cn-quiet-hours-gbt", {"lifted_by": "nothing"}, {"from": "23:00", "to": "22:00"}),
        ("cn-call-ends-in-time", {"minutes": 20}, {"minutes": 5}),
        ("cn-home-hours", {"from": "21:00"}, {"zone": "Asia/Tokyo"}),
        ("cn-sms-gap", {"minutes": 240}, {"minutes": 60}),
        ("cn-interval-7d", {"dates": 14}, {"dates": 6}),
        ("cn-interval-7d", {"per": "customer"}, {"per": "contact_point"}),
        ("cn-interval-7d", {"only": []}, {"only": ["outbound", "right_party"]}),
        ("cn-unanswered-attempt-cap-6", {"lifted_by": None}, {"lifted_by": "anything"}),
        ("cn-contact-source-six", {"allowed": ["contract"]}, {"allowed": ["contract", "data_broker"]}),
        ("cn-third-party-only-if-lost", {"one_of": ["deceased"]}, {"one_of": ["lost", "reachable"]}),
        ("cn-visit-two-persons", {"least": 3}, {"least": 1}),
        ("cn-no-impersonation", {"forbidden": ["impersonation", "pressure"]}, {"forbidden": ["pressure"]}),
        ("cn-lost-contact-triggers", {"days_in_a_row": 5}, {"unanswered_in_a_row": 2}),
        ("cn-visit-record", {"release": "other words"}, {"is": False}),
        ("cn-quiet-hours-cba", None, {"channels": ["phone", "visit"]}),
        ("cn-effective-call-cap-3", None, {"purposes": ["dunning"]}),
        ("cn-third-party-purpose", None, {"targets": ["other"]}),
    ],
)
def test_every_parameter_has_its_tight_side(rule, tighter, looser):
    scope = {key: value for key, value in looser.items() if key in ("channels", "purposes", "targets")}
    worse = change(rule, None, **scope) if scope else change(rule, looser)
    if tighter is not None:
        laid(change(rule, tighter))
    with pytest.raises(LooseningRefused):
        laid(worse)
    laid({**worse, "signed_off": SIGNED})


def test_a_rule_may_reach_further_than_the_pack_lets_it():
    rules = laid(change("cn-effective-call-cap-3", purposes=["dunning", "due_reminder", "locate", "service"]))
    assert "service" in rules.rule("cn-effective-call-cap-3").purposes


SUNDAYS = {
    "id": "bank-no-sunday",
    "kind": "closed_days",
    "text": "Nobody is dunned on a Sunday.",
    "citation": "Our policy",
    "strength": "E",
    "verified": True,
    "valid_from": "2026-12-01",
    "purposes": ["dunning"],
    "parameters": {"weekdays": ["sun"]},
    "vectors": [
        {
            "name": "on a Sunday",
            "channel": "sms",
            "at": "2026-12-06T10:00:00+08:00",
            "expect": "defer",
            "until": "2026-12-07T08:00:00+08:00",
        },
        {"name": "on a Monday", "channel": "sms", "at": "2026-12-07T10:00:00+08:00", "expect": "allow", "fired": False},
    ],
}


def test_a_bank_adds_rules_of_its_own_with_their_examples():
    rules = laid(add=[SUNDAYS])
    own = rules.rule("bank-no-sunday")
    assert [problem_of(own, vector, rules) for vector in own.vectors] == [None, None]
    assert sum(len(rule.vectors) for rule in rules.rules) == 2  # the pack's own are about the pack as it is
    assert ask(rules, "2026-11-29").outcome is Outcome.ALLOW


def test_what_no_pack_may_lack_is_not_a_banks_to_change():
    for kind in NEVER_ABSENT:
        rule = next(rule for rule in china_pack()["rules"] if rule["kind"] == kind)
        with pytest.raises(DocumentError, match="is not a bank's to change"):
            laid(change(rule["id"], retire=True, signed_off=SIGNED))


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (bank(overlay_of="us"), "is 'us', not 'cn'"),
        (bank(change("cn-no-such-rule", {"max": 1})), "there is no cn-no-such-rule to change"),
        (bank(change("cn-sms-cap", {"most": 1})), "most: is not a known key"),
        (bank(change("cn-sms-cap", {"max": "one"})), "max: must be a whole number"),
        (bank(change("cn-sms-cap")), "changes nothing"),
        (bank({"rule": "cn-sms-cap", "from": "2026-12-01", "parameters": {"max": 1}}), "why: is missing"),
        (bank(change("cn-sms-cap", {"max": 1}), mood="strict"), "mood: is not a known key"),
        (bank(add=[{**SUNDAYS, "kind": "closed"}]), "kind: 'closed' is not one of"),
    ],
)
def test_an_overlay_that_makes_no_sense_is_refused(document, problem):
    with pytest.raises(DocumentError, match=problem):
        overlay(china_pack(), document)


def test_versions_that_the_pack_already_has_are_each_changed_from_the_date_on():
    nyc = {
        "overlay_of": "us",
        "name": "bank",
        "version": 1,
        "changes": [change("us-nyc-two-per-7", {"max": 1}, **{"from": "2026-01-01"})],
    }
    rules = parse_rules(overlay(packs()["us"], nyc))
    versions = [rule for rule in rules.rules if rule.rule_id == "us-nyc-two-per-7"]
    assert [(str(rule.valid_from), str(rule.valid_to), rule.parameters["max"]) for rule in versions] == [
        ("2010-07-15", "2026-01-01", 2),
        ("2026-01-01", "2026-09-01", 1),
    ]
    late = {**nyc, "changes": [change("us-nyc-two-per-7", {"max": 1}, **{"from": "2026-09-01"})]}
    with pytest.raises(DocumentError, match="there is no us-nyc-two-per-7 to change from 2026-09-01 on"):
        overlay(packs()["us"], late)


# --- whatever passes without a signature permits nothing that the pack does not ---

PACK = parse_rules(china_pack())
MOVABLE = [rule for rule in PACK.rules if rule.kind not in NEVER_ABSENT and rule.parameters]
NUMBERS, CLOCKS = st.integers(0, 30), st.integers(0, 47).map(lambda n: f"{n // 2:02}:{n % 2 * 30:02}")


def values_for(key, value):
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return NUMBERS
    if key in ("from", "to"):
        return CLOCKS
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        others = ["sms", "email", "phone", "voice_bot", "contract", "outbound", "threat", "lost", "debtor", "guarantor"]
        return st.lists(st.sampled_from([*value, *others]), unique=True, max_size=5)
    return st.sampled_from([value, None, "nothing", "consent", "customer", "debt"])


@st.composite
def changes(draw):
    rule = draw(st.sampled_from(MOVABLE))
    keys = draw(st.lists(st.sampled_from(sorted(rule.parameters)), min_size=1, max_size=2, unique=True))
    return change(rule.rule_id, {key: draw(values_for(key, rule.parameters[key])) for key in keys})


contacts = st.tuples(
    st.sampled_from([channel.value for channel in Channel if channel is not Channel.LEGAL]),
    st.integers(0, 7 * 96).map(
        lambda n: datetime.fromisoformat("2026-12-07T00:00:00+08:00") + n * timedelta(minutes=15)
    ),
    st.lists(
        st.builds(
            PastContact,
            at=st.integers(1, 300).map(
                lambda n: datetime.fromisoformat("2026-12-12T00:00:00+08:00") - timedelta(hours=n)
            ),
            channel=st.sampled_from(["phone", "sms", "visit"]),
            answered_by=st.sampled_from([None, "right_party", "nobody"]),
            contact_point_id=st.sampled_from(["p-1", "p-2"]),
        ),
        max_size=5,
    ),
)


@settings(max_examples=100, deadline=None)
@given(changes(), st.lists(contacts, min_size=1, max_size=4))
def test_what_passes_without_a_signature_is_nowhere_more_generous(made, asked):
    try:
        tighter = laid(made)
    except DocumentError:
        return
    for channel, at, history in asked:
        proposal = Proposal(channel, "dunning", at, "c-1", "p-1")
        facts = replace(ordinary_facts(PACK, {}), history=tuple(history))
        before, after = decide(proposal, facts, PACK), decide(proposal, facts, tighter)
        order = [Outcome.ALLOW, Outcome.DEFER, Outcome.FORBID]
        assert order.index(after.outcome) >= order.index(before.outcome)
        assert after.until is None or before.until is None or after.until >= before.until
