"""What is stored with a decision is enough to decide again, to the same answer."""

import json
from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contact import ContactFacts, HoldFact, Proposal, decide, parse_rules
from shared.domain.contact_facts import (
    Addressee,
    Consent,
    Content,
    LegalStanding,
    Mandate,
    Manner,
    Override,
    PastContact,
    PlaceRefusal,
    PreferredHours,
)
from shared.domain.contact_record import (
    facts_from_document,
    facts_to_document,
    history_from_document,
    proposal_from_document,
    proposal_to_document,
)
from shared.domain.document import DocumentError
from tests.domain.seeds import packs

PACKS = [parse_rules(document) for document in packs().values()]
YEARS = ("2020-01-02T00:00:00", "2030-01-01T00:00:00")
AT = datetime(2026, 11, 24, 2, tzinfo=UTC)

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
instants = st.builds(
    lambda at, zone: at.replace(tzinfo=zone), st.datetimes(*map(datetime.fromisoformat, YEARS)), offsets
)
days = st.dates(date(2020, 1, 1), date(2030, 1, 1))
ids = st.sampled_from(["p-1", "d-1", "d-2", "sms", "phone", "*", "work"])
counts = st.dictionaries(ids, st.integers(0, 9), max_size=2)
flags = st.none() | st.booleans()


clocks = st.times()
facts_strategy = st.builds(
    ContactFacts,
    zone=st.none() | st.sampled_from(["Asia/Shanghai", "America/New_York"]),
    jurisdiction=st.none() | st.sampled_from(["CN", "US"]),
    point_source=st.none() | ids,
    point_usable=st.booleans(),
    reserved_today=counts,
    last_contact_at=st.none() | instants,
    opted_out=st.frozensets(st.tuples(ids, ids), max_size=2),
    holds=st.lists(st.builds(HoldFact, kind=ids, allowed_purposes=st.frozensets(ids), until=st.none() | instants)).map(
        tuple
    ),
    consents=st.lists(
        st.builds(
            Consent,
            channel=ids,
            from_time=clocks,
            to_time=clocks,
            starts_at=instants,
            ends_at=st.none() | instants,
            withdrawn_at=st.none() | instants,
            proof=st.none() | ids,
        ),
        max_size=2,
    ).map(tuple),
    facts_pending=st.booleans(),
    reserved_on=st.dictionaries(days, counts, max_size=2),
    counters=counts,
    zones=st.lists(st.sampled_from(["Asia/Tokyo"]), max_size=1).map(tuple),
    places=st.none() | st.frozensets(ids),
    collector=st.none() | st.sampled_from(["bank", "agency"]),
    debtor_state=st.none() | ids,
    number_invalid_at=st.none() | instants,
    point_place=st.none() | ids,
    refused_places=st.lists(st.builds(PlaceRefusal, place=ids, until=st.none() | instants), max_size=2).map(tuple),
    preferred=st.lists(
        st.builds(
            PreferredHours, channel=ids, from_time=clocks, to_time=clocks, weekdays=st.frozensets(st.integers(0, 6))
        ),
        max_size=2,
    ).map(tuple),
    quiet_dates=st.frozensets(days, max_size=2),
    permissions=st.none() | st.frozensets(ids),
    history=st.lists(
        st.builds(
            PastContact,
            at=instants,
            channel=ids,
            purpose=st.none() | ids,
            outbound=st.booleans(),
            contact_point_id=st.none() | ids,
            debts=st.frozensets(ids),
            answered_by=st.none() | ids,
            connected=flags,
            effective_talk=flags,
            talk_seconds=st.none() | st.integers(0, 900),
            announcement=st.booleans(),
            consented=st.booleans(),
        ),
        max_size=3,
    ).map(tuple),
    addressee=st.builds(Addressee, refused=flags, evidence=flags),
    mandate=st.builds(Mandate, listed=flags),
    standing=st.builds(
        LegalStanding,
        limitation_ends_on=st.none() | days,
        notice_days=st.none() | st.integers(0, 99),
        principal=st.none() | st.dictionaries(st.sampled_from(["CNY", "USD"]), st.integers(0, 10**12)),
        effective_collections=st.none() | st.lists(days, max_size=2).map(tuple),
    ),
)
proposal_strategy = st.builds(
    Proposal,
    channel=st.sampled_from(["sms", "phone"]),
    purpose=st.sampled_from(["dunning", "answer"]),
    at=instants,
    customer_id=st.just("c-1"),
    contact_point_id=st.none() | ids,
    debts=st.frozensets(ids),
    content=st.builds(Content, parts=st.none() | st.frozensets(ids), says_debt=flags, findings=st.frozensets(ids)),
    manner=st.builds(Manner, automated=flags, staff=st.none() | st.integers(0, 5), legal_step=st.none() | ids),
    overrides=st.lists(st.builds(Override, rule_id=ids, reason=ids, requested_by=ids, approved_by=ids), max_size=1).map(
        tuple
    ),
)


def stored(document):
    """As it comes back from a JSON column."""
    return json.loads(json.dumps(document, allow_nan=False))


@settings(max_examples=80, deadline=None)
@given(facts_strategy, proposal_strategy)
def test_facts_and_proposals_survive_storing_exactly(facts, proposal):
    assert facts_from_document(stored(facts_to_document(facts))) == facts
    assert proposal_from_document(stored(proposal_to_document(proposal))) == proposal


@settings(max_examples=40, deadline=None)
@given(facts_strategy, proposal_strategy, st.sampled_from(PACKS))
def test_a_stored_decision_replays_to_the_same_answer(facts, proposal, rules):
    replayed = decide(
        proposal_from_document(stored(proposal_to_document(proposal))),
        facts_from_document(stored(facts_to_document(facts))),
        rules,
    )
    assert replayed == decide(proposal, facts, rules)


def test_what_is_ordinary_is_not_written():
    facts = ContactFacts("Asia/Shanghai", "CN", "contract", places=frozenset())
    assert facts_to_document(facts) == {
        "zone": "Asia/Shanghai",
        "jurisdiction": "CN",
        "point_source": "contract",
        "places": [],
    }
    assert facts_to_document(ContactFacts(None, None, None)) == {}
    assert facts_from_document({}) == ContactFacts(None, None, None)
    unknown = ContactFacts("Asia/Shanghai", "CN", "contract", collector=None)
    assert facts_to_document(unknown)["collector"] is None
    assert facts_from_document(facts_to_document(unknown)).collector is None


def test_instants_are_written_in_utc_and_dates_as_dates():
    beijing = timezone(timedelta(hours=8))
    facts = ContactFacts(
        "Asia/Shanghai",
        "CN",
        "contract",
        last_contact_at=datetime(2026, 11, 24, 10, tzinfo=beijing),
        quiet_dates=frozenset({date(2026, 11, 25)}),
        preferred=(PreferredHours("*", time(18), time(20)),),
    )
    written = facts_to_document(facts)
    assert written["last_contact_at"] == "2026-11-24T02:00:00+00:00"
    assert written["quiet_dates"] == ["2026-11-25"]
    assert written["preferred"] == [{"channel": "*", "from_time": "18:00:00", "to_time": "20:00:00"}]


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"zone": 8}, r"facts\.zone: must be a text"),
        ({"mood": "good"}, r"facts\.mood: is not a known key"),
        ({"holds": "complaint"}, r"facts\.holds: must be a list"),
        ({"holds": [{"until": None}]}, r"facts\.holds\[0\]\.kind: is missing"),
        ({"last_contact_at": "2026-11-24T10:00:00"}, r"facts\.last_contact_at: .* carries no offset"),
        ({"last_contact_at": "noon"}, r"last_contact_at: 'noon' is not an instant"),
        ({"quiet_dates": ["someday"]}, r"quiet_dates\[0\]: 'someday' is not a date"),
        ({"reserved_today": {"sms": True}}, r"reserved_today\.sms: must be a whole number"),
        ({"reserved_today": []}, "reserved_today: must be a mapping"),
        ({"opted_out": [["sms"]]}, r"opted_out\[0\]: must be a list of 2"),
        ({"point_usable": 1}, "point_usable: must be true or false"),
        ({"preferred": [{"channel": "*", "from_time": "six", "to_time": "20:00"}]}, "from_time: 'six' is not a local"),
        ({"history": [{"at": "2026-11-24T10:00:00Z"}]}, r"history\[0\]\.channel: is missing"),
    ],
)
def test_a_document_that_makes_no_sense_is_refused_with_its_place(document, problem):
    with pytest.raises(DocumentError, match=problem):
        facts_from_document(document)


def test_a_history_and_a_proposal_are_read_as_strictly():
    with pytest.raises(DocumentError, match=r"history\[0\]\.shouted: is not a known key"):
        history_from_document([{"at": "2026-11-24T10:00:00Z", "channel": "phone", "shouted": True}])
    with pytest.raises(DocumentError, match=r"proposal\.at: is missing"):
        proposal_from_document({"channel": "sms", "purpose": "dunning", "customer_id": "c-1"})
    assert history_from_document([{"at": "2026-11-24T02:00:00Z", "channel": "phone"}]) == (PastContact(AT, "phone"),)
