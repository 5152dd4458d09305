"""People and diallers ask before they call, tell what came of it, and share one allowance with the sender."""

from __future__ import annotations

from datetime import datetime, timedelta

from shared.adapters.postgres import invariants
from shared.adapters.postgres.replay import replay_newest
from tests.services.api.people import AUDITOR, COLLECTOR, MORNING, SUPERVISOR


async def point(desk, kind="mobile"):
    (found,) = await desk.values("select point_id from contact_points where kind = $1", kind)
    return str(found)


async def asked(person, desk, **more):
    body = {"customer_id": "C1", "channel": "phone", "contact_point_id": await point(desk)} | more
    answer = await person.create("/v1/contact-permits", **body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def told(person, **body):
    answer = await person.create("/v1/contact-attempts", **body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def talked(person, desk, **more):
    permit = await asked(person, desk, **more)
    assert permit["state"] == "granted", permit["decision"]
    return await told(person, permit_id=permit["permit_id"], outcome="right_party", effective_talk=True)


async def ledger(desk):
    return await desk.rows("select channel, state, made_by from contact_ledger order by at, attempt_id")


async def test_a_call_is_permitted_made_and_counted(desk, caller):
    permit = await asked(caller, desk)
    assert (permit["state"], permit["decision"]["outcome"]) == ("granted", "allow")
    assert datetime.fromisoformat(permit["expires_at"]) == MORNING + timedelta(minutes=10)
    assert await ledger(desk) == [("phone", "reserved", "permit")]
    attempt = await told(
        caller, permit_id=permit["permit_id"], outcome="right_party", effective_talk=True, talk_seconds=95,
        recording="rec/1",
    )  # fmt: skip
    assert (attempt["permitted"], attempt["right_party"]) == (True, True)
    assert attempt["contact_point_id"] == await point(desk)
    assert await ledger(desk) == [("phone", "committed", "permit")]
    used = (await caller.get(f"/v1/contact-permits/{permit['permit_id']}")).json()
    assert (used["state"], used["closed_by"]) == ("used", "li.na")
    again = await caller.create("/v1/contact-attempts", permit_id=permit["permit_id"], outcome="busy")
    assert (again.status_code, again.json()["type"].rsplit("/", 1)[1]) == (409, "permit-used")


async def test_after_three_talks_the_fourth_call_of_the_day_waits_whoever_would_make_it(desk, caller):
    for _ in range(2):
        await talked(caller, desk)
    agency = {"kind": "agency", "name": "agency-7"}
    registered = {"manner": {"account_registered": True}, "mandate": {"listed": True}}
    await talked(caller, desk, party=agency, **registered)
    refused = await asked(caller, desk)
    assert (refused["state"], refused["expires_at"]) == ("refused", None)
    decision = refused["decision"]
    assert decision["outcome"] == "defer"
    assert datetime.fromisoformat(decision["until"]) == datetime.fromisoformat("2026-07-03T08:00+08:00")
    told_by = {rule["rule_id"]: rule for rule in decision["fired"]}
    assert told_by["cn-effective-call-cap-3"]["strength"] == "G"
    assert "GB/T 45251-2025" in told_by["cn-effective-call-cap-3"]["citation"]
    assert len(decision["facts"]["history"]) == 3
    assert len(await ledger(desk)) == 3, "what was refused is not reserved"
    await desk.move_to(datetime.fromisoformat("2026-07-03T08:00+08:00"))
    assert (await asked(caller, desk))["state"] == "granted"


async def test_calls_that_nobody_answers_use_up_another_allowance_than_talks(desk, caller):
    for outcome in ("no_answer", "busy", "voicemail", "rejected", "no_answer", "switched_off"):
        permit = await asked(caller, desk)
        assert permit["state"] == "granted", permit["decision"]
        await told(caller, permit_id=permit["permit_id"], outcome=outcome)
    refused = await asked(caller, desk)
    assert refused["decision"]["fired"][0]["rule_id"] == "cn-unanswered-attempt-cap-6"


async def test_a_call_that_nobody_had_asked_for_is_entered_and_counts(desk, caller):
    where = {"customer_id": "C1", "channel": "phone", "contact_point_id": await point(desk)}
    for minute in (1, 2, 3):
        at = (MORNING - timedelta(minutes=10 * minute)).isoformat()
        made = await told(caller, **where, outcome="right_party", effective_talk=True, at=at)
        assert made["permitted"] is False
    assert (await asked(caller, desk))["state"] == "refused"
    listed = (await caller.get("/v1/contact-attempts", permitted="false")).json()["items"]
    assert len(listed) == 3


async def test_a_call_the_customer_made_counts_against_nothing(desk, caller):
    for _ in range(4):
        await told(caller, customer_id="C1", channel="phone", direction="inbound", outcome="right_party",
                   effective_talk=True)  # fmt: skip
    assert (await asked(caller, desk))["state"] == "granted"
    assert await ledger(desk) == [("phone", "reserved", "permit")]


async def test_a_permit_that_ran_out_counts_until_somebody_says_that_it_was_not_used(desk, caller):
    permits = [await asked(caller, desk) for _ in range(3)]
    assert (await asked(caller, desk))["state"] == "refused", "what is reserved may become a talk"
    await desk.move_to(MORNING + timedelta(minutes=10))
    assert await ledger(desk) == [("phone", "unknown", "permit")] * 3
    lapsed = (await caller.get("/v1/contact-permits", state="lapsed")).json()["items"]
    assert len(lapsed) == 3
    assert (await asked(caller, desk))["state"] == "refused"
    where = f"/v1/contact-permits/{permits[0]['permit_id']}/release"
    async with desk.person(COLLECTOR, name="wang.fang") as other:
        assert (await other.edit(where, reason="line_was_down")).status_code == 403
    released = await caller.edit(where, reason="line_was_down")
    assert (released.status_code, released.json()["state"]) == (200, "released")
    assert (await asked(caller, desk))["state"] == "granted"
    async with desk.person(SUPERVISOR, name="chen") as boss:
        where = f"/v1/contact-permits/{permits[1]['permit_id']}/release"
        assert (await boss.edit(where, reason="shift_ended")).status_code == 200
        assert (await boss.edit(where, reason="shift_ended")).json()["type"].endswith("/permit-closed")


async def test_what_turns_out_to_have_been_made_after_all_counts_again(desk, caller):
    permit = await asked(caller, desk)
    await caller.edit(f"/v1/contact-permits/{permit['permit_id']}/release", reason="line_was_down")
    made = await told(caller, permit_id=permit["permit_id"], outcome="right_party", effective_talk=True)
    assert made["permitted"] is False
    assert await ledger(desk) == [("phone", "committed", "permit")]


async def test_an_answer_that_was_lost_is_found_again_under_its_key(desk, caller):
    body = {"customer_id": "C1", "channel": "phone", "contact_point_id": await point(desk)}
    first = await caller.create("/v1/contact-permits", key="dial-1", **body)
    again = await caller.create("/v1/contact-permits", key="dial-1", **body)
    assert first.json() == again.json()
    assert len(await ledger(desk)) == 1


async def test_a_number_that_is_out_of_use_is_marked_and_not_dialled_again(desk, caller):
    permit = await asked(caller, desk)
    await told(caller, permit_id=permit["permit_id"], outcome="invalid_number")
    assert await desk.rows("select state, state_reason from contact_points where kind = 'mobile'") == [
        ("bad", "invalid_number")
    ]
    refused = await asked(caller, desk)
    assert refused["decision"]["fired"][0]["rule_id"] == "cn-usable-point"
    assert refused["decision"]["lift"]["changes"] == [{"path": "facts.point_usable", "to": True}]


async def test_an_agency_that_is_not_on_the_list_is_refused_for_good(desk, caller):
    refused = await asked(caller, desk, party={"kind": "agency", "name": "agency-9"},
                          manner={"account_registered": True}, mandate={"listed": False})  # fmt: skip
    assert refused["decision"]["outcome"] == "forbid"
    assert {"cn-agency-whitelist"} == {rule["rule_id"] for rule in refused["decision"]["fired"]}


async def test_no_permit_in_the_night_and_it_says_from_when(desk, caller):
    await desk.move_to(datetime.fromisoformat("2026-07-02T22:30+08:00"))
    refused = await asked(caller, desk)
    assert datetime.fromisoformat(refused["decision"]["until"]) == datetime.fromisoformat("2026-07-03T08:00+08:00")


async def test_a_permit_ends_with_the_hours_it_was_given_in(desk, caller):
    await desk.move_to(datetime.fromisoformat("2026-07-02T21:45+08:00"))
    permit = await asked(caller, desk)
    assert datetime.fromisoformat(permit["expires_at"]) == datetime.fromisoformat("2026-07-02T21:55+08:00")


async def test_an_account_that_is_held_is_not_called_about(desk, caller):
    await caller.create("/v1/holds", customer_id="C1", account_id="A1", kind="dispute", reason="amount")
    refused = await asked(caller, desk, account_ids=["A1"])
    assert [rule["rule_id"] for rule in refused["decision"]["fired"]] == ["cn-holds"]


async def test_what_makes_no_sense_is_refused(desk, caller):
    async def problem(path, **body):
        answer = await caller.create(path, **body)
        return answer.status_code, answer.json()["errors"][0]["pointer"]

    good = {"customer_id": "C1", "channel": "phone", "contact_point_id": await point(desk)}
    permits, attempts = "/v1/contact-permits", "/v1/contact-attempts"
    assert await problem(permits, **good | {"channel": "email"}) == (422, "/contact_point_id")
    assert await problem(permits, **good | {"account_ids": ["A1", "A2"]}) == (422, "/account_ids")
    stranger = "7b0f1c1e-0000-4000-8000-000000000000"
    assert await problem(permits, **good | {"contact_point_id": stranger}) == (422, "/contact_point_id")
    assert await problem(attempts, **good, outcome="sent") == (422, "/outcome")
    assert await problem(attempts, **good, outcome="busy", talk_seconds=9) == (422, "/effective_talk")
    tomorrow = (MORNING + timedelta(days=1)).isoformat()
    assert await problem(attempts, **good, outcome="busy", at=tomorrow) == (422, "/at")


async def test_a_collector_neither_asks_nor_tells_of_cases_of_others(desk, caller):
    permit = await asked(caller, desk)
    await desk.rows("update cases set owner = 'wang.fang' returning 1")
    path = f"/v1/contact-permits/{permit['permit_id']}"
    assert (await caller.get(path)).status_code == 404
    answer = await caller.create("/v1/contact-permits", customer_id="C1", channel="phone")
    assert answer.status_code == 404
    answer = await caller.create("/v1/contact-attempts", permit_id=permit["permit_id"], outcome="busy")
    assert answer.status_code == 404
    async with desk.person(AUDITOR) as auditor:
        assert (await auditor.get(path)).status_code == 200


async def test_a_day_of_calls_breaks_no_law(desk, caller):
    await talked(caller, desk)
    await told(caller, customer_id="C1", channel="phone", outcome="unknown")
    await asked(caller, desk)
    async with desk.deps.pool.acquire() as connection:
        assert await invariants.check(connection) == []


async def test_what_was_decided_is_decided_again_and_a_changed_record_is_noticed(desk, caller):
    await talked(caller, desk)
    permit = await asked(caller, desk, channel="voice_bot", manner={"automated": True})
    await desk.move_to(datetime.fromisoformat("2026-07-02T22:30+08:00"))
    await asked(caller, desk)
    async with desk.deps.pool.acquire() as connection:
        assert await replay_newest(connection, 10) == (3, [])
        await connection.execute(
            """
            update contact_permits set decision = jsonb_set(decision, '{facts,point_source}', '"data_broker"')
            where permit_id = $1
            """,
            permit["permit_id"],
        )
        _, (different,) = await replay_newest(connection, 10)
        assert (different.stored.key, different.why) == (permit["permit_id"], "it comes out otherwise")
        (finding,) = await invariants.check(connection)
        assert (finding.law, finding.what, finding.sample) == ("L10", invariants.OTHERWISE, (permit["permit_id"],))
        await connection.execute("delete from rule_sets where jurisdiction = 'CN'")
        _, lost = await replay_newest(connection, 10)
        assert {each.why for each in lost} == {"the rules it names are not on record"}
