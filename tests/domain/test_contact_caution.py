"""What the gate must never do, on the shipped packs: grow more generous for knowing more or less, or advise in vain.

Facts and proposals are drawn at random, with holes; the packs are those that decide.
"""

from dataclasses import fields, replace
from datetime import UTC, datetime, time, timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shared.domain.contact import ContactFacts, HoldFact, Outcome, Proposal, decide, parse_rules
from shared.domain.contact_facts import (
    Addressee,
    Channel,
    Content,
    DebtorState,
    LegalStanding,
    Mandate,
    Manner,
    PastContact,
    PlaceRefusal,
    PreferredHours,
    Purpose,
    Target,
)
from shared.domain.contact_named_facts import NAMED, changed
from shared.domain.hold import EFFECTS
from tests.domain.seeds import packs

PACKS = [parse_rules(document) for name, document in packs().items() if name != "eu"]
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)

words = st.sampled_from


def mostly(good, *others):
    """What stands in nobody's way, or now and then one of the others."""
    return words([good] * 7 + [None, *others])


def yes():
    return mostly(True, False)


def no():
    return mostly(False, True)


instants = st.integers(0, 14 * 24 * 12).map(lambda n: MONDAY + timedelta(minutes=5 * n))
earlier = st.integers(0, 30 * 24).map(lambda n: MONDAY - timedelta(hours=n))
days = st.integers(-200, 60).map(lambda n: MONDAY.date() + timedelta(days=n))
clocks = st.builds(time, st.integers(0, 23), words([0, 30]))
PARTS = frozenset(
    {"opt_out", "sender", "balance", "legal_basis", "rights", "how_to_pay_and_object", "contact_data", "seal"}
)
holds = words(list(EFFECTS.items())).flatmap(
    lambda kind: st.builds(HoldFact, st.just(kind[0].value), st.just(kind[1].allowed_purposes), st.none() | instants)
)
past = st.builds(
    PastContact,
    at=earlier,
    channel=words([each.value for each in Channel if each is not Channel.LEGAL]),
    outbound=words([True, True, False]),
    target=words(["debtor", "debtor", "contact_person"]),
    contact_point_id=words([None, "p-1", "p-2"]),
    debts=words([frozenset(), frozenset({"d-1"})]),
    answered_by=words([None, "right_party", "nobody", "voicemail"]),
    effective_talk=words([None, True, False]),
    place=words([None, "personal", "work"]),
)
proposals = st.builds(
    Proposal,
    channel=words([each.value for each in Channel]),
    purpose=words(["dunning", "dunning", *(each.value for each in Purpose)]),
    at=instants,
    customer_id=st.just("c-1"),
    contact_point_id=st.just("p-1"),
    target=words(["debtor"] * 5 + [each.value for each in Target]),
    debts=words([frozenset(), frozenset({"d-1"})]),
    content=st.builds(
        Content,
        parts=mostly(PARTS, PARTS - {"seal", "opt_out"}),
        says_debt=no(),
        findings=words([frozenset()] * 7 + [frozenset({"threat"}), frozenset({"misleading_reason"})]),
    ),
    manner=st.builds(
        Manner,
        automated=no(),
        account_registered=yes(),
        staff=mostly(2, 1),
        recorded=yes(),
        entry=no(),
        public_posting=no(),
        announced=yes(),
        legal_step=mostly("suit", "police_report", "default_judgment"),
    ),
)


def facts_of(rules):
    ordinary = rules.ordinary["facts"]
    return st.builds(
        ContactFacts,
        zone=mostly(ordinary["zone"], "America/New_York"),
        jurisdiction=words([rules.jurisdiction] * 15 + [None]),
        point_source=mostly(ordinary["point_source"], "data_broker"),
        point_usable=words([True] * 9 + [False]),
        reserved_today=st.dictionaries(words(["sms", "phone", "email"]), st.integers(0, 4), max_size=1),
        opted_out=words([frozenset()] * 7 + [frozenset({("sms", "*")}), frozenset({("*", "dunning")})]),
        holds=st.just(()) | st.just(()) | st.lists(holds, max_size=2).map(tuple),
        facts_pending=words([False] * 9 + [True]),
        zones=words([(), (), ("Asia/Tokyo",)]),
        places=mostly(frozenset(), frozenset({"US-MA"}), frozenset({"US-NY", "US-NYC"})),
        collector=mostly("bank", "agency", "debt_buyer"),
        debtor_state=mostly("lost", *(each.value for each in DebtorState)),
        number_invalid_at=st.none() | earlier,
        point_place=mostly("personal", "work"),
        refused_places=words([()] * 5 + [(PlaceRefusal("work"),), (PlaceRefusal("work", MONDAY),)]),
        preferred=st.just(())
        | st.just(())
        | st.lists(st.builds(PreferredHours, words(["phone", "*"]), clocks, clocks), max_size=1).map(tuple),
        permissions=mostly(frozenset({"entry", "automated_contact", "electronic"}), frozenset()),
        history=st.lists(past, max_size=6).map(tuple),
        addressee=st.builds(Addressee, no(), yes(), yes(), yes()),
        mandate=st.builds(Mandate, yes(), yes(), yes(), yes()),
        standing=st.builds(
            LegalStanding,
            limitation_ends_on=st.none() | days,
            legal_approval=no(),
            ombudsman_open=no(),
            military_checked=yes(),
            notice_days=mostly(20, 3),
            principal=mostly({"CNY": 6_000_000}, {"CNY": 100}),
            effective_collections=st.none() | st.lists(days, max_size=3).map(tuple),
        ),
    )


cases = words(PACKS).flatmap(lambda rules: st.tuples(st.just(rules), proposals, facts_of(rules)))


def severity(decision):
    rank = {Outcome.ALLOW: 0, Outcome.DEFER: 1, Outcome.FORBID: 2}[decision.outcome]
    return rank, decision.until or datetime.min.replace(tzinfo=UTC)


@settings(max_examples=80, deadline=None)
@given(cases, words(sorted(NAMED)))
def test_a_fact_that_goes_missing_never_makes_a_decision_more_generous(case, name):
    """Whatever a rule may ask for by name: not to know it is never better than to know it. (Who has agreed to nothing
    on record has agreed to nothing.)"""
    rules, proposal, facts = case
    before = decide(proposal, facts, rules)
    unknown = decide(*changed(NAMED[name].path, None, proposal, facts), rules)
    assert severity(unknown) >= severity(before)


def stricter(draw, proposal, facts):
    """The same with one more fact that restricts."""
    at = proposal.at
    return draw(
        words(
            [
                (proposal, replace(facts, zone=None)),
                (proposal, replace(facts, jurisdiction="XX")),
                (proposal, replace(facts, zones=(*facts.zones, "Europe/London"))),
                (proposal, replace(facts, point_usable=False)),
                (proposal, replace(facts, facts_pending=True)),
                (proposal, replace(facts, opted_out=facts.opted_out | {(proposal.channel, "*")})),
                (proposal, replace(facts, holds=(*facts.holds, HoldFact("manual")))),
                (proposal, replace(facts, holds=(*facts.holds, HoldFact("hardship", until=at + timedelta(days=2))))),
                (proposal, replace(facts, places=(facts.places or frozenset()) | {"US-MA", "US-NYC"})),
                (proposal, replace(facts, refused_places=(*facts.refused_places, PlaceRefusal("work")))),
                (proposal, replace(facts, preferred=(PreferredHours("*", time(3), time(4)),)))
                if not facts.preferred
                else (proposal, facts),
                (proposal, replace(facts, quiet_dates=frozenset({at.date(), (at + timedelta(days=1)).date()}))),
                (proposal, replace(facts, last_contact_at=max(facts.last_contact_at or at, at))),
                (proposal, replace(facts, reserved_today={channel.value: 9 for channel in Channel})),
                (proposal, replace(facts, counters={"effective_talk": 9, "unanswered": 9, "announcement": 9})),
                (proposal, replace(facts, history=(*facts.history, draw(past)))),
                (replace(proposal, debts=frozenset()), facts),
                (replace(proposal, contact_point_id=None), facts),
                (with_findings(proposal, "threat"), facts),
            ]
        )
    )


def with_findings(proposal, finding):
    content = replace(proposal.content, findings=proposal.content.findings | {finding})
    return replace(proposal, content=content)


@settings(max_examples=80, deadline=None)
@given(cases, st.data())
def test_a_fact_that_restricts_never_makes_a_decision_more_generous(case, data):
    rules, proposal, facts = case
    # What is on record of attempts is what proves that a debtor is lost; there more can mean more.
    assume(proposal.target == "debtor")
    before = decide(proposal, facts, rules)
    after = decide(*stricter(data.draw, proposal, facts), rules)
    assert severity(after) >= severity(before)


@settings(max_examples=80, deadline=None)
@given(cases)
def test_the_smallest_change_lifts_the_refusal_and_nothing_less_does(case):
    """Each change made, it is no longer forbidden, and allowed at the instant that was named; any one left out, it is
    still forbidden."""
    rules, proposal, facts = case
    decision = decide(proposal, facts, rules)
    lift = decision.lift
    assert (lift is None) is (decision.outcome is not Outcome.FORBID)
    assume(lift is not None and lift.complete)

    def after(changes):
        made = (proposal, facts)
        for change in changes:
            made = changed(change.path, change.to, *made)
        return decide(*made, rules)

    lifted = after(lift.changes)
    assert lifted.outcome is (Outcome.DEFER if lift.until else Outcome.ALLOW)
    assert lifted.until == lift.until
    assert len(lift.releases) == len(lift.changes) > 0
    last = lift.changes[:-1]
    assert after(last).outcome is Outcome.FORBID


@settings(max_examples=40, deadline=None)
@given(cases)
def test_every_objection_says_whose_it_is_and_a_refusal_what_would_release_it(case):
    rules, proposal, facts = case
    decision = decide(proposal, facts, rules)
    assert (decision.fired == ()) is (decision.outcome is Outcome.ALLOW)
    known = {rule.rule_id: rule for rule in rules.rules}
    for fired in decision.fired:
        assert fired.strength == known[fired.rule_id].strength
        assert fired.citation == known[fired.rule_id].citation
        assert (fired.until is None) is bool(fired.release)
    assert decision == decide(proposal, facts, rules)


def test_every_named_fact_is_where_it_says():
    proposal = Proposal("sms", "dunning", MONDAY, "c-1")
    facts = ContactFacts("Asia/Shanghai", "CN", "contract")
    for name, named in NAMED.items():
        assert named.value(*changed(named.path, f"set {name}", proposal, facts)) == f"set {name}"
    held_by = {each.name for kind in (Addressee, Mandate, LegalStanding, Manner) for each in fields(kind)}
    named_fields = {named.path.rsplit(".", 1)[1] for named in NAMED.values()}
    assert held_by <= named_fields, "a fact that no pack can ask for"
