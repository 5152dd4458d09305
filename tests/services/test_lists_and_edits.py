"""Lists go on where they ended, edits say what they are based on, and the document says so."""

import base64
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from services.api.errors import BadRequest
from services.api.paging import CursorSigner
from shared.application.principal import Role
from tests.services.framing import client_of, make_app

PUT = {"content-type": "application/json"}


@pytest.fixture
def app(tmp_path):
    return make_app(tmp_path)


@pytest.fixture
async def client(app):
    async with client_of(app[0], app[1].make_token(Role.COLLECTOR)) as client:
        yield client


async def test_following_the_links_gives_every_row_once(client):
    url, seen = "/v1/widgets?limit=2&name=%E5%90%8D+x", []
    while url:
        answer = await client.get(url)
        assert {item["name"] for item in answer.json()["items"]} == {"名 x"}
        seen += [item["id"] for item in answer.json()["items"]]
        assert (answer.json()["next"] is None) == ("link" not in answer.headers)
        url = answer.links["next"]["url"] if "link" in answer.headers else None
    assert seen == ["w0", "w1", "w2", "w3", "w4"]


async def test_a_cursor_is_good_for_its_own_list_and_filters_only(client):
    cursor = (await client.get("/v1/widgets?limit=2")).json()["next"]
    assert (await client.get("/v1/widgets", params={"cursor": cursor, "limit": 3})).status_code == 200
    forged = base64.urlsafe_b64encode(b"0" * 16 + b'[["",100]]').decode()
    for params in (
        {"cursor": cursor, "name": "z"},
        {"cursor": forged},
        {"cursor": "!"},
        {"cursor": ""},
        {"cursor": "é"},
    ):
        answer = await client.get("/v1/widgets", params=params)
        assert answer.status_code == 400, params
        assert answer.json()["type"].endswith("/bad-cursor")


def test_a_cursor_keeps_the_kind_of_its_values():
    signer = CursorSigner(b"k" * 32)
    values = (1, "x", None, True, datetime(2026, 1, 2, 3, tzinfo=UTC), date(2026, 1, 2), UUID(int=7))
    assert signer.read("s", signer.sign("s", values)) == values
    with pytest.raises(BadRequest):
        CursorSigner(b"j" * 32).read("s", signer.sign("s", values))


async def test_an_edit_without_its_version_or_with_an_old_one_is_refused(client):
    body = {"name": "x", "amount": 1}
    assert (await client.put("/v1/widgets/1", json=body)).status_code == 428
    for stale in ('"6"', 'W/"7"', '"6", "8"'):
        assert (await client.put("/v1/widgets/1", json=body, headers={"if-match": stale})).status_code == 412
    assert (await client.put("/v1/widgets/1", json=body, headers={"if-match": "7"})).status_code == 400
    for good in ('"7"', '"6", "7"', "*"):
        answer = await client.put("/v1/widgets/1", json=body, headers={"if-match": good})
        assert answer.status_code == 200
        assert answer.headers["etag"] == '"8"'


async def test_what_the_caller_has_already_is_not_sent_again(client):
    answer = await client.get("/v1/widgets/1")
    again = await client.get("/v1/widgets/1", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", '"7"')


async def test_health_is_open_and_readiness_asks_the_dependencies(app):
    async def broken():
        raise OSError

    async with client_of(app[0]) as client:
        assert (await client.get("/healthz")).json() == {"status": "alive"}
        app[0].state.deps.health.register("relay", broken)
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"status": "not ready", "checks": {"database": False, "relay": False}}


async def test_the_document_tells_roles_headers_and_problems(app):
    async with client_of(app[0]) as client:
        document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    create = document["paths"]["/v1/widgets"]["post"]
    assert create["operationId"] == "createWidget"
    assert create["security"] == [{"bearer": []}]
    assert create["x-roles"] == ["collector"]
    assert [p["name"] for p in create["parameters"] if p["required"]] == ["Idempotency-Key"]
    for status in ("400", "401", "403", "409", "413", "415", "422", "503"):
        content = create["responses"][status]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    edit = document["paths"]["/v1/widgets/{widget_id}"]["put"]
    assert "If-Match" in [p["name"] for p in edit["parameters"]]
    assert {"404", "412", "428"} <= edit["responses"].keys()
    alive = document["paths"]["/healthz"]["get"]
    assert "security" not in alive
    assert "401" not in alive["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    operations = [o["operationId"] for path in document["paths"].values() for o in path.values()]
    assert len(operations) == len(set(operations))
