"""The scenarios that lawyers and collectors talk about, by their numbers, asked of the shipped packs.

China, debtor reachable, no holds, no consents, unless said. 24 November 2026 is a Tuesday.
"""

from dataclasses import replace
from datetime import date, datetime, time

import pytest

from shared.domain.contact import Consent, HoldFact, Outcome, Proposal, decide, parse_rules
from shared.domain.contact_facts import (
    Addressee,
    Content,
    LegalStanding,
    Mandate,
    Manner,
    Override,
    PastContact,
)
from shared.domain.contact_overlay import overlay
from shared.domain.contact_vectors import ordinary_facts, ordinary_proposal
from shared.domain.hold import EFFECTS, HoldKind
from shared.domain.template_lint import Draft, content_of
from tests.domain.seeds import packs

PACKS = {name: parse_rules(document) for name, document in packs().items()}
INDIA_WITHOUT_GUARD = overlay(
    packs()["in"],
    {
        "overlay_of": "in",
        "name": "bank",
        "version": 1,
        "changes": [
            {
                "rule": "in-call-ends-in-time",
                "from": "2026-01-01",
                "parameters": {"minutes": 0},
                "why": "calls are announced as short ones",
                "signed_off": {"by": "head of legal", "on": "2025-12-01", "why": "no source asks for it"},
            }
        ],
    },
)


def at(text):
    return datetime.fromisoformat(text)


def china(hour):
    return at(f"2026-11-24T{hour}+08:00")


class Asked:
    """A decision in few words: its outcome, until when, and whose rules objected."""

    def __init__(self, pack, channel, instant, facts, proposal, purpose):
        given = ordinary_proposal(pack, channel, purpose, instant.isoformat(), {})
        proposal = replace(given, **proposal)
        decision = decide(proposal, replace(ordinary_facts(pack, {}), **facts), pack)
        self.outcome, self.until, self.decision = decision.outcome, decision.until, decision
        self.rules = [fired.rule_id for fired in decision.fired]


def ask(channel, instant, pack="cn", purpose="dunning", proposal=None, **facts):
    return Asked(PACKS[pack] if isinstance(pack, str) else pack, channel, instant, facts, proposal or {}, purpose)


def allowed(asked):
    return asked.outcome is Outcome.ALLOW


def deferred(asked, until, rule):
    return (asked.outcome, asked.until) == (Outcome.DEFER, at(until)) and rule in asked.rules


def forbidden(asked, rule):
    return asked.outcome is Outcome.FORBID and rule in asked.rules


def talks(*clocks):
    return tuple(PastContact(china(clock), "phone", answered_by="right_party", effective_talk=True) for clock in clocks)


def held(kind, until=None):
    return (HoldFact(kind.value, EFFECTS[kind].allowed_purposes, until),)


def test_1_a_call_a_second_before_eight_waits_for_it():
    assert deferred(ask("phone", china("07:59:59")), "2026-11-24T08:00:00+08:00", "cn-quiet-hours-cba")


def test_2_a_call_at_eight():
    assert allowed(ask("phone", china("08:00:00")))


def test_3_a_message_until_ten_in_the_evening():
    assert allowed(ask("sms", china("21:59:59")))
    assert deferred(ask("sms", china("22:00:00")), "2026-11-25T08:00:00+08:00", "cn-quiet-hours-cba")


def test_4_a_consent_is_for_its_channel_and_its_time():
    agreed = Consent("phone", time(22), time(23, 30), at("2026-10-01T00:00:00+08:00"), at("2027-01-01T00:00:00+08:00"))
    assert allowed(ask("phone", china("22:30:00"), consents=(agreed,)))
    message = ask("sms", china("22:30:00"), consents=(agreed,))
    assert deferred(message, "2026-11-25T08:00:00+08:00", "cn-quiet-hours-gbt")
    ended = ask("phone", at("2027-01-02T22:30:00+08:00"), consents=(agreed,))
    assert deferred(ended, "2027-01-03T08:00:00+08:00", "cn-quiet-hours-gbt")


def test_4_withdrawn_or_somebody_elses_it_lifts_nothing():
    agreed = Consent("phone", time(22), time(23, 30), at("2026-10-01T00:00:00+08:00"))
    withdrawn = replace(agreed, withdrawn_at=china("22:29:59"))
    guarantors = replace(agreed, given_by="guarantor")
    for consent in (withdrawn, guarantors):
        assert ask("phone", china("22:30:00"), consents=(consent,)).until == at("2026-11-25T08:00:00+08:00")


def test_5_after_three_effective_talks_the_phone_rests_till_tomorrow():
    asked = ask("phone", china("16:00:00"), history=talks("09:10:00", "11:30:00", "15:00:00"))
    assert deferred(asked, "2026-11-25T08:00:00+08:00", "cn-effective-call-cap-3")


def test_6_the_cap_on_calls_does_not_bind_messages():
    assert allowed(ask("sms", china("16:00:00"), history=talks("09:10:00", "11:30:00", "15:00:00")))


def test_7_six_unanswered_calls_are_enough_for_one_number():
    rang_out = tuple(
        PastContact(china(f"{hour:02}:00:00"), "phone", contact_point_id="A", answered_by="nobody")
        for hour in range(9, 15)
    )
    number_a = ask("phone", china("17:00:00"), history=rang_out, proposal={"contact_point_id": "A"})
    assert deferred(number_a, "2026-11-25T08:00:00+08:00", "cn-unanswered-attempt-cap-6")
    assert allowed(ask("phone", china("17:00:00"), history=rang_out, proposal={"contact_point_id": "B"}))


def test_7_it_may_be_overridden_with_a_reason_by_two_people():
    rang_out = tuple(
        PastContact(china(f"{hour:02}:00:00"), "phone", contact_point_id="p-1", answered_by="nobody")
        for hour in range(9, 15)
    )
    override = Override("cn-unanswered-attempt-cap-6", "asked to be called back", "agent", "lead")
    asked = ask("phone", china("17:00:00"), history=rang_out, proposal={"overrides": (override,)})
    assert allowed(asked)
    assert asked.decision.overridden == ("cn-unanswered-attempt-cap-6",)
    for wrong in (replace(override, approved_by="agent"), replace(override, reason=" ")):
        assert not allowed(ask("phone", china("17:00:00"), history=rang_out, proposal={"overrides": (wrong,)}))
    hours = ("cn-quiet-hours-cba", "cn-quiet-hours-gbt", "cn-call-ends-in-time")
    night = tuple(replace(override, rule_id=rule) for rule in hours)
    assert not allowed(ask("phone", china("23:00:00"), proposal={"overrides": night}))


PASS_ON = {"target": "contact_person", "person_id": "k-1", "content": Content(says_debt=False)}


def test_8_a_contact_person_is_left_alone_while_the_debtor_answers():
    answered = (PastContact(at("2026-11-23T10:00:00+08:00"), "phone", answered_by="right_party", talk_seconds=60),)
    asked = ask(
        "phone",
        china("10:00:00"),
        purpose="locate",
        proposal=PASS_ON,
        history=answered,
        debtor_state="reachable",
        addressee=Addressee(refused=False),
    )
    assert forbidden(asked, "cn-third-party-only-if-lost")


def test_9_once_the_number_proved_invalid_they_may_be_asked_but_told_nothing():
    def asked(content):
        return ask(
            "phone",
            china("10:00:00"),
            purpose="locate",
            proposal={**PASS_ON, "content": content},
            debtor_state="lost",
            number_invalid_at=at("2026-11-23T09:00:00+08:00"),
            addressee=Addressee(refused=False),
        )

    texts = PACKS["cn"].texts
    relay, naming = (
        content_of(Draft("zh-CN", "phone", "locate", body, target="contact_person"), texts, date(2026, 11, 24))
        for body in ("请转告{{ name }}回电{{ hotline }}", "{{ name }}欠款{{ past_due }}已逾期")
    )
    assert allowed(asked(relay))
    assert forbidden(asked(naming), "cn-third-party-purpose")


def test_10_under_a_performed_plan_only_its_own_reminders_go_out():
    plan = held(HoldKind.PLAN)
    assert forbidden(ask("sms", china("10:00:00"), holds=plan), "cn-holds")
    reminder = ask("sms", at("2026-12-07T10:00:00+08:00"), purpose="due_reminder", holds=plan)
    assert allowed(reminder)


def test_11_a_broken_plan_protects_no_more():
    assert allowed(ask("phone", china("10:00:00"), holds=()))


def test_12_an_open_objection_stops_dunning_until_it_is_closed():
    asked = ask("phone", china("10:00:00"), holds=(*held(HoldKind.OBJECTION), *held(HoldKind.COMPLAINT)))
    assert forbidden(asked, "cn-holds")
    assert asked.decision.lift.releases == ("hold released: objection", "hold released: complaint")
    assert asked.decision.lift.complete


VISIT = Manner(staff=2, recorded=True, entry=False, public_posting=False)


def test_13_no_paper_on_doors_and_no_way_in_without_consent():
    taped = ask("visit", china("15:00:00"), proposal={"manner": replace(VISIT, public_posting=True)})
    assert forbidden(taped, "cn-no-public-posting")
    entered = ask("visit", china("15:00:00"), proposal={"manner": replace(VISIT, entry=True)}, permissions=frozenset())
    assert forbidden(entered, "cn-visit-no-entry")
    assert allowed(ask("visit", china("15:00:00"), proposal={"manner": VISIT}))
    unsaid = ask("visit", china("15:00:00"), proposal={"manner": replace(VISIT, entry=None)})
    assert forbidden(unsaid, "cn-visit-no-entry")
    assert unsaid.decision.lift.releases == ("known: entry",)  # once they stay outside, no consent is asked for
    assert unsaid.decision.lift.changes[0].to is False


@pytest.mark.parametrize(
    ("body", "rule"),
    [("您已进入国家黑名单", "cn-no-false-claims"), ("【朝阳区人民法院】您有案件", "cn-no-impersonation")],
)
def test_14_what_the_linter_finds_in_a_text_the_gate_forbids(body, rule):
    content = content_of(Draft("zh-CN", "sms", "dunning", body), PACKS["cn"].texts, date(2026, 11, 24))
    assert forbidden(ask("sms", china("10:00:00"), proposal={"content": content}), rule)


def test_14_an_agencys_people_use_no_accounts_of_their_own():
    agency = {"collector": "agency", "mandate": Mandate(listed=True)}
    private = {"manner": Manner(account_registered=False)}
    assert forbidden(ask("sms", china("10:00:00"), proposal=private, **agency), "cn-no-private-device")
    assert allowed(ask("sms", china("10:00:00"), proposal={"manner": Manner(account_registered=True)}, **agency))


def test_15_the_dead_are_not_dunned_their_estate_may_be():
    dead = {"holds": held(HoldKind.DECEASED), "debtor_state": "deceased"}
    assert forbidden(ask("sms", china("10:00:00"), **dead), "cn-holds")
    parts = frozenset({"balance", "legal_basis", "rights", "how_to_pay_and_object", "contact_data", "seal"})
    letter = {"target": "estate", "content": Content(parts=parts), "manner": Manner(public_posting=False)}
    within, beyond = Addressee(within_estate=True), Addressee(within_estate=False)
    assert allowed(ask("letter", china("10:00:00"), proposal=letter, addressee=within, **dead))
    assert forbidden(ask("letter", china("10:00:00"), proposal=letter, addressee=beyond, **dead), "cn-estate-value")


def test_16_a_report_to_the_police_wants_two_collections_a_month_apart_and_three_months_more():
    def asked(*days):
        return ask(
            "legal",
            at("2026-07-03T10:00:00+08:00"),
            proposal={"manner": Manner(legal_step="police_report")},
            standing=LegalStanding(principal={"CNY": 6_200_000}, effective_collections=days),
        )

    too_close, far_enough = date(2026, 3, 25), date(2026, 4, 2)
    assert forbidden(asked(date(2026, 3, 2), too_close), "cn-malicious-overdraft")
    assert allowed(asked(date(2026, 3, 2), far_enough))


def test_18_the_hour_is_that_of_where_the_consumer_is():
    moved = {"zone": "America/Los_Angeles", "places": frozenset({"US-CA"})}
    asked = ask("phone", at("2026-11-24T08:30:00-05:00"), "us", **moved)
    assert deferred(asked, "2026-11-24T11:00:00-05:00", "us-regf-hours")
    in_doubt = ask("phone", at("2026-11-24T20:30:00-08:00"), "us", zones=("America/New_York",), **moved)
    assert deferred(in_doubt, "2026-11-25T08:00:00-08:00", "us-regf-hours")


def call_a_day(busy_on=None):
    return tuple(
        PastContact(
            at(f"2026-11-{day}T10:00:00-05:00"),
            "phone",
            debts=frozenset({"d-1"}),
            answered_by="nobody",
            connected=day != busy_on,
        )
        for day in range(16, 23)
    )


def test_19_seven_calls_in_seven_days():
    new_york = {"places": frozenset({"US-NY"}), "history": call_a_day()}
    eighth = ask("phone", at("2026-11-22T15:00:00-05:00"), "us", **new_york)
    assert deferred(eighth, "2026-11-23T08:00:00-05:00", "us-regf-7in7")
    assert allowed(ask("phone", at("2026-11-23T09:00:00-05:00"), "us", **new_york))
    busy = {**new_york, "history": call_a_day(busy_on=19)}
    assert allowed(ask("phone", at("2026-11-22T15:00:00-05:00"), "us", **busy))


def test_20_an_opt_out_in_every_message_and_none_to_who_has_opted_out():
    morning = at("2026-11-24T10:00:00-05:00")
    texts = PACKS["us"].texts
    bare, full = (
        content_of(Draft("en", "email", "dunning", body, "x", collector="agency"), texts, morning.date())
        for body in ("You have a balance.", "You have a balance. To opt out, reply STOP.")
    )
    assert forbidden(ask("email", morning, "us", proposal={"content": bare}), "us-regf-optout")
    stopped = frozenset({("sms", "*")})
    assert forbidden(ask("sms", morning, "us", opted_out=stopped), "us-regf-medium-stop")
    assert allowed(ask("email", morning, "us", proposal={"content": full}, opted_out=stopped))


def test_21_india_from_eight_to_seven_and_nobody_but_borrower_and_guarantor():
    seven, before = at("2026-11-24T19:00:00+05:30"), at("2026-11-24T18:59:00+05:30")
    assert deferred(ask("phone", seven, "in"), "2026-11-25T08:00:00+05:30", "in-hours")
    assert deferred(ask("phone", before, "in"), "2026-11-25T08:00:00+05:30", "in-call-ends-in-time")
    assert allowed(ask("phone", before, parse_rules(INDIA_WITHOUT_GUARD)))
    brother = ask("phone", at("2026-11-24T10:00:00+05:30"), "in", proposal={"target": "other"})
    assert forbidden(brother, "in-borrower-guarantor-only")


def test_a_proposal_without_an_offset_is_no_proposal():
    with pytest.raises(ValueError, match="offset"):
        Proposal("sms", "dunning", datetime(2026, 11, 24, 10), "c-1")  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="offset"):
        PastContact(datetime(2026, 11, 24, 10), "sms")  # noqa: DTZ001 - that is the point
