import copy
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared.domain.contact import (
    Consent,
    ContactFacts,
    HoldFact,
    Outcome,
    Proposal,
    allowed_until,
    decide,
    parse_rules,
)
from shared.domain.contact_facts import PreferredHours
from shared.domain.hold import EFFECTS, HoldKind
from tests.domain.seeds import china_pack

RULES = parse_rules(china_pack())
ORDINARY = ContactFacts("Asia/Shanghai", "CN", "contract")
BEIJING = ZoneInfo("Asia/Shanghai")


def beijing(day, hour, minute=0, second=0):
    return datetime(2026, 11, day, hour, minute, second, tzinfo=BEIJING)


def ask(at, channel="sms", facts=ORDINARY, purpose="dunning"):
    return decide(Proposal(channel, purpose, at, "c-1", "p-1"), facts, RULES)


def test_scenario_1_a_call_before_eight_waits_until_eight():
    decision = ask(beijing(24, 7, 59, 59), "phone")
    assert (decision.outcome, decision.until) == (Outcome.DEFER, beijing(24, 8))
    assert "cn-quiet-hours-cba" in {fired.rule_id for fired in decision.fired}


def test_scenario_2_a_call_at_eight_is_allowed():
    assert ask(beijing(24, 8), "phone").outcome is Outcome.ALLOW


def test_scenario_3_a_message_until_just_before_ten_in_the_evening():
    assert ask(beijing(24, 21, 59, 59)).outcome is Outcome.ALLOW
    assert ask(beijing(24, 22)).until == beijing(25, 8)


def test_scenario_6_calls_do_not_use_up_messages():
    facts = replace(ORDINARY, reserved_today={"phone": 3}, counters={"effective_talk": 3})
    assert ask(beijing(24, 16), "phone", facts).until == beijing(25, 8)
    assert ask(beijing(24, 16), "sms", facts).outcome is Outcome.ALLOW


def test_a_forbid_wins_over_a_defer_and_both_are_told():
    facts = replace(ORDINARY, holds=(HoldFact("complaint"),))
    decision = ask(beijing(24, 23), facts=facts)
    assert (decision.outcome, decision.until, decision.release) == (Outcome.FORBID, None, "hold released: complaint")
    assert {"cn-holds", "cn-quiet-hours-cba", "cn-quiet-hours-gbt"} == {fired.rule_id for fired in decision.fired}


def test_a_defer_is_asked_again_where_it_leads():
    """The cap lifts at midnight, but midnight is quiet; and then eight is."""
    decision = ask(beijing(24, 16), facts=replace(ORDINARY, reserved_today={"sms": 3}))
    assert decision.until == beijing(25, 8)
    assert [fired.rule_id for fired in decision.fired] == ["cn-sms-cap", "cn-quiet-hours-cba", "cn-quiet-hours-gbt"]


def test_pending_facts_forbid_and_say_that_asking_again_may_help():
    decision = ask(beijing(24, 10), facts=replace(ORDINARY, facts_pending=True))
    assert (decision.outcome, decision.release, decision.retry) == (Outcome.FORBID, "intake no longer blocked", True)
    held = ask(beijing(24, 10), facts=replace(ORDINARY, facts_pending=True, holds=(HoldFact("manual"),)))
    assert (held.outcome, held.retry) == (Outcome.FORBID, False)


@pytest.mark.parametrize(
    "missing", [{"zone": None}, {"jurisdiction": None}, {"point_source": None}, {"zone": ""}, {"zone": "Mars/Base"}]
)
def test_a_missing_fact_denies(missing):
    decision = ask(beijing(24, 10), facts=replace(ORDINARY, **missing))
    assert decision.outcome is Outcome.FORBID
    assert decision.release
    assert decision.fired


def test_no_slot_within_sixty_days_is_a_forbid():
    far = replace(ORDINARY, holds=(HoldFact("hardship", until=beijing(24, 10) + timedelta(days=61)),))
    decision = ask(beijing(24, 10), facts=far)
    assert (decision.outcome, decision.release) == (Outcome.FORBID, "no feasible slot")
    full = {date(2026, 11, 24) + timedelta(days=n): {"sms": 3} for n in range(1, 90)}
    decision = ask(beijing(24, 10), facts=replace(ORDINARY, reserved_today={"sms": 3}, reserved_on=full))
    assert (decision.outcome, decision.release) == (Outcome.FORBID, "no feasible slot")


def test_hours_follow_the_customers_clock_through_daylight_saving():
    new_york = replace(ORDINARY, zone="America/New_York")
    night_before_spring = datetime(2026, 3, 8, 4, 0, tzinfo=UTC)  # 23:00 on the 7th; clocks go forward at two
    assert ask(night_before_spring, facts=new_york).until == datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
    night_before_winter = datetime(2026, 11, 1, 3, 0, tzinfo=UTC)  # 23:00 on the 31st; clocks go back at two
    assert ask(night_before_winter, facts=new_york).until == datetime(2026, 11, 1, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("window", "at", "clear"),
    [
        # 01:45, quiet until 02:30, which the clocks leave out: clear at the jump to 03:00
        (("01:30", "02:30"), datetime(2026, 3, 8, 6, 45, tzinfo=UTC), datetime(2026, 3, 8, 7, tzinfo=UTC)),
        # the second 01:10, quiet until the second 01:30
        (("00:30", "01:30"), datetime(2026, 11, 1, 6, 10, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
        # the first 01:45, quiet from 01:30: the clocks go back to 01:00, which is clear
        (("01:30", "02:30"), datetime(2026, 11, 1, 5, 45, tzinfo=UTC), datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ],
)
def test_a_window_that_clocks_cut_through_is_exact(window, at, clear):
    document = copy.deepcopy(china_pack())
    for rule in document["rules"]:
        if rule["kind"] == "quiet_hours":
            rule["parameters"] = {"from": window[0], "to": window[1], "lifted_by": "consent"}
    plain = replace(ORDINARY, zone="America/New_York")
    agreed = replace(plain, consents=(Consent("sms", time(9), time(10), beijing(1, 0)),))
    for facts in (plain, agreed):
        decision = decide(Proposal("sms", "dunning", at, "c-1"), facts, parse_rules(document))
        assert (decision.outcome, decision.until) == (Outcome.DEFER, clear)


def test_every_kind_of_hold_forbids_dunning_and_allows_what_it_says():
    for kind in HoldKind:
        held = replace(ORDINARY, holds=(HoldFact(kind.value, EFFECTS[kind].allowed_purposes),))
        assert ask(beijing(24, 10), facts=held).outcome is Outcome.FORBID
        for purpose in EFFECTS[kind].allowed_purposes:
            assert ask(beijing(24, 10), facts=held, purpose=purpose).outcome is Outcome.ALLOW


def test_what_does_not_exist_is_an_error():
    with pytest.raises(ValueError, match="no such contact"):
        ask(beijing(24, 10), channel="fax")
    with pytest.raises(ValueError, match="no such contact"):
        ask(beijing(24, 10), purpose="fun")
    with pytest.raises(ValueError, match="offset"):
        ask(datetime(2026, 11, 24, 10))  # noqa: DTZ001 - that is the point


def test_an_allowed_contact_has_until_the_quiet_hours():
    def until(at, channel="sms", zone="Asia/Shanghai"):
        return allowed_until(Proposal(channel, "dunning", at, "c-1"), replace(ORDINARY, zone=zone), RULES)

    assert until(beijing(24, 10)) == beijing(24, 22)
    assert until(beijing(24, 21, 59, 59)) == beijing(24, 22)
    assert until(beijing(24, 10), channel="letter") == beijing(25, 0)
    assert until(datetime(2026, 11, 24, 4, tzinfo=UTC), zone="Asia/Urumqi") == beijing(24, 22)
    assert until(datetime(2026, 11, 24, 15, tzinfo=UTC), zone="America/New_York") == datetime(
        2026, 11, 25, 3, tzinfo=UTC
    )


def test_hours_that_the_customer_asked_for_end_a_contact_too():
    asked = replace(ORDINARY, preferred=(PreferredHours("sms", time(9), time(12)),))
    proposal = Proposal("sms", "dunning", beijing(24, 10), "c-1")
    assert allowed_until(proposal, asked, RULES) == beijing(24, 12)
    assert allowed_until(replace(proposal, channel="email"), asked, RULES) == beijing(24, 22)
    in_doubt = replace(ORDINARY, zones=("Asia/Tokyo",))
    assert allowed_until(proposal, in_doubt, RULES) == beijing(24, 21)
    with pytest.raises(ValueError, match="without a zone"):
        allowed_until(proposal, replace(ORDINARY, zone=None), RULES)


def test_what_is_advised_beyond_sixty_days_is_not_before_the_end_of_what_is_known():
    """A hold for three months: no slot in sight, and not before its end."""
    held = replace(ORDINARY, holds=(HoldFact("hardship", until=beijing(24, 10) + timedelta(days=90)),))
    lift = ask(beijing(24, 10), facts=held).lift
    assert (lift.until, lift.complete, lift.changes) == (beijing(24, 10) + timedelta(days=90), False, ())


def test_advice_names_every_change_and_stops_where_something_has_to_be_found_out():
    facts = replace(ORDINARY, point_usable=False, opted_out=frozenset({("sms", "*")}))
    lift = ask(beijing(24, 23), facts=facts).lift
    assert lift.releases == ("a contact point that can be used", "the customer withdraws the opt-out")
    assert (lift.until, lift.complete) == (beijing(25, 8), True)
    unknown = ask(beijing(24, 10), facts=replace(ORDINARY, zone=None)).lift
    assert (unknown.releases, unknown.complete) == (("known: zone",), False)


def test_in_doubt_about_the_zone_the_later_hour_is_told():
    facts = replace(ORDINARY, zone="America/Los_Angeles", zones=("America/New_York",), holds=(HoldFact("manual"),))
    two_in_new_york = datetime(2026, 11, 24, 7, tzinfo=UTC)
    decision = ask(two_in_new_york, facts=facts)
    quiet = next(fired for fired in decision.fired if fired.rule_id == "cn-quiet-hours-cba")
    assert decision.outcome is Outcome.FORBID
    assert quiet.until == datetime(2026, 11, 24, 16, tzinfo=UTC)  # eight in Los Angeles
