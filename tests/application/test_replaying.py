"""Decisions that were stored are taken again to the same answer, and asked of rules that are only proposed."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from shared.application.decisions import decision_document
from shared.application.replaying import Stored, replay, under
from shared.domain.contact import ContactFacts, Proposal, decide
from shared.domain.contact_facts import PastContact
from shared.domain.contact_overlay import overlay
from shared.domain.contact_rules import parse_rules
from tests.domain.seeds import china_pack

CHINA = parse_rules(china_pack())
AT = datetime(2026, 7, 2, 13, 30, tzinfo=UTC)  # half past nine in the evening in Shanghai
EARLIER = overlay(
    china_pack(),
    {"overlay_of": "cn", "name": "our-bank", "version": 1,
     "changes": [
         {"rule": "cn-quiet-hours-cba", "from": "2026-06-01", "parameters": {"from": "21:00"}, "why": "asked"},
     ]},
)  # fmt: skip


def stored(**facts: object) -> Stored:
    """A text of half past nine, as it was written: by way of JSON."""
    proposal = Proposal("sms", "dunning", AT, "C1", "point-1")
    seen = ContactFacts("Asia/Shanghai", "CN", "contract", **facts)  # type: ignore[arg-type]
    document = decision_document(proposal, seen, decide(proposal, seen, CHINA))
    return Stored("permit", "1", "C1", json.loads(json.dumps(document)))


def test_a_decision_comes_out_the_same_whatever_it_was() -> None:
    call = PastContact(AT, "phone", answered_by="right_party", effective_talk=True, contact_point_id="point-1")
    for one in (stored(), stored(reserved_today={"sms": 3}), stored(facts_pending=True), stored(history=(call, call))):
        assert replay(one, {CHINA.label: CHINA}.get) is None


def test_rules_that_are_not_on_record_are_named_as_the_reason() -> None:
    different = replay(stored(), lambda label: None)
    assert different is not None
    assert different.why == "the rules it names are not on record"


def test_what_can_not_be_read_is_not_passed_over() -> None:
    broken = stored()
    different = replay(Stored("permit", "1", "C1", {**broken.decision, "facts": {"zone": 7}}), {CHINA.label: CHINA}.get)
    assert different is not None
    assert different.why == "what it saw can not be read"


def test_a_proposed_overlay_tells_what_it_would_have_stopped() -> None:
    proposed = parse_rules(EARLIER)
    found = under(stored(), proposed)
    assert found is not None
    assert (found.before, found.after) == ("allow", "defer")
    assert "cn-quiet-hours-cba" in found.rule_ids
    assert under(stored(facts_pending=True), proposed) is None, "refused then and now"
