"""What is told of a step's contact holds: the change told lifts the refusal, the instant told is the first that is
allowed. Over random customers, for messages and for what people do, from the facts that permits are judged by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from types import SimpleNamespace
from uuid import UUID

from hypothesis import event, given, settings
from hypothesis import strategies as st

from shared.application.decisions import answer_document
from shared.application.foreseeing import asked_for, foreseen
from shared.application.limitation import ClaimOnFile
from shared.application.permit_facts import OnFile, PointOnFile, facts_at, proposal_of
from shared.application.sending_desk import Desk
from shared.domain.contact import decide, parse_rules
from shared.domain.contact_facts import Channel, Consent, PastContact, PreferredHours
from shared.domain.contact_named_facts import changed
from shared.domain.hold import Hold, HoldKind
from tests.domain.seeds import CALENDAR, POLICY, packs

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
NEW = UUID(int=1)
TICK = timedelta(microseconds=1)
RULES = {rules.jurisdiction: rules for rules in map(parse_rules, (packs()[name] for name in ("cn", "uk", "in", "us")))}
SHELF = SimpleNamespace(
    rules=RULES.get, policy=lambda version=None: POLICY, calendar=lambda policy: CALENDAR, timetable=None
)
LADDER = POLICY.ladder_for("standard")
STEPS = [next(step for step in LADDER if step.kind == kind) for kind in ("message", "call", "visit", "letter", "legal")]
KINDS = ("mobile", "email", "address")
CHANNELS = [channel.value for channel in Channel]

words = st.sampled_from
soon = st.integers(0, 6 * 24 * 12).map(lambda n: NOW + timedelta(minutes=5 * n))
before = st.integers(0, 10 * 24 * 4).map(lambda n: NOW - timedelta(minutes=15 * n))
clocks = st.builds(time, st.integers(0, 23), words([0, 30]))
holds = st.builds(
    Hold, st.just("H"), st.just("C1"), st.none(), words(HoldKind), st.just("test"), before, st.none() | soon
)
pasts = st.builds(
    PastContact,
    at=before,
    channel=words(["phone", "phone", "voice_bot", "visit", "letter"]),
    answered_by=words([None, "right_party", "nobody", "voicemail"]),
    effective_talk=words([None, True, False]),
)
consents = st.builds(Consent, words(["phone", "sms"]), clocks, clocks, before, st.none() | soon)
claims = st.builds(
    ClaimOnFile,
    st.just("A1"),
    st.just("C1"),
    st.just("Asia/Shanghai"),
    st.just("CN"),
    words([date(2026, 6, 20), date(2023, 11, 24), date(2020, 1, 5)]),
    st.just(()),
    st.just(()),
    words([(), (None,), (date(2026, 11, 25),)]),
)


@st.composite
def customers(draw):
    desk = Desk(
        "C1",
        "",
        "en",
        *draw(
            words(
                [("Asia/Shanghai", "CN")] * 3
                + [("Europe/London", "GB"), ("America/New_York", "US"), ("Asia/Kolkata", "IN")]
            )
        ),
    )
    desk.holds = draw(st.just([]) | st.lists(holds, max_size=2))
    desk.opted_out = draw(st.sets(words(CHANNELS[:-1]), max_size=1))
    days = [NOW.date() - timedelta(days=1), NOW.date()]
    counts = st.dictionaries(words(["sms", "email"]), st.integers(0, 3), max_size=2)
    desk.contacts = draw(st.dictionaries(words(days), counts, max_size=2))
    desk.last_contacts = draw(st.dictionaries(words(["sms", "phone"]), before, max_size=1))
    desk.history = tuple(draw(st.lists(pasts, max_size=8)))
    desk.consents = tuple(draw(st.lists(consents, max_size=1)))
    desk.preferred = tuple(draw(st.lists(st.builds(PreferredHours, words(["*", "phone"]), clocks, clocks), max_size=1)))
    desk.facts_pending = draw(words([False] * 9 + [True]))
    kinds = KINDS if draw(words([True, True, False])) else draw(st.lists(words(KINDS), max_size=2, unique=True))
    states, sources = words(["active"] * 5 + ["bad"]), words(["contract"] * 5 + ["data_broker"])
    points = [PointOnFile(draw(st.uuids()), kind, draw(sources), draw(states)) for kind in kinds]
    owed = tuple(draw(st.lists(claims, max_size=1)))
    return desk, points, owed


cases = st.tuples(customers(), words([*STEPS, *STEPS[:2]]), soon)


def each_channel(case):
    (desk, points, owed), step, at = case
    for told in foreseen(step, at, desk, points, owed, SHELF):
        asked = asked_for(step.purpose, told["channel"], desk, points)
        yield told, asked, desk, points, owed


def judged(asked, desk, points, owed, at):
    """As the permit desk does it."""
    point = next((each for each in points if each.point_id == asked.contact.point_id), None)
    rules = RULES[desk.jurisdiction]
    facts = facts_at(desk, asked, OnFile(point=point, claims=owed), rules, SHELF, at)
    return proposal_of(asked, at), facts, rules


@settings(max_examples=150, deadline=None)
@given(cases)
def test_the_change_told_lifts_the_refusal_and_less_does_not(case):
    at = case[2]
    for told, asked, *customer in each_channel(case):
        if told["reason"] is not None:
            continue
        proposal, facts, rules = judged(asked, *customer, at)
        decision = decide(proposal, facts, rules)
        assert told["lift"] == answer_document(decision)["lift"]
        if decision.lift is None or not decision.lift.complete:
            continue
        seen = (proposal, facts)
        for change in decision.lift.changes:
            assert decide(*seen, rules).outcome == "forbid"
            seen = changed(change.path, change.to, *seen)
        after = decide(*seen, rules)
        assert (after.outcome, after.until) == ("defer" if decision.lift.until else "allow", decision.lift.until)


@settings(max_examples=150, deadline=None)
@given(cases)
def test_a_contact_that_waits_is_allowed_at_the_instant_told_and_refused_just_before(case):
    """The permit is asked for then, from the facts as they are read then: nothing of them was taken for granted."""
    at = case[2]
    for told, asked, *customer in each_channel(case):
        event(told["outcome"])
        if told["outcome"] != "defer":
            continue
        assert at < told["until"] == told["earliest"]
        assert decide(*judged(asked, *customer, told["until"])).outcome == "allow"
        assert decide(*judged(asked, *customer, told["until"] - TICK)).outcome != "allow"


@settings(max_examples=100, deadline=None)
@given(cases)
def test_where_nothing_reaches_the_person_nothing_is_allowed_until_something_is_on_file(case):
    for told, _, desk, points, owed in each_channel(case):
        if told["reason"] is None:
            continue
        assert (told["outcome"], told["earliest"], told["lift"]["complete"]) == ("forbid", None, False)
        _, _, wanted = told["lift"]["releases"][0].partition(": ")
        found = [*points, PointOnFile(NEW, wanted.split(" or ")[0], "contract", "active")]
        (now,) = foreseen(replace(case[1], channels=(told["channel"],)), case[2], desk, found, owed, SHELF)
        assert now["reason"] is None
