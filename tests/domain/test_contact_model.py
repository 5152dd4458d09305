"""The whole of the gate's arithmetic against a slow and obvious model: try every quarter of an hour, count by hand.

Everything that is drawn lies on quarters, also where clocks change, so an answer can only change there.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.contact import Consent, ContactFacts, HoldFact, Outcome, Proposal, decide, parse_rules
from shared.domain.contact_facts import PastContact, PlaceRefusal, PreferredHours
from tests.domain.test_contact_gate_properties import TURNS, rule

QUARTER = timedelta(minutes=15)
DAYS = 9
ZONES = ["Asia/Shanghai", "Asia/Kathmandu", "America/New_York", "America/Los_Angeles", "Europe/London", "Pacific/Apia"]
WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
VOICE = ["phone", "voice_bot"]
CONDITIONS = [
    "outbound",
    "answered",
    "unanswered",
    "right_party",
    "effective",
    "connected",
    "announcement",
    "unconsented",
]

clocks = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
windows = st.tuples(clocks, clocks).filter(lambda window: window[0] != window[1]) | st.just((time(22), time(8)))
day_windows = st.sampled_from([(time(22), time(8)), (time(21), time(8)), (time(19), time(8)), (time(0), time(6))])


@st.composite
def packs(draw):
    """Rules as a pack writes them, and the same as the model reads them."""
    caps = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "max": st.integers(1, 3),
                    "counts": st.sampled_from([VOICE, ["phone"], ["phone", "sms", "email"]]),
                    "only": st.lists(st.sampled_from(CONDITIONS), max_size=2, unique=True),
                    "per": st.sampled_from(["customer", "person", "debt", "contact_point"]),
                    "dates": st.sampled_from([1, 1, 2, 7]),
                }
            ),
            max_size=2,
        )
    )
    start, end = (f"{clock:%H:%M}" for clock in draw(day_windows))
    return {
        "quiet_hours": {"from": start, "to": end, "lifted_by": draw(st.sampled_from(["consent", "nothing"]))},
        "ends_in_time": {
            "from": start,
            "to": end,
            "lifted_by": draw(st.sampled_from(["consent", "nothing"])),
            "minutes": draw(st.sampled_from([0, 15, 30, 45])),
        },
        "home_hours": {"zone": "Asia/Shanghai", "from": start, "to": end, "lifted_by": "consent"}
        if draw(st.integers(0, 4)) == 0
        else None,
        "closed_days": {
            "weekdays": draw(st.lists(st.sampled_from(WEEKDAYS), max_size=2, unique=True)),
            "personal": True,
        },
        "daily_cap": {"max": draw(st.integers(1, 4)), "counts": VOICE},
        "min_gap": {"minutes": draw(st.sampled_from([15, 60, 300]))},
        "caps": caps,
    }


def parsed(pack):
    rules = [
        rule("facts", "mandatory_facts", jurisdiction="CN", facts=["zone", "jurisdiction"]),
        rule("pending", "facts_pending"),
        rule("usable", "usable_point"),
        rule("opt-out", "opt_out"),
        rule("holds", "holds"),
        rule("preferred", "preferred_hours"),
        rule("places", "refused_places"),
        *(rule(kind, kind, **given) for kind, given in pack.items() if kind != "caps" and given is not None),
        *(rule(f"cap-{index}", "counted_cap", **cap) for index, cap in enumerate(pack["caps"])),
    ]
    return parse_rules({"jurisdiction": "CN", "name": "test", "version": 1, "rules": rules})


@st.composite
def cases(draw):
    turning, turn = draw(st.sampled_from(TURNS))
    zone = draw(st.just(turning) | st.sampled_from(ZONES))
    quarter = turn + draw(st.integers(-200, 200)) * QUARTER
    at = quarter + timedelta(seconds=draw(st.sampled_from([0, 0, 1, 61, 899])))
    near = st.integers(-800, 100).map(lambda n: quarter + n * QUARTER)
    later = st.integers(-300, 700).map(lambda n: quarter + n * QUARTER)
    past = st.builds(
        PastContact,
        at=near | later,
        channel=st.sampled_from(["phone", "phone", "voice_bot", "sms", "email"]),
        outbound=st.sampled_from([True, True, False]),
        target=st.sampled_from(["debtor", "debtor", "guarantor"]),
        contact_point_id=st.sampled_from([None, "p-1", "p-2"]),
        debts=st.sampled_from([frozenset(), frozenset({"d-1"}), frozenset({"d-2"}), frozenset({"d-1", "d-2"})]),
        answered_by=st.sampled_from([None, "right_party", "other_person", "voicemail", "nobody"]),
        connected=st.sampled_from([None, True, False]),
        effective_talk=st.sampled_from([None, True, False]),
        talk_seconds=st.sampled_from([None, 14, 15]),
        announcement=st.booleans(),
        consented=st.booleans(),
    )
    consent = st.builds(
        Consent,
        channel=st.sampled_from(["phone", "sms"]),
        from_time=clocks,
        to_time=clocks,
        starts_at=near,
        ends_at=st.none() | later,
        withdrawn_at=st.none() | later,
    )
    hours = st.builds(
        PreferredHours,
        channel=st.sampled_from(["phone", "*", "sms"]),
        from_time=clocks,
        to_time=clocks,
        weekdays=st.sampled_from([frozenset(range(7)), frozenset({0, 1, 2, 3, 4}), frozenset({5})]),
    )
    today = at.astimezone(ZoneInfo(zone)).date()
    facts = ContactFacts(
        zone=zone,
        jurisdiction="CN",
        point_source="contract",
        zones=tuple(draw(st.lists(st.sampled_from(ZONES), max_size=1))),
        history=tuple(draw(st.lists(past, max_size=7))),
        consents=tuple(draw(st.lists(consent, max_size=2))),
        preferred=tuple(draw(st.lists(hours, max_size=2) if draw(st.booleans()) else st.just([]))),
        quiet_dates=frozenset(draw(st.lists(st.integers(-1, 4).map(lambda n: today + timedelta(days=n)), max_size=2))),
        holds=tuple(HoldFact("hardship", until=until) for until in draw(st.lists(later, max_size=1))),
        point_place="work",
        refused_places=tuple(PlaceRefusal("work", until) for until in draw(st.lists(later, max_size=1))),
    )
    debts = draw(st.sampled_from([frozenset(), frozenset({"d-1"}), frozenset({"d-1", "d-2"})]))
    return Proposal("phone", "dunning", at, "c-1", "p-1", debts=debts), facts, draw(packs())


# --- the model ---


def inside(clock, start, end):
    return start <= clock < end if start < end else (clock >= start or clock < end)


def agreed(instant, facts, zone):
    local = instant.astimezone(zone).time()
    return any(
        consent.channel == "phone"
        and consent.starts_at <= instant
        and all(end is None or instant < end for end in (consent.ends_at, consent.withdrawn_at))
        and inside(local, consent.from_time, consent.to_time)
        for consent in facts.consents
    )


def quiet(instant, given, clock_zone, facts, own_zone):
    start, end = (time.fromisoformat(given[key]) for key in ("from", "to"))
    lifted = given["lifted_by"] == "consent" and agreed(instant, facts, own_zone)
    return inside(instant.astimezone(clock_zone).time(), start, end) and not lifted


def meets(past, condition):
    """Might this contact be such a one, as far as anybody knows?"""
    by = past.answered_by
    if condition == "outbound":
        return past.outbound
    if condition == "announcement":
        return past.announcement
    if condition == "unconsented":
        return not past.consented
    if condition == "connected":
        return past.connected is not False
    if condition == "answered":
        return by != "nobody"
    if condition == "unanswered":
        return by in (None, "nobody", "voicemail")
    talked = by in (None, "right_party")
    if condition == "right_party":
        return talked
    long_enough = past.talk_seconds is None or past.talk_seconds >= 15
    return talked and (long_enough if past.effective_talk is None else past.effective_talk)


def over_cap(cap, today, proposal, facts, zone):
    subjects = sorted(proposal.debts) if cap["per"] == "debt" and proposal.debts else [None]
    for debt in subjects:
        dates = []
        for past in facts.history:
            same = {
                "customer": True,
                "person": past.target == "debtor",
                "debt": debt is None or not past.debts or debt in past.debts,
                "contact_point": past.contact_point_id in (None, "p-1"),
            }[cap["per"]]
            if past.channel in cap["counts"] and same and all(meets(past, each) for each in cap["only"]):
                dates.append(past.at.astimezone(zone).date())
        for back in range(cap["dates"]):
            first = today - timedelta(days=back)
            span = [first + timedelta(days=n) for n in range(cap["dates"])]
            if sum(day in span for day in dates) + 1 > cap["max"]:
                return True
    return False


def obviously_allowed(instant, proposal, facts, pack, days):
    zones = [ZoneInfo(name) for name in (facts.zone, *facts.zones)]
    if any(instant < hold.until for hold in facts.holds) or any(instant < each.until for each in facts.refused_places):
        return False
    made = [past.at for past in facts.history if past.channel == "phone" and past.outbound]
    if made and instant < max(made) + timedelta(minutes=pack["min_gap"]["minutes"]):
        return False
    return all(fine_day(zone, instant, proposal, facts, pack, days) for zone in zones) and all(
        fine_hour(zone, instant, facts, pack) for zone in zones
    )


def fine_hour(zone, instant, facts, pack):
    local = instant.astimezone(zone)
    if quiet(instant, pack["quiet_hours"], zone, facts, zone):
        return False
    home = pack["home_hours"]
    if home and str(zone) != home["zone"] and quiet(instant, home, ZoneInfo(home["zone"]), facts, zone):
        return False
    guard = pack["ends_in_time"]
    over = instant + timedelta(minutes=guard["minutes"])
    moment = instant
    while moment < over:
        if quiet(moment, guard, zone, facts, zone):
            return False
        moment = next_quarter(moment)
    wanted = [each for each in facts.preferred if each.channel in ("phone", "*")]
    return not wanted or any(
        local.weekday() in each.weekdays and inside(local.time(), each.from_time, each.to_time) for each in wanted
    )


def fine_day(zone, instant, proposal, facts, pack, days):
    """``days`` remembers what was found of a date in a zone: it is the same all day."""
    today = instant.astimezone(zone).date()
    if (zone, today) not in days:
        days[zone, today] = day_in_peace(zone, today, proposal, facts, pack)
    return days[zone, today]


def day_in_peace(zone, today, proposal, facts, pack):
    if WEEKDAYS[today.weekday()] in pack["closed_days"]["weekdays"] or today in facts.quiet_dates:
        return False
    dialled = [p for p in facts.history if p.channel in VOICE and p.outbound and p.at.astimezone(zone).date() == today]
    if len(dialled) >= pack["daily_cap"]["max"]:
        return False
    return not any(over_cap(cap, today, proposal, facts, zone) for cap in pack["caps"])


def next_quarter(instant):
    seconds = int(instant.timestamp())
    return datetime.fromtimestamp(seconds - seconds % 900 + 900, UTC)


def first_allowed(proposal, facts, pack):
    instant, days = proposal.at, {}
    while instant < proposal.at + timedelta(days=DAYS):
        if obviously_allowed(instant, proposal, facts, pack, days):
            return instant
        instant = next_quarter(instant)
    return None


@settings(max_examples=60, deadline=None)
@given(cases())
def test_the_gate_agrees_with_trying_every_quarter_of_an_hour(case):
    proposal, facts, pack = case
    decision = decide(proposal, facts, parsed(pack))
    expected = first_allowed(proposal, facts, pack)
    if expected is None:
        assert decision.outcome is not Outcome.ALLOW
        assert decision.until is None or decision.until >= proposal.at + timedelta(days=DAYS - 1)
    elif expected == proposal.at:
        assert (decision.outcome, decision.fired) == (Outcome.ALLOW, ())
    else:
        assert (decision.outcome, decision.until) == (Outcome.DEFER, expected)


@settings(max_examples=60, deadline=None)
@given(cases())
def test_a_defer_is_tight_and_nobody_objects_at_its_end(case):
    proposal, facts, pack = case
    rules = parsed(pack)
    decision = decide(proposal, facts, rules)
    if decision.outcome is not Outcome.DEFER:
        return
    assert decide(replace(proposal, at=decision.until), facts, rules).outcome is Outcome.ALLOW
    for before in (timedelta(microseconds=1), timedelta(seconds=1), timedelta(minutes=1)):
        earlier = max(decision.until - before, proposal.at)
        assert decide(replace(proposal, at=earlier), facts, rules).outcome is not Outcome.ALLOW


def test_a_month_of_counting_goes_by_calendar_dates_through_a_leap_day():
    """Two in thirty dates: those of 30 January and 1 February 2028 leave on 29 February and 2 March."""
    pack = parse_rules(
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
                rule("cap", "counted_cap", max=2, counts=["phone"], per="customer", dates=30),
            ],
        }
    )
    zone = ZoneInfo("America/New_York")
    history = tuple(
        PastContact(datetime(2028, month, day, 12, tzinfo=zone), "phone") for month, day in [(1, 30), (2, 1)]
    )
    facts = ContactFacts("America/New_York", "CN", "contract", history=history)
    decision = decide(Proposal("phone", "dunning", datetime(2028, 2, 28, 12, tzinfo=zone), "c-1"), facts, pack)
    assert decision.until == datetime(2028, 2, 29, tzinfo=zone)
    assert decision.until.astimezone(zone).date() == date(2028, 2, 29)
