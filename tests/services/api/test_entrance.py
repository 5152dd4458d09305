"""Who comes with nothing but the address finds the rest from there."""

import re
from base64 import b64encode
from hashlib import sha256
from html import unescape

import pytest

from services.api.app import create_app, openapi_document
from services.api.deps import make_deps
from services.api.settings import ApiSettings
from shared.adapters.postgres.pool import Pool
from tests.services.api.operations import operations
from tests.services.api.people import client_of


@pytest.fixture
async def client(tmp_path):
    deps = make_deps(ApiSettings(environment="development", home=tmp_path), Pool(None, 1))
    async with client_of(create_app(deps)) as client:
        yield client


async def test_the_entrance_says_what_this_is_and_where_the_rest_is(client):
    answer = await client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    told = answer.json()
    assert (told["name"], told["version"]) == ("Arrears", openapi_document()["info"]["version"])
    for name in ("openapi", "documentation", "alive"):
        assert (await client.get(told[name])).status_code == 200, name
    assert told["ready"] == "/readyz"
    assert all(operation.path.startswith(told["api"]) for operation in operations() if operation.roles)


async def test_both_are_as_strict_as_all_else(client):
    for path in ("/", "/docs"):
        refused = await client.get(f"{path}?page=2")
        assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
        assert (await client.post(path)).status_code == 405
    assert (await client.get("/documentation")).status_code == 404


async def test_the_document_can_be_read_in_a_browser_with_nothing_from_elsewhere(client):
    answer = await client.get("/docs")
    page = answer.text
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    for operation in operations():
        assert f'id="{operation.id}"' in page
        assert f"<code>{operation.path}</code>" in page
    linked = set(re.findall(r'(?:href|src)="([^"]*)"', page))
    named = set(re.findall(r'id="([^"]*)"', page))
    assert linked == {"openapi.json"} | {each for each in linked if each[0] == "#" and each[1:] in named}
    assert not re.search(r"<script|<link|<img|@import|url\(", page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    allowed = b64encode(sha256(style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{allowed}'" in answer.headers["content-security-policy"]
    assert '"specversion": "1.0"' in unescape(page)
