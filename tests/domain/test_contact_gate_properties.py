"""The gate against a slow and obvious model: try every minute from the proposed instant on, by the wall clock."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contact import Consent, ContactFacts, HoldFact, Outcome, Proposal, decide, parse_rules

ZONES = ["Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "Europe/London", "Pacific/Apia"]
TURNS = [  # when clocks change somewhere, and other days to stumble over
    ("America/New_York", datetime(2026, 3, 8, 7, tzinfo=UTC)),
    ("America/New_York", datetime(2026, 11, 1, 6, tzinfo=UTC)),
    ("America/Havana", datetime(2026, 3, 8, 5, tzinfo=UTC)),  # at midnight
    ("America/Havana", datetime(2026, 11, 1, 5, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 3, 29, 1, tzinfo=UTC)),
    ("Europe/London", datetime(2026, 10, 25, 1, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, 22, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 10, 29, 21, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 15, tzinfo=UTC)),  # by half an hour
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    ("Asia/Shanghai", datetime(2026, 11, 30, 20, tzinfo=UTC)),
    ("Europe/London", datetime(2028, 2, 29, 12, tzinfo=UTC)),
]
MINUTE = timedelta(minutes=1)
HORIZON = 4 * 24 * 60

seconds = st.integers(-90_000, 90_000) | st.integers(-5_400, 5_400) | st.integers(-90, 90).map(lambda n: n * 60)
wall_times = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 59]))
windows = st.one_of(
    st.tuples(wall_times, wall_times).filter(lambda window: window[0] != window[1]),
    st.just((time(22), time(8))),
    st.sampled_from([(time(1, 30), time(2, 30)), (time(0, 30), time(1, 30)), (time(23, 30), time(0, 30))]),
)


def rule(rule_id, kind, **parameters):
    return {
        "id": rule_id,
        "kind": kind,
        "text": rule_id,
        "citation": "test",
        "strength": "E",
        "verified": True,
        "valid_from": "2000-01-01",
        "parameters": parameters,
        "vectors": [],
    }


def pack(window, cap, gap):
    start, end = (f"{clock:%H:%M}" for clock in window)
    return parse_rules(
        {
            "jurisdiction": "CN",
            "name": "test",
            "version": 1,
            "rules": [
                rule("facts", "mandatory_facts", jurisdiction="CN", facts=["zone", "jurisdiction"]),
                rule("pending", "facts_pending"),
                rule("usable", "usable_point"),
                rule("opt-out", "opt_out"),
                rule("holds", "holds"),
                rule("source", "point_source", allowed=["contract"]),
                rule("quiet", "quiet_hours", **{"from": start, "to": end, "lifted_by": "consent"}),
                rule("cap", "daily_cap", max=cap, counts=["sms"]),
                rule("gap", "min_gap", minutes=gap),
            ],
        }
    )


@st.composite
def cases(draw):
    turning, turn = draw(st.sampled_from(TURNS))
    zone = draw(st.just(turning) | st.sampled_from(ZONES))
    at = turn + timedelta(seconds=draw(seconds))
    today = at.astimezone(ZoneInfo(zone)).date()
    minutes = st.integers(-3000, 3000).map(lambda n: at.replace(second=0) + n * MINUTE)
    later = st.dictionaries(st.integers(1, 2).map(lambda n: today + timedelta(days=n)), st.integers(0, 4), max_size=2)
    consent = st.builds(
        Consent, st.sampled_from(["sms", "phone"]), wall_times, wall_times, minutes, st.none() | minutes
    )
    facts = ContactFacts(
        zone=zone,
        jurisdiction="CN",
        point_source="contract",
        reserved_today={"sms": draw(st.integers(0, 4)), "phone": 9},
        reserved_on={day: {"sms": count} for day, count in draw(later).items()},
        last_contact_at=draw(st.none() | minutes),
        holds=tuple(HoldFact("hardship", until=until) for until in draw(st.lists(minutes, max_size=1))),
        consents=tuple(draw(st.lists(consent, max_size=2))),
    )
    window, cap, gap = draw(windows), draw(st.integers(1, 3)), draw(st.integers(1, 300))
    return Proposal("sms", "dunning", at, "c-1", "p-1"), facts, window, cap, gap


def in_window(clock, start, end):
    minutes = [each.hour * 60 + each.minute for each in (clock, start, end)]
    if minutes[1] < minutes[2]:
        return minutes[1] <= minutes[0] < minutes[2]
    return minutes[0] >= minutes[1] or minutes[0] < minutes[2]


def obviously_allowed(instant, proposal, facts, window, cap, gap):
    local = instant.astimezone(ZoneInfo(facts.zone))
    first_day = proposal.at.astimezone(ZoneInfo(facts.zone)).date()
    agreed = any(
        consent.channel == "sms"
        and consent.starts_at <= instant
        and (consent.ends_at is None or instant < consent.ends_at)
        and in_window(local, consent.from_time, consent.to_time)
        for consent in facts.consents
    )
    if in_window(local, *window) and not agreed:
        return False
    today = local.date() == first_day
    made = facts.reserved_today["sms"] if today else facts.reserved_on.get(local.date(), {}).get("sms", 0)
    if made >= cap:
        return False
    if facts.last_contact_at is not None and instant < facts.last_contact_at + timedelta(minutes=gap):
        return False
    return all(instant >= hold.until for hold in facts.holds)


def first_allowed(proposal, facts, window, cap, gap):
    """The first whole minute from the proposed instant on that nothing speaks against, or None in four days."""
    instant = proposal.at
    for _ in range(HORIZON):
        if obviously_allowed(instant, proposal, facts, window, cap, gap):
            return instant
        instant = instant.replace(second=0, microsecond=0) + MINUTE
    return None


@settings(max_examples=400, deadline=None)
@given(cases())
def test_the_gate_agrees_with_trying_every_minute(case):
    proposal, facts, window, cap, gap = case
    decision = decide(proposal, facts, pack(window, cap, gap))
    expected = first_allowed(proposal, facts, window, cap, gap)
    if expected is None:
        assert decision.outcome is not Outcome.ALLOW
        assert decision.until is None or decision.until >= proposal.at + timedelta(days=3)
    elif expected == proposal.at:
        assert decision.outcome is Outcome.ALLOW
    else:
        assert (decision.outcome, decision.until) == (Outcome.DEFER, expected)


@settings(max_examples=150, deadline=None)
@given(cases())
def test_a_defer_is_tight(case):
    """Asked at ``until`` it is allowed, asked a second before it is not; counts are those of that local date."""
    proposal, facts, window, cap, gap = case
    rules = pack(window, cap, gap)
    decision = decide(proposal, facts, rules)
    if decision.outcome is not Outcome.DEFER:
        return

    def asked(at):
        first_day, day = (each.astimezone(ZoneInfo(facts.zone)).date() for each in (proposal.at, at))
        counts = facts.reserved_today if day == first_day else facts.reserved_on.get(day, {})
        return decide(replace(proposal, at=at), replace(facts, reserved_today=counts), rules).outcome

    assert asked(decision.until) is Outcome.ALLOW
    just_before = max(decision.until - timedelta(seconds=1), proposal.at)
    assert asked(just_before) is not Outcome.ALLOW


def severity(decision):
    rank = {Outcome.ALLOW: 0, Outcome.DEFER: 1, Outcome.FORBID: 2}[decision.outcome]
    return rank, decision.until.timestamp() if decision.until else 0.0


restrictions = st.sampled_from(
    [
        lambda facts, at: replace(facts, zone=None),
        lambda facts, at: replace(facts, jurisdiction=None),
        lambda facts, at: replace(facts, jurisdiction="US"),
        lambda facts, at: replace(facts, point_source=None),
        lambda facts, at: replace(facts, point_usable=False),
        lambda facts, at: replace(facts, facts_pending=True),
        lambda facts, at: replace(facts, consents=()),
        lambda facts, at: replace(facts, opted_out=frozenset({("sms", "*")})),
        lambda facts, at: replace(facts, opted_out=frozenset({("*", "dunning")})),
        lambda facts, at: replace(facts, holds=(*facts.holds, HoldFact("manual"))),
        lambda facts, at: replace(facts, holds=(*facts.holds, HoldFact("hardship", until=at + timedelta(hours=30)))),
        lambda facts, at: replace(facts, reserved_today={"sms": facts.reserved_today["sms"] + 1}),
        lambda facts, at: replace(facts, reserved_on={**facts.reserved_on, **full_days(at)}),
        lambda facts, at: replace(facts, last_contact_at=max(facts.last_contact_at or at, at)),
    ]
)


def full_days(at: datetime) -> dict[date, dict[str, int]]:
    return {(at + timedelta(days=n)).date(): {"sms": 9} for n in range(1, 4)}


@settings(max_examples=300, deadline=None)
@given(cases(), restrictions)
def test_a_restricting_fact_never_makes_the_gate_more_generous(case, restrict):
    proposal, facts, window, cap, gap = case
    rules = pack(window, cap, gap)
    before = decide(proposal, facts, rules)
    after = decide(proposal, restrict(facts, proposal.at), rules)
    assert severity(after) >= severity(before)
