"""Messages: everything about them but the text, unless somebody says why; doubts are decided by people."""

from hashlib import sha256
from uuid import uuid4

import pytest

from shared.adapters.postgres.audit import verify_chain
from shared.application.principal import Role
from shared.domain.message import AttemptState
from tests.services.api.portfolio import wang

REASON = "customer disputes what was said"


@pytest.fixture
async def reminded(portfolio):
    """A portfolio with one reminder accepted by the provider."""
    await portfolio.overdue()
    await portfolio.plan()
    (marked,) = await portfolio.remind()
    return portfolio, marked


async def test_a_message_tells_its_decision_and_attempts_but_not_its_text(reminded):
    portfolio, marked = reminded
    async with portfolio.as_(Role.COLLECTOR) as client:
        answer = await client.get(f"/v1/messages/{marked.message.message_id}")
    message = answer.json()
    (attempt,) = message["attempts"]
    assert (message["state"], attempt["state"]) == ("done", "accepted")
    text = f"{marked.text.subject or ''}\n{marked.text.body}"
    assert attempt["text_sha256"] == sha256(text.encode()).hexdigest()
    assert message["decision"]["outcome"] == "allow"
    assert message["decision"]["rule_set"]
    assert marked.text.body not in answer.text
    assert marked.to not in answer.text


@pytest.mark.parametrize(("language", "words"), [("en-GB", "Card 1234"), ("en_US", "Card 1234"), ("fr", "尾号1234")])
async def test_a_customer_is_written_to_in_their_language_whatever_its_country(portfolio, language, words):
    await portfolio.overdue(customer=wang() | {"language": language})
    await portfolio.plan()
    (marked,) = await portfolio.remind()
    assert words in marked.text.body


async def test_messages_are_listed_by_customer_case_state_and_channel(reminded):
    portfolio, marked = reminded
    async with portfolio.as_(Role.OPERATIONS) as client:
        for query, count in [
            ("customer_id=C-1", 1),
            (f"case_id={await portfolio.case_of()}&state=done", 1),
            (f"channel={marked.channel}&purpose=dunning", 1),
            ("state=in_doubt", 0),
            ("created_to=2026-11-09T00:00:00Z", 0),
        ]:
            assert len((await client.get(f"/v1/messages?{query}")).json()["items"]) == count, query


async def test_reading_what_was_said_is_on_record(reminded, owner):
    portfolio, marked = reminded
    async with portfolio.as_(Role.COMPLIANCE, subject="compliance.chen") as client:
        answer = await client.post(f"/v1/messages/{marked.message.message_id}/unmask", json={"reason": REASON})
    (said,) = answer.json()["attempts"]
    assert said["body"] == marked.text.body
    row = await owner.fetchrow("select actor, action, subject from audit")
    assert tuple(row) == ("compliance.chen", "message.unmasked", f"message/{marked.message.message_id}")
    async with portfolio.as_(Role.OPERATIONS) as client:
        refused = await client.post(f"/v1/messages/{marked.message.message_id}/unmask", json={"reason": REASON})
        assert refused.status_code == 403
    assert await owner.fetchval("select count(*) from audit") == 1


async def test_another_teams_message_is_not_there(reminded):
    portfolio, marked = reminded
    await portfolio.assign(await portfolio.case_of(), team="north")
    async with portfolio.as_(Role.COLLECTOR, teams=["south"]) as client:
        assert (await client.get(f"/v1/messages/{marked.message.message_id}")).status_code == 404
        assert (await client.get("/v1/messages")).json()["items"] == []
        refused = await client.post(f"/v1/messages/{marked.message.message_id}/unmask", json={"reason": REASON})
        assert refused.status_code == 404


@pytest.mark.parametrize(
    ("outcome", "message", "attempt"), [("sent", "done", "accepted"), ("not_sent", "planned", "released")]
)
async def test_operations_decide_a_doubt_once(portfolio, owner, outcome, message, attempt):
    await portfolio.overdue()
    await portfolio.plan()
    (marked,) = await portfolio.remind(told=AttemptState.IN_DOUBT)
    path = f"/v1/messages/{marked.message.message_id}/resolve"
    body = {"outcome": outcome, "reason": "asked the provider"}
    async with portfolio.as_(Role.SUPERVISOR) as client:
        assert (await client.post(path, json=body)).status_code == 403
    async with portfolio.as_(Role.OPERATIONS, subject="ops.sun") as client:
        decided = await client.post(path, json=body)
        assert decided.status_code == 200
        assert decided.json()["state"] == message
        assert decided.json()["attempts"][0]["state"] == attempt
        assert (await client.post(path, json=body)).status_code == 409
        assert (await client.post(f"/v1/messages/{uuid4()}/resolve", json=body)).status_code == 404
    rows = await owner.fetch("select actor, action from audit")
    assert [tuple(row) for row in rows] == [("ops.sun", "message.doubt_decided")]
    assert await verify_chain(owner) is None
