"""What people agreed to, asked for and refused holds from the next contact on, for messages and calls alike."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.application.book import Book
from tests.services.api.people import MORNING
from tests.services.api.test_contacts import asked, told

NIGHT = datetime.fromisoformat("2026-07-02T22:15+08:00")
CONSENT = {
    "customer_id": "C1", "kind": "consent", "channel": "phone", "from_time": "22:00", "to_time": "23:30",
    "proof": "rec/1", "ends_at": "2026-12-31T00:00:00+08:00",
}  # fmt: skip
FRIEND = {
    "customer_id": "C1", "relation": "contact_person", "name": "Zhang San", "kind": "mobile", "value": "13800009999",
    "source": "contract",
}  # fmt: skip
ASK_FRIEND = {
    "target": "contact_person", "purpose": "locate", "contact_point_id": None, "content": {"says_debt": False},
}  # fmt: skip


async def noted(person, path, **body):
    answer = await person.create(path, **body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_consent_opens_its_hours_to_its_channel_until_it_is_withdrawn(desk, caller):
    await desk.move_to(NIGHT)
    assert (await asked(caller, desk))["state"] == "refused"
    hours = await noted(caller, "/v1/contact-hours", **CONSENT)
    assert (hours["from_time"], hours["to_time"]) == ("22:00", "23:30")
    permit = await asked(caller, desk)
    assert permit["state"] == "granted", permit["decision"]["fired"]
    await caller.edit(f"/v1/contact-permits/{permit['permit_id']}/release", reason="not_called")
    assert (await asked(caller, desk, channel="voice_bot"))["state"] == "refused", "it was for calls by people"
    withdrawn = await caller.edit(f"/v1/contact-hours/{hours['hours_id']}/withdraw")
    assert withdrawn.status_code == 200
    assert (await asked(caller, desk))["state"] == "refused"


async def test_preferred_hours_bind_calls_and_messages_at_once(desk, caller):
    await noted(caller, "/v1/contact-hours", customer_id="C1", kind="preferred", from_time="18:00", to_time="20:00")
    refused = await asked(caller, desk)
    assert datetime.fromisoformat(refused["decision"]["until"]) == datetime.fromisoformat("2026-07-02T18:00+08:00")
    async with desk.deps.work() as tx:
        book = Book(tx.now)
        await tx.lock_customers(book, ["C1"])
        (sender,) = await tx.load_desks(book, desk.deps.shelf.rules)
    assert [(each.channel, each.from_time.hour) for each in sender.preferred] == [("*", 18)]
    assert sender.consents == ()


async def test_a_consent_without_proof_or_end_is_none(desk, caller):
    for lacking in ("proof", "ends_at"):
        answer = await caller.create("/v1/contact-hours", **{k: v for k, v in CONSENT.items() if k != lacking})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, f"/{lacking}")


async def test_a_friend_is_asked_only_once_the_debtor_is_lost(desk, caller):
    friend = await noted(caller, "/v1/third-parties", **FRIEND)
    assert "Zhang" not in str(friend)
    assert "9999" not in str(friend)
    ask = ASK_FRIEND | {"person_id": friend["person_id"]}
    refused = await asked(caller, desk, **ask)
    assert "cn-third-party-only-if-lost" in {rule["rule_id"] for rule in refused["decision"]["fired"]}
    assert refused["decision"]["facts"]["debtor_state"] == "reachable"
    for _ in range(3):
        permit = await asked(caller, desk)
        await told(caller, permit_id=permit["permit_id"], outcome="no_answer")
    tomorrow = await asked(caller, desk, **ask)
    assert tomorrow["decision"]["outcome"] == "defer", "three calls in a row make lost from the next day on"
    await desk.move_to(MORNING + timedelta(days=1))
    permit = await asked(caller, desk, **ask)
    assert permit["state"] == "granted", permit["decision"]["fired"]
    assert permit["decision"]["facts"]["debtor_state"] == "lost"
    about_debt = await asked(caller, desk, **ask | {"content": {"says_debt": True}})
    assert "cn-third-party-purpose" in {rule["rule_id"] for rule in about_debt["decision"]["fired"]}


async def test_a_dead_number_makes_lost_at_once_and_a_talk_ends_it(desk, caller):
    friend = await noted(caller, "/v1/third-parties", **FRIEND)
    ask = ASK_FRIEND | {"person_id": friend["person_id"]}
    permit = await asked(caller, desk)
    await told(caller, permit_id=permit["permit_id"], outcome="invalid_number")
    assert (await asked(caller, desk, **ask))["state"] == "granted"
    await desk.move_to(MORNING + timedelta(hours=1))
    await told(caller, customer_id="C1", channel="phone", direction="inbound", outcome="right_party")
    assert (await asked(caller, desk, **ask))["state"] == "refused"


async def test_a_friend_who_refused_is_never_asked_again_under_that_number(desk, caller):
    friend = await noted(caller, "/v1/third-parties", **FRIEND)
    where = f"/v1/third-parties/{friend['person_id']}/refuse"
    assert (await caller.edit(where, source="call")).status_code == 200
    assert (await caller.edit(where, source="call")).json()["type"].endswith("/third-party-refused")
    again = await noted(caller, "/v1/third-parties", **FRIEND | {"name": "Old Zhang", "value": "+86 138 0000 9999"})
    assert again["refused_at"] is not None
    permit = await asked(caller, desk)
    await told(caller, permit_id=permit["permit_id"], outcome="invalid_number")
    refused = await asked(caller, desk, **ASK_FRIEND | {"person_id": again["person_id"]})
    assert refused["decision"]["fired"][0]["rule_id"] == "cn-third-party-stop"


async def test_a_guarantor_is_asked_while_the_guarantee_lasts(desk, caller):
    guarantor = await noted(
        caller, "/v1/third-parties", **FRIEND | {"relation": "guarantor", "guarantee_until": "2026-07-02"}
    )
    ask = {"target": "guarantor", "person_id": guarantor["person_id"], "contact_point_id": None}
    assert (await asked(caller, desk, **ask))["state"] == "granted"
    await desk.move_to(MORNING + timedelta(days=1))
    refused = await asked(caller, desk, **ask)
    assert "cn-guarantee-period" in {rule["rule_id"] for rule in refused["decision"]["fired"]}


async def test_a_third_party_has_to_be_on_file_and_reachable_so(desk, caller):
    friend = await noted(caller, "/v1/third-parties", **FRIEND)
    body = {"customer_id": "C1", "channel": "phone", "target": "guarantor", "person_id": friend["person_id"]}
    by_mail = {"target": "contact_person", "channel": "email"}
    for change, reason in (({}, "names no guarantor"), (by_mail, "is of kind")):
        answer = await caller.create("/v1/contact-permits", **body | change)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["reason"].startswith(reason)
