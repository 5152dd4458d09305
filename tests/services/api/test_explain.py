"""What is explained of a step is what a permit is told that is asked for it: same rules, same facts, same answer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.application.bank import report, updated
from tests.services.api.people import COLLECTOR, COMPLIANCE, office

MORNING = datetime.fromisoformat("2026-07-02T10:00+08:00")
LATER = datetime.fromisoformat("2026-11-02T10:00+08:00")  # each channel of the ladder was due by then
BARRED = datetime.fromisoformat("2029-06-21T10:00+08:00")
NIGHT = timedelta(hours=12, minutes=30)
SAME = ("outcome", "release", "rule_set", "fired", "lift")
REACHED_BY = [
    {"kind": "mobile", "value": "+8613800000001", "source": "contract"},
    {"kind": "email", "value": "wang@example.com", "source": "contract"},
    {"kind": "address", "value": "1 Example Road", "source": "contract"},
]


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(contact_points=REACHED_BY), report(unpaid=600_000))
        await opened.move_to(MORNING)
        opened.bank.latest = BARRED
        yield opened


@pytest.fixture
async def caller(desk):
    async with desk.person(COLLECTOR, COMPLIANCE) as person:
        yield person


async def explained(desk, person):
    (case_id,) = await desk.values("select case_id from cases where state = 'open'")
    answer = await person.get(f"/v1/cases/{case_id}/next-action/explain")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def permit(person, gate, purpose="dunning"):
    """Ask for what the explanation speaks of, and give it back if it was granted."""
    body = {"customer_id": "C1", "channel": gate["channel"], "purpose": purpose}
    if gate["contact_point_id"]:
        body["contact_point_id"] = gate["contact_point_id"]
    if gate["legal_step"]:
        body["manner"] = {"legal_step": gate["legal_step"]}
    answer = await person.create("/v1/contact-permits", **body)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    if made["state"] == "granted":
        await person.edit(f"/v1/contact-permits/{made['permit_id']}/release", reason="only_asked")
    return made["decision"]


def instant(text):
    return None if text is None else datetime.fromisoformat(text)


def channels_of(told, at=None):
    """The first answer for each channel, of those asked for ``at``."""
    found = {}
    for candidate in told["candidates"]:
        for gate in candidate["gate"]:
            if at is None or instant(gate["at"]) == at:
                found.setdefault(gate["channel"], gate)
    return found


def agree(gate, decision):
    assert {key: gate[key] for key in SAME} == {key: decision[key] for key in SAME}, gate["channel"]
    assert instant(gate["until"]) == instant(decision["until"])
    assert instant(gate["earliest"]) == {"allow": instant(gate["at"])}.get(gate["outcome"], instant(gate["until"]))


async def quiet(desk, caller, now):
    await desk.move_to(now + NIGHT)


async def cap_spent(desk, caller, now):
    (mobile,) = await desk.values("select point_id from contact_points where kind = 'mobile'")
    for minutes in (50, 40, 30):
        at = (now - timedelta(minutes=minutes)).isoformat()
        told = await caller.create(
            "/v1/contact-attempts", customer_id="C1", channel="phone", contact_point_id=str(mobile),
            outcome="right_party", effective_talk=True, at=at,
        )  # fmt: skip
        assert told.status_code == 201, told.text


async def held(desk, caller, now):
    await caller.create("/v1/holds", customer_id="C1", kind="hardship", reason="lost_employment")


async def held_till_saturday(desk, caller, now):
    ends = (now + timedelta(days=2)).isoformat()
    await caller.create("/v1/holds", customer_id="C1", kind="hardship", reason="lost_employment", ends_at=ends)


async def opted_out(desk, caller, now):
    for channel in ("phone", "sms", "letter"):
        path = f"/v1/customers/C1/preferences/{channel}"
        assert (await caller.edit(path, "PUT", opted_out=True, source="sms_reply")).status_code == 200


async def lost(desk, caller, now):
    await desk.deps.pool.execute("update contact_points set state = 'bad'")


async def barred(desk, caller, now):
    await desk.move_to(BARRED)


async def moved_to_london(desk, caller, now):
    await desk.bank.say(updated(version=2, jurisdiction="GB", time_zone="Europe/London", contact_points=REACHED_BY))


SITUATIONS = {
    "quiet hours": (quiet, "phone", "defer", "cn-quiet-hours-cba"),
    "cap spent": (cap_spent, "phone", "defer", "cn-effective-call-cap-3"),
    "hold": (held, "letter", "forbid", "cn-holds"),
    "hold with an end": (held_till_saturday, "phone", "defer", "cn-holds"),
    "opt-out": (opted_out, "phone", "forbid", "cn-opt-out"),
    "lost contact": (lost, "phone", "forbid", "cn-usable-point"),
    "barred claim": (barred, "legal", "forbid", "cn-limitation-3y"),
    "another country": (moved_to_london, None, None, None),
}


@pytest.mark.parametrize("name", SITUATIONS)
async def test_a_permit_asked_now_is_told_what_was_explained(desk, caller, name):
    arrange, channel, outcome, rule = SITUATIONS[name]
    await desk.move_to(LATER)
    await arrange(desk, caller, LATER)
    told = await explained(desk, caller)
    asked = channels_of(told, instant(told["as_of"]))
    assert asked.keys() == {"sms", "email", "phone", "letter", "visit", "legal"}
    for gate in asked.values():
        agree(gate, await permit(caller, gate))
    if channel is None:
        return
    fired = {each["rule_id"]: each for each in asked[channel]["fired"]}
    assert asked[channel]["outcome"] == outcome
    assert fired[rule]["citation"]
    assert fired[rule]["strength"]


async def test_what_is_explained_of_a_later_step_is_what_the_permit_is_told_then(desk, caller):
    """A hold that ends before the call, an approval that ends before the suit, and a claim barred by then."""
    ends = (MORNING + timedelta(hours=3)).isoformat()
    await caller.create("/v1/holds", customer_id="C1", kind="hardship", reason="lost_employment", ends_at=ends)
    approved = await caller.create(
        "/v1/limitation-entries", account_id="A1", kind="approval", ends="2026-12-01", proof="legal/3"
    )
    assert approved.status_code == 201, approved.text
    before = {each["step"]: each for each in (await explained(desk, caller))["candidates"]}
    for step in ("m2-call", "m2-letter", "m4-visit", "m7-legal"):
        (gate,) = before[step]["gate"]
        await desk.move_to(instant(gate["at"]))
        agree(gate, await permit(caller, gate))
    facts = (await permit(caller, gate))["facts"]["standing"]
    assert (facts["limitation_ends_on"], facts["legal_approval"]) == ("2029-06-20", False)


async def test_somebody_of_whom_nothing_is_on_file_can_not_be_contacted(desk, caller):
    await desk.deps.pool.execute("delete from contact_points where kind = 'address'")
    gates = channels_of(await explained(desk, caller))
    assert gates["phone"]["outcome"] == "allow"
    for channel in ("letter", "visit"):
        gate = gates[channel]
        assert (gate["outcome"], gate["earliest"], gate["reason"]) == ("forbid", None, "no usable contact point")
        assert gate["lift"]["releases"][0] == "a usable contact point: address"
        assert gate["lift"]["complete"] is False


async def test_a_person_where_no_rules_are_known_is_left_alone(desk, caller):
    await desk.deps.pool.execute("update customers set jurisdiction = 'ZZ'")
    told = await explained(desk, caller)
    gates = [gate for each in told["candidates"] for gate in each["gate"]]
    assert {(gate["outcome"], gate["reason"]) for gate in gates} == {
        ("forbid", "no contact rules for the customer's jurisdiction")
    }


async def steps(desk, person):
    return {each["step"]: each for each in (await explained(desk, person))["candidates"]}


def told_of(candidate, code):
    (found,) = [each for each in candidate["obstacles"] if each["code"] == code]
    return {key: value for key, value in found.items() if value not in (None, [])} | {"code": code}


async def test_the_plan_says_what_would_have_to_be_otherwise(desk, caller):
    await desk.bank.say(report(sequence=2, unpaid=49_000, cutoff="2026-07-02T09:00:00+08:00"))
    told = await steps(desk, caller)
    assert told["m2-letter"]["outcome"] == "not_applicable"
    assert told_of(told["m2-letter"], "too_little_past_due")["past_due"] == [
        {"currency": "CNY", "past_due": 49_000, "minimum": 50_000, "missing": 1_000}
    ]
    await desk.bank.say(report(sequence=3, unpaid=50_000, cutoff="2026-07-02T09:01:00+08:00"))
    told = await steps(desk, caller)
    assert told["m2-letter"]["outcome"] != "not_applicable"
    coming = next(each for each in told.values() if each["outcome"] == "next")
    assert told_of(coming, "not_yet_due")["until"] == coming["due_at"] == coming["gate"][0]["at"]


async def test_a_hold_names_itself_and_who_may_lift_it(desk, caller):
    placed = await caller.create("/v1/holds", customer_id="C1", kind="bankrupt", reason="court")
    held = next(each for each in (await steps(desk, caller)).values() if each["outcome"] == "held")
    assert told_of(held, "stopped") == {
        "code": "stopped",
        "cause": "bankrupt",
        "hold_id": placed.json()["hold_id"],
        "released_by": ["compliance", "supervisor"],
    }
    path = f"/v1/holds/{placed.json()['hold_id']}/release"
    assert (await caller.edit(path, reason="dismissed")).status_code == 200
    assert (await steps(desk, caller))[held["step"]]["outcome"] != "held"


async def test_a_complaint_is_not_lifted_by_hand(desk, caller):
    lodged = await caller.create(
        "/v1/complaints", customer_id="C1", category="harassment", channel="phone", text="they call my boss"
    )
    assert lodged.status_code == 201, lodged.text
    held = next(each for each in (await steps(desk, caller)).values() if each["outcome"] == "held")
    assert told_of(held, "stopped").keys() == {"code", "cause", "hold_id"}
    assert told_of(held, "stopped")["cause"] == "complaint"


async def test_a_promise_is_waited_for_until_its_end(desk, caller):
    made = await caller.create(
        "/v1/promises", customer_id="C1", account_id="A1", currency="CNY", amount=600_000, due_on="2026-07-09",
        channel="phone",
    )  # fmt: skip
    assert made.status_code == 201, made.text
    waiting = next(
        each for each in (await steps(desk, caller)).values() if "stopped" in [one["code"] for one in each["obstacles"]]
    )
    stopped = told_of(waiting, "stopped")
    assert (stopped["cause"], stopped["until"]) == ("promise", told_of(waiting, "not_yet_due")["until"])
    assert instant(waiting["gate"][0]["at"]) == instant(stopped["until"])


async def test_a_step_passed_over_names_the_one_that_went_in_its_place(desk, caller):
    told = await steps(desk, caller)
    first = told["m1-first-sms"]
    assert first["outcome"] == "passed_over"
    assert told[told_of(first, "overtaken")["step"]]["outcome"] == "issued"
    assert told_of(first, "on_record")["state"] == "passed_over"
