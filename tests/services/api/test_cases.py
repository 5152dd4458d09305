"""Cases: whose they are, what happened on them, and why the next action is what it is."""

from datetime import timedelta
from uuid import uuid4

import pytest

from shared.application.principal import Role
from tests.services.api.portfolio import wang


async def test_a_case_is_read_with_the_version_that_edits_ask_for(portfolio):
    await portfolio.overdue()
    case_id = await portfolio.case_of()
    async with portfolio.as_(Role.COLLECTOR) as client:
        answer = await client.get(f"/v1/cases/{case_id}")
        assert (answer.json()["state"], answer.json()["bucket"]) == ("open", "M1")
        assert answer.headers["etag"] == f'"{answer.json()["row_version"]}"'
        again = {"if-none-match": answer.headers["etag"]}
        assert (await client.get(f"/v1/cases/{case_id}", headers=again)).status_code == 304
        await portfolio.assign(case_id, team="south")
        assert (await client.get(f"/v1/cases/{case_id}", headers=again)).status_code == 404  # another team's now
        assert (await client.get(f"/v1/cases/{uuid4()}")).status_code == 404
        assert (await client.get("/v1/cases/7")).status_code == 422


async def test_a_collector_sees_own_team_and_unassigned_cases(portfolio):
    whose = [("li.na", None), (None, "south"), (None, None), ("zhao", "north"), ("li.na", "north")]
    for number, (owner, team) in enumerate(whose, start=1):
        await portfolio.overdue(f"C-{number}", f"A-{number}", customer=wang(f"C-{number}"))
        await portfolio.assign(await portfolio.case_of(f"C-{number}"), owner=owner, team=team)
    foreign = await portfolio.case_of("C-4")
    async with portfolio.as_(Role.COLLECTOR, subject="li.na", teams=["south"]) as client:
        listed = (await client.get("/v1/cases")).json()["items"]
        assert sorted(each["customer_id"] for each in listed) == ["C-1", "C-2", "C-3", "C-5"]
        for path in ("", "/timeline", "/notes", "/next-action/explain"):
            assert (await client.get(f"/v1/cases/{foreign}{path}")).status_code == 404, path
        assert (await client.get(f"/v1/follow-ups?case_id={foreign}")).json()["items"] == []
    async with portfolio.as_(Role.AUDITOR) as client:
        for query, expected in [
            ("owner=li.na", ["C-1", "C-5"]),
            ("team=north", ["C-4", "C-5"]),
            ("unassigned=true", ["C-3"]),
            ("state=cured", []),
            ("bucket=M1&customer_id=C-2", ["C-2"]),
            ("opened_to=2026-11-01T00:00:00Z", []),
        ]:
            found = (await client.get(f"/v1/cases?{query}")).json()["items"]
            assert sorted(each["customer_id"] for each in found) == expected, query
        assert found == []
        (one,) = (await client.get("/v1/cases?customer_id=C-2")).json()["items"]
        assert (one["past_due"], one["anchor"]) == ({"CNY": 80_000}, "2026-11-01")


async def test_every_case_appears_once_over_the_pages(portfolio):
    for number in range(5):
        await portfolio.overdue(f"C-{number}", f"A-{number}", customer=wang(f"C-{number}"))
    async with portfolio.as_(Role.SUPERVISOR) as client:
        seen, url = [], "/v1/cases?limit=2&state=open"
        while url:
            answer = await client.get(url)
            seen += [each["customer_id"] for each in answer.json()["items"]]
            url = answer.links["next"]["url"] if "link" in answer.headers else None
    assert sorted(seen) == [f"C-{number}" for number in range(5)]


@pytest.mark.parametrize("role", [Role.OPERATIONS, Role.ADMIN, Role.CORE_BANKING])
async def test_cases_are_not_for_everybody(portfolio, role):
    async with portfolio.as_(role) as client:
        assert (await client.get("/v1/cases")).status_code == 403
        assert (await client.get(f"/v1/cases/{uuid4()}/timeline")).status_code == 403


async def test_the_timeline_tells_everything_once_in_order(portfolio):
    await portfolio.overdue()
    await portfolio.plan()
    (marked,) = await portfolio.remind()
    await portfolio.move_to(portfolio.now + timedelta(hours=1))
    await portfolio.pay(80_000)
    case_id = await portfolio.case_of()
    async with portfolio.as_(Role.SUPERVISOR) as client:
        lines = (await client.get(f"/v1/cases/{case_id}/timeline")).json()["items"]
        assert [line["at"] for line in lines] == sorted((line["at"] for line in lines), reverse=True)
        whats = [line["what"] for line in lines]
        for what in ("case.opened", "follow_up.passed_over", "message.done", "attempt.accepted", "case.cured"):
            assert what in whats, what
        assert [what for what in whats if what.startswith("payment.")] == ["payment.received"]
        attempts = (await client.get(f"/v1/cases/{case_id}/timeline?kind=attempt")).json()["items"]
        assert [line["id"] for line in attempts] == [str(marked.attempt_id)]
        seen, url = [], f"/v1/cases/{case_id}/timeline?limit=3"
        while url:
            answer = await client.get(url)
            seen += answer.json()["items"]
            url = answer.links["next"]["url"] if "link" in answer.headers else None
        assert seen == lines
        assert "王小明" not in str(lines)
        assert "13812340001" not in str(lines)


async def test_notes_are_readable_to_those_who_see_the_case(portfolio):
    await portfolio.overdue()
    case_id, note_id = await portfolio.case_of(), uuid4()
    sealed = portfolio.deps.cipher.encrypt("notes", "text", str(note_id), "promised to call back")
    await portfolio.deps.pool.execute(
        "insert into notes (note_id, case_id, customer_id, text_enc, author, written_at)"
        " values ($1, $2, 'C-1', $3, $4, $5)",
        note_id,
        case_id,
        sealed,
        "li.na",
        portfolio.now,
    )
    async with portfolio.as_(Role.COLLECTOR) as client:
        (note,) = (await client.get(f"/v1/cases/{case_id}/notes")).json()["items"]
        assert (note["author"], note["text"]) == ("li.na", "promised to call back")
        assert (await client.get(f"/v1/cases/{case_id}/notes?author=zhao")).json()["items"] == []


async def test_the_explanation_names_the_step_due_and_the_steps_passed_over(portfolio):
    await portfolio.overdue()
    case_id = await portfolio.case_of()
    async with portfolio.as_(Role.COLLECTOR) as client:
        before = (await client.get(f"/v1/cases/{case_id}/next-action/explain")).json()
        assert before["next"]["due_now"] is True
        outcomes = {each["step"]: (each["outcome"], each["reason"]) for each in before["candidates"]}
        assert outcomes[before["next"]["step"]] == ("due_now", None)
        assert ("passed_over", "overtaken") in outcomes.values() or ("passed_over", "late") in outcomes.values()
        assert before["standing"]["past_due"] == {"CNY": 80_000}
        again = (await client.get(f"/v1/cases/{case_id}/next-action/explain")).json()
        assert again == before  # asking changes nothing
        await portfolio.plan()
        after = (await client.get(f"/v1/cases/{case_id}/next-action/explain")).json()
        recorded = {each["step"]: each["outcome"] for each in after["candidates"]}
        assert recorded[before["next"]["step"]] == "issued"
        assert "next" in recorded.values()
        assert after["next"]["due_now"] is False
        coming = (await client.get(f"/v1/follow-ups?case_id={case_id}&state=planned")).json()["items"]
        assert [each["step"] for each in coming] == [after["next"]["step"]]


async def test_the_explanation_asks_the_contact_rules(portfolio):
    await portfolio.overdue()
    case_id = await portfolio.case_of()
    async with portfolio.as_(Role.COLLECTOR) as client:
        path = f"/v1/cases/{case_id}/next-action/explain"
        daylight = (await client.get(path)).json()
        assert {each["channel"]: each["outcome"] for each in daylight["gate"]}["sms"] == "allow"
        await portfolio.move_to(portfolio.now.replace(hour=15))  # 23:00 in Shanghai
        night = (await client.get(path)).json()
        sms = next(each for each in night["gate"] if each["channel"] == "sms")
        assert sms["outcome"] == "defer"
        assert sms["earliest"] == sms["until"]
        assert sms["fired"][0]["citation"]
        await portfolio.deps.pool.execute(
            "insert into holds (hold_id, customer_id, kind, reason, placed_at, placed_by)"
            " values ($1, 'C-1', 'complaint', 'r', $2, 'x')",
            uuid4(),
            portfolio.now,
        )
        held = (await client.get(path)).json()
        assert [(each["kind"], each["stops_ladder"]) for each in held["holds"]] == [("complaint", True)]
        assert held["next"] is None
        assert "hold" in held["why_none"]
        rejected = next(each for each in held["candidates"] if each["outcome"] == "held" and each["kind"] == "message")
        by_sms = next(each for each in rejected["gate"] if each["channel"] == "sms")
        assert (by_sms["outcome"], by_sms["earliest"]) == ("forbid", None)
        assert by_sms["lift"]["complete"]
        assert [change["path"] for change in by_sms["lift"]["changes"]] == ["facts.holds"]


async def test_a_case_that_is_over_has_no_next_action(portfolio):
    await portfolio.overdue()
    await portfolio.pay(80_000)
    async with portfolio.as_(Role.COLLECTOR) as client:
        told = (await client.get(f"/v1/cases/{await portfolio.case_of()}/next-action/explain")).json()
    assert (told["state"], told["next"], told["why_none"]) == ("cured", None, "the case is cured")


async def test_follow_ups_are_listed_and_read(portfolio):
    await portfolio.overdue()
    await portfolio.plan()
    async with portfolio.as_(Role.COLLECTOR) as client:
        every = (await client.get("/v1/follow-ups?customer_id=C-1")).json()["items"]
        assert [each["due_at"] for each in every] == sorted(each["due_at"] for each in every)
        issued = (await client.get("/v1/follow-ups?state=issued&kind=message")).json()["items"]
        assert [each["state"] for each in issued] == ["issued"]
        one = await client.get(f"/v1/follow-ups/{issued[0]['follow_up_id']}")
        assert one.json() == issued[0]
        assert one.headers["etag"] == f'"{issued[0]["row_version"]}"'
        late = (await client.get("/v1/follow-ups", params={"due_from": portfolio.now.isoformat()})).json()["items"]
        assert {each["state"] for each in late} == {"planned"}
