"""A plan is quoted, agreed, kept or not, and judged again when the past changes; some need two people."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.application.bank import merged, payment, report, reversal, updated
from tests.services.api.people import COLLECTOR, COMPLIANCE, SUPERVISOR, office

# 401,000 is owed: four instalments of 100,250 on the 20th, the first two of which fall due on 20 July and 20 August.
TERMS = {
    "customer_id": "C1",
    "accounts": [{"account_id": "A1", "currency": "CNY"}],
    "kind": "equal",
    "instalments": 4,
    "first_on": "2026-07-20",
    "shift": "none",
}
CONTENTS = ["debt", "repayment", "charges", "no_new_card", "duties", "other"]
SIGNED = {"agreed_on": "2026-06-30", "form": "oral", "recording_id": "REC-1"}


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report())
        await opened.settle()
        opened.bank.latest = local("2027-01-01T00:00")
        yield opened


@pytest.fixture
async def clerk(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


def local(text):
    return datetime.fromisoformat(text + "+08:00")


def paid(payment_id, on, *, posted=None, amount=100_250):
    kind, data = payment(payment_id, amount=amount, posted=f"{posted or on}T10:00:00+08:00")
    return kind, data | {"value_date": on}


async def active(clerk, **more):
    proposed = await clerk.create("/v1/plans", **(TERMS | more))
    assert (proposed.status_code, proposed.json()["state"]) == (201, "approved"), proposed.text
    path = proposed.headers["location"]
    agreed = await clerk.edit(path + "/activate", **SIGNED)
    assert (agreed.status_code, agreed.json()["state"]) == (200, "active"), agreed.text
    return path


async def personal(person, **more):
    """Terms of a personalised plan, with what was found that the customer can afford."""
    household = {"adults": 1, "incomes": [{"kind": "wages", "amount": 600_000}], "fixed": [], "flexible": []}
    asked = {"customer_id": "C1", "accounts": TERMS["accounts"], "household": household | {"pay_day": 15}}
    found = (await person.create("/v1/assessments", **asked)).json()
    return TERMS | {"kind": "personalised", "assessment_id": found["assessment_id"]} | more


async def state(clerk, path):
    shown = (await clerk.get(path)).json()
    (progress,) = shown["progress"]
    return shown["state"], progress["covered"], progress["overdue"]


async def told(desk):
    found = await desk.values("select type from outbox where aggregatetype = 'arrears.plan' order by seq")
    return [kind.removeprefix("arrears.plan.").removesuffix(".v1") for kind in found]


async def holds(desk):
    return await desk.rows(
        "select kind, account_id, released_at is null from holds where kind = 'plan' order by placed_at"
    )


async def coming(desk):
    return await desk.values("select due_at from timers where kind = 'follow_up'")


async def waiting(clerk):
    (only,) = (await clerk.get("/v1/approvals", state="pending")).json()["items"]
    return f"/v1/approvals/{only['approval_id']}"


async def test_a_quote_adds_up_and_nothing_of_it_is_kept(desk, clerk):
    answer = await clerk.client.post("/v1/plans/quotes", json=TERMS | {"annual_bps": 1200})
    assert answer.status_code == 200, answer.text
    quote = answer.json()
    ((schedule,), (cost,)) = quote["schedules"], quote["costs"]
    assert sum(each["principal"] for each in schedule["instalments"]) == schedule["financed"] == 401_000
    assert sum(each["amount"] for each in schedule["instalments"]) == cost["total"] == 401_000 + cost["interest"]
    assert cost["nominal_bps"] >= 1100
    assert await desk.values("select count(*) from plans") == [0]
    assert await told(desk) == []


async def test_a_proposal_that_names_its_quote_is_that_quote_or_refused(desk, clerk):
    quote = (await clerk.client.post("/v1/plans/quotes", json=TERMS)).json()["fingerprint"]
    await desk.move_to(local("2026-07-02T12:00"))
    assert (await clerk.client.post("/v1/plans/quotes", json=TERMS)).json()["fingerprint"] == quote, "the same is told"
    await desk.bank.say(payment(amount=1_500, posted="2026-07-02T10:00:00+08:00"))
    changed = await clerk.create("/v1/plans", **TERMS, quote=quote)
    assert (changed.status_code, changed.json()["type"].rpartition("/")[2]) == (409, "quote-changed"), changed.text
    other = await clerk.create("/v1/plans", **(TERMS | {"instalments": 5}), quote=quote)
    assert other.status_code == 409
    again = (await clerk.client.post("/v1/plans/quotes", json=TERMS)).json()["fingerprint"]
    assert again != quote
    assert (await clerk.create("/v1/plans", **TERMS, quote=again)).status_code == 201
    assert (await clerk.create("/v1/plans", **TERMS, quote="AB")).status_code == 422


async def test_what_was_paid_since_the_report_is_not_owed_any_more(desk, clerk):
    await desk.bank.say(payment(amount=1_500))
    (debt,) = (await clerk.client.post("/v1/plans/quotes", json=TERMS)).json()["debts"]
    assert (debt["interest"], debt["principal"]) == (0, 399_500), "the charges first, up to the 90th day"


async def test_a_plan_in_force_stops_collection_and_is_performed_to_the_end(desk, clerk):
    path = await active(clerk)
    await desk.settle()
    assert await holds(desk) == [("plan", "A1", True)]
    assert await coming(desk) == []
    for number, day in enumerate(("2026-07-20", "2026-08-20", "2026-09-20", "2026-10-20"), start=1):
        await desk.move_to(local(day + "T12:00"))
        await desk.bank.say(paid(f"P{number}", day))
        await desk.settle()
    assert await state(clerk, path) == ("completed", 4, 0)
    assert await told(desk) == [
        "proposed", "approved", "activated", *["instalment_due", "instalment_covered"] * 4, "completed"
    ]  # fmt: skip
    assert await holds(desk) == [("plan", "A1", False)]
    assert await desk.values("select count(*) from timers where kind = 'plan_look'") == [0]


async def test_a_missed_instalment_that_is_paid_late_leaves_the_plan_in_force(desk, clerk):
    path = await active(clerk)
    await desk.move_to(local("2026-07-24T00:00"))
    assert await state(clerk, path) == ("active", 0, 100_250)
    await desk.bank.say(paid("P1", "2026-07-24"))
    assert await state(clerk, path) == ("active", 1, 0)
    assert (await told(desk))[-2:] == ["instalment_missed", "instalment_covered"]


async def test_a_broken_plan_releases_its_hold_and_a_back_dated_payment_mends_it(desk, clerk):
    path = await active(clerk)
    await desk.move_to(local("2026-08-22T12:00"))
    assert (await state(clerk, path))[0] == "broken"
    assert await holds(desk) == [("plan", "A1", False)]
    assert len(await coming(desk)) <= 1
    await desk.bank.say(paid("P1", "2026-07-21", posted="2026-08-22"))
    await desk.settle()
    assert await state(clerk, path) == ("active", 1, 0)
    assert await holds(desk) == [("plan", "A1", False), ("plan", "A1", True)]
    assert (await told(desk))[-3:] == ["broken", "instalment_covered", "resumed"]
    reasons = await desk.rows(
        "select kind, data ->> 'reason' from case_events where kind in ('plan.broken', 'plan.resumed') order by entry"
    )
    assert reasons == [("plan.broken", "timer.plan_look"), ("plan.resumed", "payment.posted.v1")]


async def test_a_late_clock_tells_what_a_punctual_one_would(desk, clerk):
    path = await active(clerk)
    await desk.move_to(local("2026-12-01T12:00"))
    assert (await clerk.get(path)).json()["ended_on"] == "2026-08-20"
    assert (await told(desk)).count("broken") == 1
    assert (await told(desk)).count("instalment_missed") == 4


async def test_a_reversal_takes_the_end_of_a_plan_back(desk, clerk):
    path = await active(clerk)
    await desk.move_to(local("2026-07-05T12:00"))
    await desk.bank.say(paid("P1", "2026-07-05", amount=401_000))
    assert (await state(clerk, path))[0] == "completed"
    await desk.bank.say(reversal(amount=401_000, at="2026-07-05T11:00:00+08:00"))
    await desk.settle()
    assert await state(clerk, path) == ("active", 0, 0)
    assert (await told(desk))[-2:] == ["instalment_uncovered", "resumed"]
    assert [standing for *_, standing in await holds(desk)] == [False, True]


async def test_an_oral_agreement_is_recorded_and_a_personalised_one_says_all_six_contents(desk, clerk):
    proposed = await clerk.create("/v1/plans", **TERMS)
    refused = await clerk.edit(proposed.headers["location"] + "/activate", agreed_on="2026-06-30", form="oral")
    assert (refused.status_code, refused.json()["errors"][0]["code"]) == (422, "not-recorded")
    await clerk.edit(proposed.headers["location"] + "/cancel", reason="mistake")
    personalised = await clerk.create("/v1/plans", **await personal(clerk))
    assert personalised.json()["approvers"] == ["supervisor", "compliance"]
    async with desk.person(COMPLIANCE, name="zhao.min") as second:
        await second.edit(await waiting(second) + "/decide", granted=True, reason="fits the assessment")
    path = personalised.headers["location"]
    refused = await clerk.edit(path + "/activate", **SIGNED, contents=["debt"])
    assert refused.json()["errors"][0]["code"] == "contents-missing"
    assert (await clerk.edit(path + "/activate", **SIGNED, contents=CONTENTS)).json()["state"] == "active"


async def test_over_the_limit_a_second_person_decides_and_nobody_decides_about_their_own(desk, clerk):
    async with desk.person(SUPERVISOR, COLLECTOR, name="wang.fang") as proposer:
        proposed = await proposer.create("/v1/plans", **await personal(proposer, instalments=24))
        assert (proposed.status_code, proposed.json()["state"]) == (201, "proposed"), proposed.text
        own = await proposer.edit(await waiting(proposer) + "/decide", granted=True, reason="seems right")
        assert own.status_code == 403
    path = proposed.headers["location"]
    early = await clerk.edit(path + "/activate", **SIGNED, contents=CONTENTS)
    assert (early.status_code, early.json()["type"].rpartition("/")[2]) == (409, "plan-state")
    async with desk.person(SUPERVISOR, name="zhao.min") as second:
        decided = await second.edit(await waiting(second) + "/decide", granted=True, reason="fits the assessment")
    assert (decided.status_code, decided.json()["state"], decided.json()["decided_by"]) == (200, "approved", "zhao.min")
    shown = (await clerk.get(path)).json()
    assert (shown["state"], shown["approved_by"], shown["approvers"]) == ("approved", "zhao.min", [])


@pytest.mark.parametrize("way", ["refuse", "expire", "withdraw", "cancel"])
async def test_what_is_not_approved_is_called_off(desk, clerk, way):
    proposed = await clerk.create("/v1/plans", **await personal(clerk))
    path = proposed.headers["location"]
    approval = await waiting(clerk)
    async with desk.person(SUPERVISOR, name="zhao.min") as second:
        if way == "refuse":
            await second.edit(approval + "/decide", granted=False, reason="too long for them")
        elif way == "expire":
            await desk.move_to(local("2026-07-05T12:00"))
        elif way == "withdraw":
            assert (await second.edit(approval + "/withdraw", reason="mistake")).status_code == 403
            await clerk.edit(approval + "/withdraw", reason="mistake")
        else:
            await second.edit(path + "/cancel", reason="mistake")
    ends = {"refuse": "refused", "expire": "expired", "withdraw": "withdrawn", "cancel": "withdrawn"}
    assert (await clerk.get(approval)).json()["state"] == ends[way]
    assert (await clerk.get(path)).json()["state"] == "cancelled"
    await desk.settle()
    assert await desk.values("select count(*) from timers where kind in ('approval_ends', 'plan_look')") == [0]


async def test_a_plan_of_before_what_was_put_aside_was_kept_goes_on(desk, clerk):
    path = (await clerk.create("/v1/plans", **TERMS)).headers["location"]
    await desk.deps.pool.execute("update plans set document = document - 'waived'")
    assert (await clerk.get(path)).json()["waived"] == []
    assert (await clerk.edit(path + "/activate", **SIGNED)).json()["state"] == "active"


async def test_what_nobody_brings_to_life_lapses(desk, clerk):
    path = (await clerk.create("/v1/plans", **TERMS)).headers["location"]
    await desk.move_to(local("2026-07-16T00:00"))
    shown = (await clerk.get(path)).json()
    assert (shown["state"], shown["reason"]) == ("cancelled", "expired")


async def test_an_account_has_one_plan_and_a_successor_takes_its_place(desk, clerk):
    path = await active(clerk)
    second = await clerk.create("/v1/plans", **TERMS)
    assert (second.status_code, second.json()["errors"][0]["code"]) == (422, "account-in-plan")
    successor = await active(clerk, instalments=6, replaces=path.rpartition("/")[2])
    old, new = (await clerk.get(path)).json(), (await clerk.get(successor)).json()
    assert (old["state"], old["replaced_by"]) == ("restructured", new["plan_id"])
    assert (new["replaces"], new["generation"]) == (old["plan_id"], 1)
    assert sorted(standing for *_, standing in await holds(desk)) == [False, True]
    again = await clerk.create("/v1/plans", **TERMS, replaces=new["plan_id"])
    assert again.json()["errors"][0]["code"] == "restructured-too-often"
    listed = (await clerk.get("/v1/plans", state="active")).json()["items"]
    assert [each["plan_id"] for each in listed] == [new["plan_id"]]


async def test_a_merger_takes_a_plan_its_hold_and_its_money_along(desk, clerk):
    path = await active(clerk)
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.settle()
    assert (await clerk.get(path)).json()["customer_id"] == "C2"
    assert await desk.values("select customer_id from holds where kind = 'plan' and released_at is null") == ["C2"]
    assert await desk.values("select scope from timers where kind = 'plan_look'") == ["C2"]
    await desk.move_to(local("2026-07-20T12:00"))
    await desk.bank.say(paid("P1", "2026-07-20"))
    assert await state(clerk, path) == ("active", 1, 0)


async def test_a_request_about_a_merged_customer_expires_where_they_are_now(desk, clerk):
    proposed = await clerk.create("/v1/plans", **await personal(clerk))
    approval = await waiting(clerk)
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.move_to(local("2026-07-06T12:00"))
    assert (await clerk.get(approval)).json()["state"] == "expired"
    shown = (await clerk.get(proposed.headers["location"])).json()
    assert (shown["customer_id"], shown["state"]) == ("C2", "cancelled")


async def test_its_instalments_sum_to_the_plan_in_the_books(desk, clerk):
    await active(clerk, annual_bps=1200, fee_bps=10)
    ((principal, amount),) = await desk.rows("select sum(principal)::bigint, sum(amount)::bigint from instalments")
    assert principal == 401_000 < amount
