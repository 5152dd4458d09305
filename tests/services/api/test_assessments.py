"""What a household can afford is worked out and kept; plans are made of it, and none that it can not carry."""

from __future__ import annotations

from datetime import datetime

import orjson
import pytest

from tests.application.bank import merged, payment, report, updated
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, SUPERVISOR, office

ACCOUNTS = [{"account_id": "A1", "currency": "CNY"}]
# 6,000 yuan come in, 2,000 go to rent, and a person is counted 1,830.34 to live on.
LIVING = {"food": 70_092, "clothing": 12_675, "household": 12_892, "transport": 33_133, "education": 26_575,
          "health": 21_225, "other": 6_442}  # fmt: skip
EARNS = {
    "adults": 1,
    "incomes": [{"kind": "wages", "amount": 600_000}],
    "fixed": [{"kind": "housing", "amount": 200_000}],
    "flexible": [{"kind": kind, "amount": amount} for kind, amount in LIVING.items()],
    "pay_day": 15,
}
# Half of the guide is needed whatever is stated: 124.85 yuan of the first pension are left, nothing of the second.
LITTLE = EARNS | {"incomes": [{"kind": "pension", "amount": 124_000}], "fixed": [], "flexible": []}
NOTHING = LITTLE | {"incomes": [{"kind": "pension", "amount": 100_000}]}
CONTENTS = ["debt", "repayment", "charges", "no_new_card", "duties", "other"]
EQUAL = {"kind": "equal", "instalments": 4, "first_on": "2026-07-20", "shift": "none"}


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


async def assess(person, household=EARNS, customer="C1", accounts=ACCOUNTS):
    return await person.create("/v1/assessments", customer_id=customer, accounts=accounts, household=household)


async def assessed(person, household=EARNS):
    made = await assess(person, household)
    assert made.status_code == 201, made.text
    return made.json()


async def propose(person, found, option=None, **more):
    """The plan of an option, or another one, that names the assessment."""
    terms = EQUAL if option is None else option["terms"]
    body = {"customer_id": "C1", "accounts": ACCOUNTS, "assessment_id": found["assessment_id"]}
    return await person.create("/v1/plans", **(body | terms | more))


def largest(option):
    return max(each["amount"] for each in option["schedules"][0]["instalments"])


def code(answer):
    return answer.status_code, answer.json()["errors"][0]["code"]


def pointers(answer):
    return answer.status_code, [each["pointer"] for each in answer.json()["errors"]]


async def test_what_a_month_leaves_and_three_ways_to_pay(desk, clerk):
    found = await assessed(clerk)
    assert found["budget"] == {
        "income": 600_000, "fixed": 200_000, "flexible": 183_034, "reserve": 30_000, "available": 186_966
    }  # fmt: skip
    assert (found["route"], found["owed"], found["findings"], found["proofs"]) == ("ordinary", 401_000, [], [])
    assert {way for each in found["options"] for way in each["best_for"]} == {
        "lowest_instalment", "shortest_term", "least_cost"
    }  # fmt: skip
    assert all(largest(each) <= found["available"] for each in found["options"])
    quick = next(each for each in found["options"] if "shortest_term" in each["best_for"])
    assert (quick["terms"]["instalments"], quick["terms"]["day"], quick["terms"]["after"]) == (3, 15, 1)
    assert [each["language"] for each in found["words"]] == ["zh-CN", "en"]
    assert "CNY 1,869.66 a month for repayment" in found["words"][1]["sentences"][0]
    assert (found["assessed_on"], found["valid_until"], found["assessed_by"]) == ("2026-06-30", "2026-09-28", "li.na")
    assert (found["guide"], found["guide_version"], len(found["guide_hash"])) == ("affordability-cn", 1, 64)


async def test_an_option_becomes_a_plan_that_names_its_assessment(desk, clerk):
    found = await assessed(clerk)
    quick = next(each for each in found["options"] if "shortest_term" in each["best_for"])
    made = await propose(clerk, found, quick, quote=quick["fingerprint"])
    assert (made.status_code, made.json()["state"]) == (201, "approved"), made.text
    assert made.json()["assessment_id"] == found["assessment_id"]
    assert made.json()["schedules"] == quick["schedules"], "what was offered is what is agreed"


async def test_where_no_ordinary_plan_fits_relief_comes_with_the_proof(desk, clerk):
    found = await assessed(clerk, LITTLE)
    assert (found["route"], found["available"]) == ("hardship", 12_485)
    (proof,) = found["proofs"]
    assert proof["tried"] == 24
    assert proof["lowest"] - proof["available"] == proof["short_by"] > 0
    assert {each["code"] for each in found["findings"]} == {"below_floor"}
    kinds = {each["terms"]["kind"] for each in found["options"]}
    assert kinds <= {"hardship", "personalised"}
    cheap = next(each for each in found["options"] if "least_cost" in each["best_for"])
    assert cheap["terms"]["kind"] == "personalised"
    made = await propose(clerk, found, cheap)
    assert (made.status_code, made.json()["state"]) == (201, "proposed"), made.text
    async with desk.person(COMPLIANCE, name="zhao.min") as second:
        (waiting,) = (await second.get("/v1/approvals", state="pending")).json()["items"]
        where = f"/v1/approvals/{waiting['approval_id']}/decide"
        await second.edit(where, granted=True, reason="fits the assessment")
    signed = {"agreed_on": "2026-06-30", "form": "written", "contents": CONTENTS}
    active = await clerk.edit(made.headers["location"] + "/activate", **signed)
    assert (active.status_code, active.json()["state"]) == (200, "active"), active.text


async def test_where_nothing_fits_nothing_is_offered_and_a_person_looks(desk, clerk):
    found = await assessed(clerk, NOTHING)
    assert (found["route"], found["options"], found["available"]) == ("review", [], -11_515)
    assert [each["tried"] > 0 for each in found["proofs"]] == [True, True]
    assert "Nothing is left for repayment" in found["words"][1]["sentences"][0]
    assert "a specialist will talk to you" in found["words"][1]["sentences"][-1]


async def test_more_than_is_available_is_refused_and_put_aside_by_a_supervisor_only(desk, clerk):
    found = await assessed(clerk, LITTLE)
    assert code(await propose(clerk, found)) == (422, "not-affordable")
    assert (await propose(clerk, found, waive=["not-affordable"])).status_code == 403
    async with desk.person(SUPERVISOR, name="wang.fang") as supervisor:
        assert code(await propose(supervisor, found)) == (422, "not-affordable")
        waived = await propose(supervisor, found, waive=["not-affordable"])
    assert (waived.status_code, waived.json()["state"]) == (201, "approved"), waived.text
    assert waived.json()["waived"] == ["not-affordable"], "who approves or signs it sees that"


async def test_weekly_instalments_are_held_against_what_falls_into_a_month(desk, clerk):
    found = await assessed(clerk)
    weekly = {"instalments": 10, "frequency": "weekly"}
    assert code(await propose(clerk, found, **weekly)) == (422, "not-affordable"), "five times 401 yuan fall in a month"
    assert (await propose(clerk, found, **(weekly | {"instalments": 11}))).status_code == 201


async def test_an_assessment_is_good_for_ninety_days(desk, clerk):
    found = await assessed(clerk)
    await desk.move_to(local("2026-09-28T12:00"))
    later = {"first_on": "2026-10-20"}
    made = await propose(clerk, found, **later)
    assert made.status_code == 201, made.text
    await clerk.edit(made.headers["location"] + "/cancel", reason="mistake")
    await desk.move_to(local("2026-09-29T00:00"))
    assert code(await propose(clerk, found, **later)) == (422, "assessment-expired")
    valid = (await clerk.get("/v1/assessments", valid_on="2026-09-28")).json()["items"]
    assert [each["assessment_id"] for each in valid] == [found["assessment_id"]]
    assert (await clerk.get("/v1/assessments", valid_on="2026-09-29")).json()["items"] == []


async def test_a_plan_names_an_assessment_of_its_own_customer_and_accounts(desk, clerk):
    await desk.bank.say(report("A2", "C1"), updated("C2", mobile="+8613800000002"), report("A3", "C2"))
    found = await assessed(clerk)
    other = {"customer_id": "C2", "accounts": [{"account_id": "A3", "currency": "CNY"}]}
    strange = await propose(clerk, found, **other)
    assert (code(strange), pointers(strange)[1]) == ((422, "no-such-assessment"), ["/assessment_id"])
    both = {"accounts": [*ACCOUNTS, {"account_id": "A2", "currency": "CNY"}]}
    assert code(await propose(clerk, found, **both)) == (422, "assessment-of-others")
    unknown = await propose(clerk, {"assessment_id": "7b0f1c1e-0000-4000-8000-000000000000"})
    assert code(unknown) == (422, "no-such-assessment")
    assert (await propose(clerk, {"assessment_id": "AS-1"})).status_code == 422
    personal = {"kind": "personalised", "assessment_id": None}
    assert code(await propose(clerk, found, **personal)) == (422, "no-assessment")


async def test_after_a_merger_it_is_an_assessment_of_who_stays(desk, clerk):
    found = await assessed(clerk)
    await desk.bank.say(report("A2", "C2", unpaid=0), updated("C2", mobile="+8613800000002"), merged("C1", "C2"))
    await desk.settle()
    shown = (await clerk.get(f"/v1/assessments/{found['assessment_id']}")).json()
    assert shown["customer_id"] == "C2"
    made = await propose(clerk, found, customer_id="C2")
    assert (made.status_code, made.json()["customer_id"]) == (201, "C2"), made.text


async def test_it_stays_as_it_was_found_when_the_debts_move(desk, clerk):
    found = await assessed(clerk)
    await desk.bank.say(payment(amount=1_500))
    shown = (await clerk.get(f"/v1/assessments/{found['assessment_id']}")).json()
    assert (shown["owed"], shown["options"]) == (401_000, found["options"])
    option = found["options"][0]
    changed = await propose(clerk, found, option, quote=option["fingerprint"])
    assert (changed.status_code, changed.json()["type"].rpartition("/")[2]) == (409, "quote-changed")
    assert (await assessed(clerk))["owed"] == 399_500


async def test_the_household_is_sealed_in_the_books_and_in_none_of_what_is_told(desk, clerk):
    found = await assessed(clerk, LITTLE)
    kept = await desk.values("select to_json(a)::text || encode(a.household_enc, 'escape') from assessments a")
    told = await desk.values("select payload::text from outbox where type = 'arrears.assessment.made.v1'")
    filed = await desk.values("select data::text from case_events where kind = 'assessment.made'")
    assert (len(kept), len(told), len(filed)) == (1, 1, 1)
    for text in (*kept, *told, *filed):
        assert not any(secret in text for secret in ("124000", "12485", "pension", "children", "每月"))
    assert orjson.loads(told[0])["route"] == "hardship"
    await desk.deps.pool.execute("update assessments set assessment_id = gen_random_uuid()")
    (moved,) = await desk.values("select assessment_id from assessments")
    assert (await clerk.get(f"/v1/assessments/{moved}")).status_code == 500, "what was sealed opens in its own row only"
    assert found["household"]["incomes"] == [{"kind": "pension", "amount": 124_000, "per": "month"}]


async def test_a_reader_sees_what_is_available_and_the_household_only_with_a_reason(desk, clerk):
    found = await assessed(clerk, LITTLE)
    path = f"/v1/assessments/{found['assessment_id']}"
    sealed = ("household", "budget", "findings", "words")
    async with desk.person(AUDITOR, name="qian.yu") as auditor, desk.person(COMPLIANCE, name="zhao.min") as compliance:
        for reader in (clerk, auditor, compliance):
            shown = (await reader.get(path)).json()
            assert (shown["available"], shown["proofs"]) == (12_485, found["proofs"])
            assert [shown[name] for name in sealed] == [None] * 4
        assert (await auditor.client.post(path + "/unmask", json={"reason": "yearly review"})).status_code == 403
        assert (await compliance.client.post(path + "/unmask", json={})).status_code == 422
        plain = await compliance.client.post(path + "/unmask", json={"reason": "customer asks how"})
    assert (plain.status_code, plain.json()) == (200, found)
    listed = (await clerk.get("/v1/assessments", customer_id="C1", route="hardship")).json()["items"]
    assert [each["assessment_id"] for each in listed] == [found["assessment_id"]]
    assert not {"options", "available", "proofs", *sealed} & listed[0].keys()
    trail = await desk.rows("select actor, action, subject from audit")
    assert trail == [
        ("zhao.min", "assessment.unmasked", path.removeprefix("/v1/").replace("assessments", "assessment"))
    ]


async def test_a_collector_sees_only_assessments_of_their_own(desk, clerk):
    found = await assessed(clerk)
    await desk.deps.pool.execute("update cases set owner = 'wang.fang'")
    path = f"/v1/assessments/{found['assessment_id']}"
    assert (await clerk.get(path)).status_code == 404
    assert (await clerk.client.post(path + "/unmask", json={"reason": "customer asks how"})).status_code == 404
    assert (await clerk.get("/v1/assessments")).json()["items"] == []
    assert (await assess(clerk)).status_code == 404


async def test_what_makes_no_sense_is_refused_with_its_place(desk, clerk):
    wages, rent = EARNS["incomes"][0], EARNS["fixed"][0]
    for changes, expected in (
        ({"incomes": [wages, wages, {"kind": "lottery", "amount": 1}]}, ["/household/incomes/2/kind"]),
        ({"fixed": [rent, rent | {"kind": "wages"}]}, ["/household/fixed/1/kind"]),
        ({"fixed": [wages], "flexible": [rent]}, ["/household/fixed/0/kind", "/household/flexible/0/kind"]),
        ({"explained": ["housing"]}, ["/household/explained"]),
        ({"fixed": [rent | {"amount": -1}]}, ["/household/fixed/0/amount"]),
        ({"incomes": [wages | {"amount": 10**11 + 1}]}, ["/household/incomes/0/amount"]),
        ({"incomes": [wages | {"amount": 100.5}]}, ["/household/incomes/0/amount"]),
        ({"incomes": [wages | {"per": "decade"}]}, ["/household/incomes/0/per"]),
        ({"adults": 0}, ["/household/adults"]),
        ({"children": 21}, ["/household/children"]),
        ({"pay_day": 32}, ["/household/pay_day"]),
        ({"pets": 2}, ["/household/pets"]),
    ):  # fmt: skip
        assert pointers(await assess(clerk, EARNS | changes)) == (422, expected)
    assert await desk.values("select count(*) from assessments") == [0]


async def test_each_currency_needs_an_assessment_and_a_guide_of_its_own(desk, clerk):
    await desk.bank.say(report("A2", "C1", currency="USD"))
    dollars = {"account_id": "A2", "currency": "USD"}
    mixed = await assess(clerk, accounts=[*ACCOUNTS, dollars])
    assert (code(mixed), pointers(mixed)[1]) == ((422, "other-currency"), ["/accounts/1/currency"])
    assert code(await assess(clerk, accounts=[dollars])) == (422, "no-guide")
    assert code(await assess(clerk, accounts=[*ACCOUNTS, *ACCOUNTS])) == (422, "account-twice")
    unknown = await assess(clerk, accounts=[{"account_id": "A9", "currency": "CNY"}])
    assert pointers(unknown) == (422, ["/accounts/0"])
    nothing = dict.fromkeys(("principal", "interest", "fees", "penalty"), 0)
    await desk.bank.say(report(sequence=2, cutoff="2026-06-26T02:00:00+08:00", unpaid=0, balances=nothing))
    assert code(await assess(clerk)) == (422, "nothing-owed")


async def test_it_says_which_plans_are_under_way(desk, clerk):
    plan = await clerk.create("/v1/plans", customer_id="C1", accounts=ACCOUNTS, **EQUAL)
    (running,) = (await assessed(clerk))["under_way"]
    assert running == {"subject": "plan", "subject_id": plan.json()["plan_id"], "accounts": ACCOUNTS}


async def test_a_front_end_reads_kinds_and_figures_from_the_guide(desk, clerk):
    guide = await clerk.get("/v1/affordability-guides/CNY")
    assert guide.status_code == 200
    assert {each["kind"]: each["adult"] for each in guide.json()["flexible"]} == LIVING
    assert [each["kind"] for each in guide.json()["incomes"] if each["counted_bps"] < 10_000] == [
        "family", "rent", "business", "other"
    ]  # fmt: skip
    assert guide.json()["hash"] == (await assessed(clerk))["guide_hash"]
    assert (await clerk.get("/v1/affordability-guides/EUR")).status_code == 404


async def test_asked_twice_under_one_key_it_is_made_once(desk, clerk):
    body = {"customer_id": "C1", "accounts": ACCOUNTS, "household": EARNS}
    first = await clerk.create("/v1/assessments", "same", **body)
    again = await clerk.create("/v1/assessments", "same", **body)
    assert (again.status_code, again.json()) == (201, first.json())
    assert await desk.values("select count(*) from assessments") == [1]
