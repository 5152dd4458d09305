"""What counts against a cap, and when it is free again: small cases by hand."""

from datetime import UTC, date, datetime, timedelta

import pytest

from shared.domain.calendar import zone
from shared.domain.contact_counters import CONDITIONS, EFFECTIVE_SECONDS, Counter, first_free
from shared.domain.contact_facts import ContactFacts, PastContact, Proposal
from shared.domain.contact_moment import moment_at

NOON = datetime(2026, 11, 24, 4, tzinfo=UTC)  # in Shanghai
TODAY = date(2026, 11, 24)
VOICE = frozenset({"phone", "voice_bot"})


def call(**fields):
    return PastContact(**{"at": NOON - timedelta(hours=1), "channel": "phone", **fields})


def tallies(key, *history, unlisted=0, **proposal):
    given = {"contact_point_id": "p-1", "person_id": "k-1", "debts": frozenset({"d-1"}), **proposal}
    facts = ContactFacts("Asia/Shanghai", "CN", "contract", history=history, counters={"calls": unlisted})
    moment = moment_at(Proposal("phone", "dunning", NOON, "c-1", **given), facts, NOON, zone("Asia/Shanghai"))
    return [dict(tally) for tally in Counter(VOICE, (), key, "calls").by_date(moment, TODAY - timedelta(days=29))]


@pytest.mark.parametrize(
    ("condition", "meets", "fails", "unknown"),
    [
        ("outbound", {}, {"outbound": False}, None),
        ("answered", {"answered_by": "voicemail"}, {"answered_by": "nobody"}, {}),
        ("unanswered", {"answered_by": "voicemail"}, {"answered_by": "other_person"}, {}),
        ("right_party", {"answered_by": "right_party"}, {"answered_by": "machine"}, {}),
        (
            "effective",
            {"answered_by": "right_party", "talk_seconds": EFFECTIVE_SECONDS},
            {"answered_by": "right_party", "talk_seconds": EFFECTIVE_SECONDS - 1},
            {"answered_by": "right_party"},
        ),
        ("effective", {"effective_talk": True}, {"answered_by": "voicemail", "effective_talk": True}, {}),
        ("effective", {"effective_talk": True, "talk_seconds": 1}, {"effective_talk": False, "talk_seconds": 99}, {}),
        ("connected", {"connected": True}, {"connected": False}, {"answered_by": "nobody"}),
        ("connected", {"answered_by": "voicemail"}, {"connected": False, "answered_by": "nobody"}, {}),
        ("announcement", {"announcement": True}, {}, None),
        ("interactive", {}, {"announcement": True}, None),
        ("unconsented", {}, {"consented": True}, None),
        ("no_notice", {"purpose": "dunning"}, {"purpose": "statutory_notice"}, {}),
        ("personal_place", {"place": "personal"}, {"place": "work"}, {}),
        ("other_place", {"place": "work"}, {"place": "personal"}, {}),
    ],
)
def test_each_condition_knows_yes_no_and_not_known(condition, meets, fails, unknown):
    ask = CONDITIONS[condition]
    assert ask(call(**meets)) is True
    assert ask(call(**fails)) is False
    counter = Counter(VOICE, (condition,), "customer")
    assert counter.counts(call(**meets))
    assert not counter.counts(call(**fails))
    if unknown is not None:
        assert ask(call(**unknown)) is None
        assert counter.counts(call(**unknown))


def test_all_conditions_are_asked_in_these_tests():
    asked = test_each_condition_knows_yes_no_and_not_known.pytestmark[0].args[1]
    assert {row[0] for row in asked} == set(CONDITIONS)


def test_contacts_of_a_number_that_is_not_known_count_for_every_number():
    history = [call(contact_point_id="p-1"), call(contact_point_id="p-2"), call()]
    assert tallies("contact_point", *history) == [{TODAY: 2}]
    assert tallies("contact_point", *history, contact_point_id="p-2") == [{TODAY: 2}]
    assert tallies("contact_point", *history, contact_point_id=None) == [{TODAY: 3}]


def test_each_debt_is_counted_for_itself_and_one_that_is_not_known_for_all():
    history = [call(debts=frozenset({"d-1"})), call(debts=frozenset({"d-2"})), call()]
    assert tallies("debt", *history) == [{TODAY: 2}]
    assert tallies("debt", *history, debts=frozenset({"d-1", "d-2"})) == [{TODAY: 2}, {TODAY: 2}]
    assert tallies("debt", *history, debts=frozenset({"d-3"})) == [{TODAY: 1}]
    assert tallies("debt", *history, debts=frozenset()) == [{TODAY: 3}]


def test_third_persons_are_told_apart_and_from_the_debtor():
    history = [call(), call(target="contact_person", person_id="k-1"), call(target="contact_person", person_id="k-2")]
    assert tallies("person", *history) == [{TODAY: 1}]
    assert tallies("person", *history, target="contact_person") == [{TODAY: 1}]
    assert tallies("person", *history, target="contact_person", person_id=None) == [{TODAY: 2}]
    assert tallies("customer", *history) == [{TODAY: 3}]


def test_what_a_store_counts_is_added_to_what_the_history_lists_and_old_days_are_left_out():
    old = call(at=NOON - timedelta(days=30))
    assert tallies("customer", call(), old, call(channel="sms"), unlisted=2) == [{TODAY: 3}]


@pytest.mark.parametrize(
    ("tally", "maximum", "dates", "free"),
    [
        ({}, 1, 1, 0),
        ({0: 1}, 1, 1, 1),
        ({0: 1}, 2, 1, 0),
        ({-6: 1}, 1, 7, 1),
        ({-7: 1}, 1, 7, 0),
        ({-6: 1, -3: 1}, 2, 7, 1),
        ({1: 1}, 1, 2, 3),  # reserved for tomorrow: today and tomorrow would be two in two dates
        ({2: 1}, 1, 2, 0),
        ({1: 3, 3: 3}, 3, 1, 0),
        ({0: 1, 1: 1, 2: 1}, 1, 1, 3),
    ],
)
def test_it_is_free_when_every_span_of_dates_has_room_for_one_more(tally, maximum, dates, free):
    days = {TODAY + timedelta(days=offset): count for offset, count in tally.items()}
    assert first_free(days, TODAY, maximum, dates) == TODAY + timedelta(days=free)
