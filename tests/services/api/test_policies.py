"""What decides and what is said can be read, and tried out, by everybody who works with it."""

import pytest

from shared.application.principal import Role


@pytest.fixture
async def client(portfolio):
    async with portfolio.as_(Role.COLLECTOR) as client:
        yield client


async def test_the_policy_in_force_is_readable_with_its_document(client):
    (listed,) = (await client.get("/v1/policies?state=active")).json()["items"]
    active = await client.get("/v1/policies/active")
    assert active.json()["version"] == listed["version"]
    assert active.json()["document"]["ladders"]
    assert (await client.get(f"/v1/policies/{listed['version']}")).json() == active.json()
    for path, status in [("99", 404), ("0", 422), (str(2**63), 422)]:
        assert (await client.get(f"/v1/policies/{path}")).status_code == status, path
    again = await client.get("/v1/policies/active", headers={"if-none-match": active.headers["etag"]})
    assert again.status_code == 304


async def test_templates_are_listed_and_read(client):
    items, url = [], "/v1/templates?limit=7"
    while url:
        answer = await client.get(url)
        items += answer.json()["items"]
        url = answer.links["next"]["url"] if "link" in answer.headers else None
    keys = [(each["key"], each["language"], each["channel"]) for each in items]
    assert len(keys) == len(set(keys)) > 7
    texts = (await client.get("/v1/templates/overdue-first?channel=sms")).json()["items"]
    assert {each["language"] for each in texts} == {"zh-CN", "en"}
    assert (await client.get("/v1/templates/none")).status_code == 404


async def test_a_preview_shows_text_and_mail_with_sample_values(client):
    body = {"language": "zh-CN", "channel": "sms", "variables": {"past_due": "¥800.00"}}
    sms = (await client.post("/v1/templates/overdue-first/preview", json=body)).json()
    assert "¥800.00" in sms["body"]
    assert sms["body"].startswith("【示范银行】")
    assert 0 < sms["sms_units"] <= 70
    assert sms["subject"] is None
    mail = (await client.post("/v1/templates/overdue-first/preview", json=body | {"channel": "email"})).json()
    assert mail["subject"]
    assert mail["body"] != sms["body"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"language": "fr", "channel": "sms"}, 404),
        ({"language": "zh-CN", "channel": "sms", "version": 9}, 404),
        ({"language": "zh-CN", "channel": "sms", "variables": {"salary": "1"}}, 422),
        ({"language": "zh-CN", "channel": "fax"}, 422),
        ({"language": "zh-CN", "channel": "sms", "variables": {"name": 7}}, 422),
    ],
)
async def test_what_can_not_be_previewed_is_said(client, body, status):
    assert (await client.post("/v1/templates/overdue-first/preview", json=body)).status_code == status
