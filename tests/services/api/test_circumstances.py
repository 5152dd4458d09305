"""Where people live, what they agreed to and where they are not to be contacted: the gate knows it from then on."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

from shared.application.book import Book
from shared.application.replaying import Stored, replay
from shared.application.sending_desk import Ruling, Rulings
from shared.domain.contact import Outcome
from tests.application.bank import merged, report, updated
from tests.services.api.people import COLLECTOR, COMPLIANCE, office
from tests.services.api.test_contacts import MORNING, asked, point, told
from tests.services.api.test_protection import ASK_FRIEND, FRIEND

NEW_YORK_MORNING = datetime.fromisoformat("2026-07-02T11:00-04:00")
AMERICAN = {"jurisdiction": "US", "time_zone": "America/New_York"}
OWED = {"due": "2026-06-28", "cutoff": "2026-06-29T02:00:00+08:00"}
BY_HAND, BY_MACHINE = {"automated": False}, {"automated": True}


@pytest.fixture
async def desk(database, tmp_path):
    async with office(database, tmp_path) as opened:
        await opened.bank.say(updated(**AMERICAN), report(**OWED))
        await opened.move_to(NEW_YORK_MORNING)
        yield opened


async def noted(person, kind, value, **more):
    answer = await person.create("/v1/contact-circumstances", customer_id="C1", kind=kind, value=value, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def fired(person, desk, **more):
    """The rules that refuse; a permit that is granted is given back."""
    permit = await asked(person, desk, **more)
    if permit["state"] == "granted":
        await person.edit(f"/v1/contact-permits/{permit['permit_id']}/release", reason="not_called")
    return {rule["rule_id"] for rule in permit["decision"]["fired"]}


async def ruled(desk) -> Ruling:
    """What the sender would be told of a reminder by text now."""
    async with desk.deps.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        (sender,) = await tx.load_desks(book, desk.deps.shelf.rules)
        reach = next(each for each in sender.reach if each.kind == "mobile")
        return Rulings(tx.now).ask("dunning", "sms", sender, reach, desk.deps.shelf.rules("US"))


async def test_texts_go_in_the_united_states_once_place_number_and_consent_are_on_record(desk, caller):
    mobile = await point(desk)
    refused = await ruled(desk)
    assert refused.decision.outcome is Outcome.FORBID
    await noted(caller, "place", "US-FL")
    await noted(caller, "point_place", "personal", contact_point_id=mobile)
    refused = await ruled(desk)
    assert {one.rule_id for one in refused.decision.fired} == {"us-tcpa-consent"}
    consent = await noted(caller, "permission", "automated_contact", proof="rec/7")
    allowed = await ruled(desk)
    assert allowed.decision.outcome is Outcome.ALLOW, allowed.decision
    packs = {"us": allowed.rules}.values()
    stored = Stored("message", "m", "C1", allowed.note("sms"))
    assert replay(stored, lambda label: next(each for each in packs if each.label == label)) is None
    await caller.edit(f"/v1/contact-circumstances/{consent['circumstance_id']}/withdraw")
    assert (await ruled(desk)).decision.outcome is Outcome.FORBID


async def test_a_call_by_hand_needs_no_consent_and_one_by_a_machine_does(desk, caller):
    assert await fired(caller, desk, manner=BY_HAND)
    await noted(caller, "place", "US-FL")
    await noted(caller, "point_place", "personal", contact_point_id=await point(desk))
    assert await fired(caller, desk, manner=BY_HAND) == set()
    assert await fired(caller, desk, manner=BY_MACHINE) == {"us-tcpa-consent"}
    await noted(caller, "permission", "automated_contact", proof="rec/7")
    assert await fired(caller, desk, manner=BY_MACHINE) == set()


async def test_calls_and_texts_on_record_say_what_place_they_were_made_to(desk, caller):
    await noted(caller, "place", "US-MA")
    await noted(caller, "point_place", "personal", contact_point_id=await point(desk))
    permit = await asked(caller, desk, manner=BY_HAND)
    await told(caller, permit_id=permit["permit_id"], outcome="no_answer")
    assert [past.place for past in (await ruled(desk)).facts.history] == ["personal"]


async def test_what_the_debtor_agreed_to_no_third_party_did(database, tmp_path):
    async with office(database, tmp_path) as desk, desk.person(COLLECTOR) as caller:
        await desk.bank.say(updated(), report(**OWED))
        await desk.move_to(MORNING)
        friend = (await caller.create("/v1/third-parties", **FRIEND)).json()["person_id"]
        await noted(caller, "permission", "unanswered_attempts", proof="rec/9")
        own = await asked(caller, desk)
        theirs = await asked(caller, desk, **ASK_FRIEND, person_id=friend)
        assert own["decision"]["facts"]["permissions"] == ["unanswered_attempts"]
        assert theirs["decision"]["facts"]["permissions"] == []


async def test_who_refused_to_be_called_at_work_is_not_until_it_ends(desk, caller):
    await noted(caller, "place", "US-MA")
    await noted(caller, "point_place", "work", contact_point_id=await point(desk))
    assert await fired(caller, desk, manner=BY_HAND) == set()
    await noted(caller, "refused_place", "work", ends_at="2026-07-10T00:00:00-04:00")
    assert "us-ma-work-request" in await fired(caller, desk, manner=BY_HAND)
    await desk.move_to(datetime.fromisoformat("2026-07-10T11:00-04:00"))
    assert await fired(caller, desk, manner=BY_HAND) == set()


async def test_in_china_nobody_enters_a_home_without_consent_on_record(database, tmp_path):
    visit = {"channel": "visit", "contact_point_id": None, "manner": {"staff": 2, "recorded": True, "entry": True}}
    async with office(database, tmp_path) as desk, desk.person(COLLECTOR) as caller:
        await desk.bank.say(updated(), report(**OWED))
        await desk.move_to(MORNING)
        assert "cn-visit-no-entry" in await fired(caller, desk, **visit)
        await noted(caller, "permission", "entry", proof="form/12")
        assert "cn-visit-no-entry" not in await fired(caller, desk, **visit)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"kind": "permission", "value": "entry"}, "/proof"),
        ({"kind": "permission", "value": "Entry!", "proof": "rec/1"}, "/value"),
        ({"kind": "place", "value": "Massachusetts"}, "/value"),
        ({"kind": "place", "value": "US-MA", "ends_at": "2026-06-01T00:00:00Z"}, "/ends_at"),
        ({"kind": "refused_place", "value": "home"}, "/value"),
        ({"kind": "point_place", "value": "work"}, "/contact_point_id"),
        ({"kind": "point_place", "value": "work", "contact_point_id": str(uuid4())}, "/contact_point_id"),
        ({"kind": "mood", "value": "good"}, "/kind"),
    ],
    ids=lambda value: value.get("kind", "") if isinstance(value, dict) else value,
)
async def test_what_can_not_be_noted_is_refused_with_its_place(caller, wrong, pointer):
    answer = await caller.create("/v1/contact-circumstances", customer_id="C1", **wrong)
    assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])


async def test_what_was_noted_is_listed_stands_on_the_timeline_and_is_withdrawn_once(desk, caller):
    home = await noted(caller, "place", "US-NY")
    city = await noted(caller, "place", "US-NYC")
    listed = (await caller.get("/v1/contact-circumstances", customer_id="C1", in_force="true")).json()
    assert {each["value"] for each in listed["items"]} == {"US-NYC", "US-NY"}
    at = f"/v1/contact-circumstances/{city['circumstance_id']}"
    assert (await caller.edit(f"{at}/withdraw")).json()["withdrawn_by"] == city["recorded_by"]
    again = await caller.edit(f"{at}/withdraw")
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (409, "circumstance-withdrawn")
    listed = (await caller.get("/v1/contact-circumstances", customer_id="C1", in_force="true")).json()
    assert [each["circumstance_id"] for each in listed["items"]] == [home["circumstance_id"]]
    told = await desk.rows("select kind from case_events where kind like 'contact_circumstance.%' order by entry")
    assert told == [("contact_circumstance.noted",)] * 2 + [("contact_circumstance.withdrawn",)]


async def test_what_was_noted_goes_with_a_person_who_is_merged(desk, caller):
    await noted(caller, "permission", "automated_contact", proof="rec/7")
    await desk.bank.say(updated("C2", mobile="+8613800000002", **AMERICAN), merged("C1", "C2"))
    listed = (await caller.get("/v1/contact-circumstances", customer_id="C2")).json()
    assert [each["value"] for each in listed["items"]] == ["automated_contact"]


async def test_only_whoever_may_see_the_customer_sees_it(desk, caller):
    made = await noted(caller, "place", "US-NY")
    async with desk.person(COMPLIANCE) as officer:
        found = await officer.get(f"/v1/contact-circumstances/{made['circumstance_id']}")
        assert found.json()["value"] == "US-NY"
        unknown = await officer.create("/v1/contact-circumstances", customer_id="nobody", kind="place", value="US-NY")
        assert unknown.status_code == 404
