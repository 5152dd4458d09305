"""Customers who are alike to the contact gate are ruled on once; that must change nobody's answer."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.application.sending_desk import (
    Desk,
    DueMessage,
    Reach,
    Rulings,
    alike_by,
    explained,
    facts_of,
    manner_of,
    reserve,
)
from shared.domain.contact import Consent, Proposal, allowed_until, decide, parse_rules
from shared.domain.contact_facts import PastContact, PlaceRefusal, PreferredHours
from shared.domain.hold import Hold, HoldKind
from tests.domain.seeds import china_pack

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)  # noon in Shanghai
TODAY = date(2026, 11, 25)
RULES = parse_rules(china_pack())
MESSAGE = DueMessage(uuid4(), uuid4(), None, "test/1", "m1-first-sms", "dunning", "overdue-first", ("sms",), 0)

_counts = st.dictionaries(st.sampled_from(["sms", "email"]), st.integers(0, 4), max_size=2)
_holds = st.builds(
    Hold,
    st.just("H"),
    st.just("C"),
    st.none(),
    st.sampled_from(HoldKind),
    st.just("test"),
    st.just(NOW - timedelta(days=1)),
    st.none() | st.just(NOW + timedelta(days=2)),
)


@st.composite
def desks(draw: st.DrawFn) -> Desk:
    desk = Desk(
        f"C{draw(st.integers(0, 99))}",
        "样本",
        "zh-CN",
        draw(st.sampled_from(["Asia/Shanghai", "America/New_York", "Asia/Kathmandu", None])),
        draw(st.sampled_from(["CN", "CN", "US", None])),
    )
    desk.holds = draw(st.lists(_holds, max_size=1))
    desk.opted_out = draw(st.sets(st.sampled_from(["sms", "email"]), max_size=1))
    desk.contacts = draw(st.dictionaries(st.sampled_from([TODAY, TODAY - timedelta(days=1)]), _counts, max_size=2))
    desk.last_contacts = draw(
        st.dictionaries(st.just("sms"), st.integers(0, 90).map(lambda n: NOW - timedelta(minutes=n)), max_size=1)
    )
    desk.facts_pending = draw(st.booleans())
    if draw(st.booleans()):  # most have nothing on file
        desk.holds, desk.opted_out, desk.contacts, desk.last_contacts = [], set(), {}, {}
    desk.asks_permission = frozenset(draw(st.sets(st.sampled_from(["sms", "email"]), max_size=1)))
    desk.permissions = frozenset(draw(st.sets(st.sampled_from(["sms", "email"]), max_size=1)))
    return desk


_reaches = st.builds(
    Reach, st.uuids(), st.just("mobile"), st.sampled_from(["contract", "found", "core"]), st.just(lambda: "+8610000000")
)
_asked = st.tuples(
    desks(), _reaches, st.sampled_from(["sms", "email"]), st.sampled_from(["dunning", "service", "answer"])
)


@given(st.lists(_asked, min_size=1, max_size=8))
def test_each_gets_the_answer_that_they_would_get_alone(asked: list[tuple[Desk, Reach, str, str]]) -> None:
    rulings = Rulings(NOW)
    for desk, reach, channel, purpose in asked:
        facts = facts_of(desk, channel, reach, NOW)
        manner = manner_of(desk, channel)
        proposal = Proposal(channel, purpose, NOW, desk.customer_id, str(reach.point_id), manner=manner)
        alone = decide(proposal, facts, RULES)
        ruling = rulings.ask(purpose, channel, desk, reach, RULES)
        assert ruling.decision == alone
        assert ruling.note(channel) == explained(proposal, alone, facts, channel)
        if desk.zone is not None:
            assert ruling.closes_at() == allowed_until(proposal, facts, RULES)


@given(desks(), _reaches, st.sampled_from(["sms", "email"]), st.text(max_size=5), st.uuids())
def test_who_it_is_and_by_which_point_does_not_change_the_answer(
    desk: Desk, reach: Reach, channel: str, somebody: str, point: UUID
) -> None:
    """What makes it right that alike customers share an answer. A rule that looks at ids would have to be asked."""
    facts = facts_of(desk, channel, reach, NOW)
    one = decide(Proposal(channel, "dunning", NOW, desk.customer_id, str(reach.point_id)), facts, RULES)
    other = decide(Proposal(channel, "dunning", NOW, somebody, str(point)), facts, RULES)
    assert one == other


def _plain(customer_id: str) -> Desk:
    return Desk(customer_id, "样本", "zh-CN", "Asia/Shanghai", "CN")


def _reach() -> Reach:
    return Reach(uuid4(), "mobile", "contract", lambda: "+8610000000")


def test_a_contact_reserved_for_one_does_not_count_for_another_nor_change_what_was_seen() -> None:
    rulings, first, second = Rulings(NOW), _plain("C1"), _plain("C2")
    before = rulings.ask("dunning", "sms", first, _reach(), RULES)
    reserve(first, MESSAGE, "sms", _reach(), NOW)
    again = rulings.ask("dunning", "sms", second, _reach(), RULES)
    assert again is before
    assert not again.note("sms")["facts"].get("reserved_today"), "what the gate saw, not what came after"
    after = rulings.ask("dunning", "sms", first, _reach(), RULES)
    assert after.note("sms")["facts"]["reserved_today"] == {"sms": 1}


def test_the_second_message_to_one_person_is_not_ruled_on_as_the_first() -> None:
    rulings, desk = Rulings(NOW), _plain("C1")
    outcomes = []
    for _ in range(5):
        outcomes.append(rulings.ask("answer", "sms", desk, _reach(), RULES).decision.outcome.value)
        reserve(desk, MESSAGE, "sms", _reach(), NOW)
    assert outcomes[0] == "allow"
    assert outcomes[-1] == "defer", "the cap of the day is reached"


@pytest.mark.parametrize(
    "change",
    [
        {"counters": {"sms": 1}},
        {"consents": (Consent("sms", time(22), time(23), NOW),)},
        {"point_usable": False},
        {"reserved_on": {TODAY: {"sms": 1}}},
    ],
)
def test_every_fact_tells_customers_apart(change: dict[str, object]) -> None:
    """Also those that nobody loads yet: whatever the gate is told is part of what makes two alike."""
    facts = facts_of(_plain("C1"), "sms", _reach(), NOW)
    assert alike_by(facts) == alike_by(facts_of(_plain("C2"), "sms", _reach(), NOW))
    assert alike_by(facts) != alike_by(replace(facts, **change))
    hash(tuple(alike_by(replace(facts, **change))))


POINT = Reach(UUID(int=7), "mobile", "contract", lambda: "+8610000000")
ON_FILE: dict[str, Any] = {
    "zone": "America/New_York",
    "jurisdiction": "US",
    "holds": [Hold("H", "C2", None, HoldKind.DO_NOT_CONTACT, "test", NOW - timedelta(days=1))],
    "opted_out": {"sms"},
    "contacts": {TODAY: {"sms": 1}},
    "last_contacts": {"sms": NOW - timedelta(minutes=1)},
    "history": (PastContact(NOW - timedelta(hours=1), "call"),),
    "consents": (Consent("sms", time(22), time(23), NOW),),
    "preferred": (PreferredHours("sms", time(9), time(10)),),
    "asks_permission": frozenset({"sms"}),
    "permissions": frozenset({"sms"}),
    "places": frozenset({"US-MA"}),
    "point_places": {str(POINT.point_id): "work"},
    "refused_places": (PlaceRefusal("work"),),
    "facts_pending": True,
}
NO_FACTS = {
    *("customer_id", "name", "language", "messages", "cases", "reach", "debt", "card_last4", "lists_texts"),
    *("merged_away", "spoken", "cards", "account_holds"),
}


def test_all_that_may_be_on_a_desk_is_a_fact_or_known_to_be_none() -> None:
    assert ON_FILE.keys() | NO_FACTS == {each.name for each in fields(Desk)}


@pytest.mark.parametrize("fact", ON_FILE)
def test_who_has_something_on_file_is_not_ruled_on_as_one_who_has_nothing(fact: str) -> None:
    rulings = Rulings(NOW)
    asks = {"asks_permission": ON_FILE["asks_permission"]} if fact == "permissions" else {}
    nothing = rulings.ask("dunning", "sms", replace(_plain("C1"), **asks), POINT, RULES)
    desk = replace(_plain("C2"), **asks, **{fact: ON_FILE[fact]})
    ruling = rulings.ask("dunning", "sms", desk, POINT, RULES)
    assert ruling.facts == facts_of(desk, "sms", POINT, NOW)
    assert ruling.facts != nothing.facts
    assert rulings.ask("dunning", "sms", _plain("C3"), POINT, RULES).facts == facts_of(_plain("C3"), "sms", POINT, NOW)


@given(desks(), st.lists(st.tuples(st.sampled_from(["sms", "email"]), st.integers(0, 230)), max_size=4))
def test_messages_of_today_count_the_same_by_day_and_one_by_one(desk: Desk, sent: list[tuple[str, int]]) -> None:
    """What a rule set gets depends on what it asks for; the caps of a day and short gaps must not notice."""
    counted = replace(desk, contacts={}, last_contacts={})
    listed = replace(desk, contacts={}, last_contacts={}, lists_texts=True)
    for channel, minutes in sorted(sent, key=lambda one: -one[1]):
        for each in (counted, listed):
            reserve(each, MESSAGE, channel, _reach(), NOW - timedelta(minutes=minutes))
    for channel in ("sms", "email"):
        asked = Proposal(channel, "dunning", NOW, desk.customer_id)
        one, other = (decide(asked, facts_of(each, channel, _reach(), NOW), RULES) for each in (counted, listed))
        assert one == other
