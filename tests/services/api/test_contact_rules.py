"""The bank's own contact rules: proposed by one, tried on last month, signed by another, in force from their date."""

from __future__ import annotations

from datetime import date, datetime
from uuid import uuid4

import pytest

from shared.adapters.postgres.replay import replay_newest
from shared.adapters.postgres.shelf import Shelf
from shared.application.principal import Principal, Role
from shared.application.rule_changes import NewOverlay, propose, sign_off
from tests.application.bank import report, updated
from tests.faults.outbound import an_outbound
from tests.services.api.people import AUDITOR, COLLECTOR, COMPLIANCE, SUPERVISOR, office

JULY_2 = datetime.fromisoformat("2026-07-02T20:15+08:00")
AT = "/v1/contact-rules/overlays"
EARLIER = {"rule": "cn-quiet-hours-cba", "parameters": {"from": "20:00"}}
PROPOSAL = {"jurisdiction": "CN", "from": "2026-07-10", "changes": [EARLIER], "reason": "complaints about the evening"}


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(), report(due="2026-06-28", cutoff="2026-06-29T02:00:00+08:00"))
        opened.bank.latest = datetime.fromisoformat("2036-01-01T00:00+08:00")
        await opened.move_to(JULY_2)
        yield opened


@pytest.fixture
async def officer(desk):
    async with desk.person(COMPLIANCE, name="zhao.min") as person:
        yield person


@pytest.fixture
async def second(desk):
    async with desk.person(COMPLIANCE, name="sun.lei") as person:
        yield person


@pytest.fixture
async def caller(desk):
    async with desk.person(COLLECTOR) as person:
        yield person


def problem(answer):
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[1]


async def proposed(person, **more):
    answer = await person.create(AT, **(PROPOSAL | more))
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def signed(person, where, **more):
    return await person.edit(f"{where}/sign-off", **({"reason": "seen with its dry run"} | more))


async def asked(person, desk, channel="phone"):
    (point_id,) = await desk.values("select point_id from contact_points where kind = 'mobile'")
    answer = await person.create(
        "/v1/contact-permits", customer_id="C1", channel=channel, contact_point_id=str(point_id)
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["decision"]


async def test_a_compliance_officer_makes_the_evening_shorter(desk, officer, second, caller):
    before = await asked(caller, desk)
    assert before["outcome"] == "allow"
    await desk.move_to(datetime.fromisoformat("2026-07-03T10:00+08:00"))
    assert (await asked(caller, desk))["outcome"] == "allow"

    where = await proposed(officer)
    seen = (await officer.get(f"{where}/dry-run")).json()
    assert (seen["asked"], seen["deferred"], seen["blocked"], seen["allowed"]) == (2, 1, 0, 0)
    assert seen["rules"] == [
        {"rule": "cn-quiet-hours-cba", "blocked": 0, "deferred": 1, "allowed": 0, "eased": 0, "moved": 0}
    ]
    (example,) = seen["examples"]
    assert (example["about"], example["before"], example["after"]) == ("permit", "allow", "defer")
    assert "C1" not in str(seen)

    assert (await officer.get(where)).json()["loosens"] == []
    assert problem(await signed(officer, where)) == (403, "forbidden"), "nobody signs off their own"
    done = await signed(second, where)
    assert done.status_code == 200, done.text
    assert (done.json()["state"], done.json()["signed_by"]) == ("signed", "sun.lei")

    await desk.move_to(datetime.fromisoformat("2026-07-09T20:15+08:00"))
    day_before = await asked(caller, desk)
    assert (day_before["outcome"], day_before["rule_set"].partition("@")[0]) == ("allow", "cn+bank")
    await desk.move_to(datetime.fromisoformat("2026-07-10T20:15+08:00"))
    on_the_day = await asked(caller, desk)
    assert (on_the_day["outcome"], on_the_day["until"]) == ("defer", "2026-07-11T00:00:00+00:00")
    assert [rule["rule_id"] for rule in on_the_day["fired"]] == ["cn-quiet-hours-cba"]

    assert before["rule_set"] != on_the_day["rule_set"]
    async with desk.deps.pool.acquire() as connection:
        assert await replay_newest(connection, 10) == (4, []), "each by the rules that it was taken under"
    trail = await desk.rows("select actor, action from audit order by entry")
    assert trail == [("zhao.min", "contact-rules.proposed"), ("sun.lei", "contact-rules.signed")]


async def test_the_rules_of_a_date_show_what_is_signed(desk, officer, second, caller):
    await signed(second, await proposed(officer))

    async def begins(at):
        answer = await caller.get("/v1/contact-rules/CN", at=at)
        (rule,) = [each for each in answer.json()["rules"] if each["id"] == "cn-quiet-hours-cba"]
        return rule["parameters"]["from"], answer.json()["name"]

    assert await begins("2026-07-09T12:00:00+08:00") == ("22:00", "cn+bank")
    assert await begins("2026-07-10T12:00:00+08:00") == ("20:00", "cn+bank")
    assert await begins("2026-07-02T12:00:00+08:00") == ("22:00", "cn"), "before it was signed"
    listed = {each["jurisdiction"]: each for each in (await caller.get("/v1/contact-rules")).json()["items"]}
    assert listed["CN"]["label"].startswith("cn+bank@1:")
    assert listed["GB"]["overlay_id"] is None
    assert (await caller.get("/v1/contact-rules/FR")).status_code == 404


async def test_what_permits_more_has_to_be_signed_for_in_so_many_words(officer, second):
    calls = {"rule": "cn-call-ends-in-time", "parameters": {"minutes": 5}}
    where = await proposed(officer, changes=[calls])
    assert (await officer.get(where)).json()["loosens"] == [{"rule": "cn-call-ends-in-time", "what": ["minutes"]}]
    assert problem(await signed(second, where)) == (422, "loosening-unsigned")
    done = (await signed(second, where, accepts_loosening=True)).json()
    assert done["changes"][0]["signed_off"]["by"] == "sun.lei"
    assert done["changes"][0]["signed_off"]["why"] == "seen with its dry run"


async def test_what_the_bank_tightened_itself_it_may_take_back_by_signature_down_to_the_law(officer, second):
    await signed(second, await proposed(officer))
    back = {"rule": "cn-quiet-hours-cba", "parameters": {"from": "22:00"}}
    where = await proposed(officer, changes=[back], **{"from": "2026-08-01"})
    assert (await officer.get(where)).json()["loosens"] == [{"rule": "cn-quiet-hours-cba", "what": ["from"]}]
    assert (await signed(second, where, accepts_loosening=True)).status_code == 200
    rules = (await officer.get("/v1/contact-rules/CN", at="2026-08-01T09:00:00+08:00")).json()["rules"]
    assert {each["parameters"]["from"] for each in rules if each["id"] == "cn-quiet-hours-cba"} == {"22:00"}
    rules = (await officer.get("/v1/contact-rules/CN", at="2026-07-31T09:00:00+08:00")).json()["rules"]
    assert {each["parameters"]["from"] for each in rules if each["id"] == "cn-quiet-hours-cba"} == {"20:00"}


@pytest.mark.parametrize(
    ("more", "code", "pointer", "reason"),
    [
        ({"from": "2026-07-02"}, "invalid", "/from", "is not in the future"),
        ({"jurisdiction": "FR"}, "invalid", "/jurisdiction", "there are no contact rules of it"),
        ({"changes": [{"rule": "none", "parameters": {"max": 1}}]}, "rules-unreadable", "/changes/0/rule",
         "there is no none to change from 2026-07-10 on"),
        ({"changes": [EARLIER, {"rule": "cn-sms-cap", "parameters": {"max": "one"}}]}, "rules-unreadable",
         "/changes/1/parameters/max", "must be a whole number"),
        ({"changes": [{"rule": "cn-sms-cap", "parameters": {"most": 1}}]}, "rules-unreadable",
         "/changes/0/parameters/most", "is not a known key"),
        ({"changes": [{"rule": "cn-sms-cap"}]}, "rules-unreadable", "/changes/0", "changes nothing"),
        ({"changes": [{"rule": "cn-refused-places", "retire": True}]}, "loosens-the-law", "/changes/0",
         "loosens all of cn-refused-places, which is the law"),
        ({"add": [{"id": "own", "kind": "closed_days"}]}, "rules-unreadable", "/add/0/text", "is missing"),
    ],
)  # fmt: skip
async def test_bad_changes_are_refused_with_where_and_what(officer, more, code, pointer, reason):
    answer = await officer.create(AT, **(PROPOSAL | more))
    assert problem(answer) == (422, code), answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert reason in error["reason"]
    assert (await officer.get(AT)).json()["items"] == []


async def test_a_rule_of_our_own_comes_with_its_examples(desk, officer, second, caller):
    sunday = {
        "id": "bank-no-sunday", "kind": "closed_days", "text": "Nobody is called on a Sunday.", "citation": "board",
        "strength": "E", "verified": True, "parameters": {"weekdays": ["sun"]}, "channels": ["phone"],
        "vectors": [{"name": "a Sunday", "channel": "phone", "at": "2026-07-12T10:00:00+08:00", "expect": "defer",
                     "until": "2026-07-13T08:00:00+08:00"}],
    }  # fmt: skip
    wrong = sunday | {"vectors": [sunday["vectors"][0] | {"until": "2026-07-13T09:00:00+08:00"}]}
    assert problem(await officer.create(AT, **(PROPOSAL | {"add": [wrong]}))) == (422, "example-fails")
    await signed(second, await proposed(officer, changes=[], add=[sunday]))
    await desk.move_to(datetime.fromisoformat("2026-07-12T10:00+08:00"))
    assert (await asked(caller, desk))["fired"][0]["rule_id"] == "bank-no-sunday"


async def test_a_proposal_is_withdrawn_and_then_nobody_signs_it(officer, second):
    where = await proposed(officer)
    done = (await second.edit(f"{where}/withdraw", reason="the evening is when people are home")).json()
    assert (done["state"], done["withdrawn_by"]) == ("withdrawn", "sun.lei")
    assert problem(await signed(second, where)) == (409, "overlay-state")
    assert problem(await officer.get(f"{where}/dry-run")) == (409, "overlay-state")
    assert (await officer.get(AT, state="withdrawn")).json()["items"][0]["overlay_id"] == where.rpartition("/")[2]


async def test_who_signs_has_read_what_is_there_and_what_it_is_over(desk, officer, second):
    first, other = await proposed(officer), await proposed(officer)
    assert problem(await second.edit(f"{first}/sign-off", version='"7"', reason="read")) == (412, "precondition-failed")
    assert (await signed(second, first)).status_code == 200
    assert problem(await signed(second, other)) == (409, "rules-changed")
    assert problem(await second.edit(f"{first}/withdraw", reason="too late")) == (409, "overlay-state")
    late = await proposed(officer, changes=[{"rule": "cn-sms-cap", "parameters": {"max": 1}}])
    await desk.move_to(datetime.fromisoformat("2026-07-10T00:00+08:00"))
    assert problem(await signed(second, late)) == (409, "overlay-too-late")


async def test_proposing_twice_under_one_key_makes_one(officer):
    first = await officer.create(AT, key="k-once", **PROPOSAL)
    again = await officer.create(AT, key="k-once", **PROPOSAL)
    assert (again.status_code, again.json()) == (201, first.json())
    assert len((await officer.get(AT)).json()["items"]) == 1


async def test_supervisors_propose_compliance_signs_and_the_rest_reads(desk, second, caller):
    async with desk.person(SUPERVISOR, name="gao.jun") as supervisor, desk.person(AUDITOR, name="xu.hui") as auditor:
        where = await proposed(supervisor)
        assert (await signed(supervisor, where)).status_code == 403
        assert (await caller.create(AT, **PROPOSAL)).status_code == 403
        assert (await auditor.get(where)).status_code == 200
        assert (await auditor.get(f"{where}/dry-run")).status_code == 200
    assert (await signed(second, where)).status_code == 200
    assert (await second.get(f"{AT}/{uuid4()}")).status_code == 404


async def test_another_process_has_it_at_its_next_transaction(desk, officer, second):
    other = Shelf(desk.deps.pool)
    await other.renew()
    async with desk.deps.work() as tx:
        await other.attend(tx)
        assert other.rules("CN").name == "cn"
    await signed(second, await proposed(officer))
    async with desk.deps.work() as tx:
        await other.attend(tx)
        assert other.rules("CN").name == "cn+bank"


async def test_the_sender_goes_by_them_from_its_next_batch_on(database, tmp_path):
    """Signed elsewhere a moment ago: nothing is restarted, and the sender's own shelf is not told."""
    proposer, signer = (Principal(name, frozenset({Role.COMPLIANCE})) for name in ("zhao.min", "sun.lei"))
    async with an_outbound(database, tmp_path) as out:
        await out.overdue("C1")
        await out.plan()
        new = NewOverlay(
            overlay_id=uuid4(), jurisdiction="CN", starts=date(2026, 7, 10), changes=[EARLIER], add=[], add_texts=[],
            reason="evenings",
        )  # fmt: skip
        async with out.work() as tx:
            await propose(tx, new, proposer, "Asia/Shanghai")
        async with out.work() as tx:
            await sign_off(tx, new.overlay_id, "read", False, signer, AnyVersion(), "Asia/Shanghai")
        assert out.bank.shelf.rules("CN").name == "cn"
        await out.move_clock(datetime.fromisoformat("2026-07-10T20:15+08:00"))
        marked, _ = await out.sender().mark(10)
        assert marked == []
        (waiting,) = await out.bank.rows("select state, reason, decision ->> 'rule_set' as rules from messages")
        assert (waiting["state"], waiting["reason"]) == ("deferred", "cn-quiet-hours-cba")
        assert waiting["rules"].startswith("cn+bank@1:")


class AnyVersion:
    def check(self, version):
        pass
