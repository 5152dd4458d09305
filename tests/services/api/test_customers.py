"""Customers are masked to everybody; who sees them plain says why, and that is on record."""

import pytest

from shared.adapters.postgres.audit import verify_chain
from shared.application.principal import Role
from tests.services.api.portfolio import wang

REASON = "customer asked which number we have"


async def test_a_customer_is_masked_whoever_reads(portfolio):
    await portfolio.overdue()
    for role in (Role.COLLECTOR, Role.SUPERVISOR, Role.COMPLIANCE, Role.AUDITOR):
        async with portfolio.as_(role) as client:
            answer = await client.get("/v1/customers/C-1")
            assert answer.status_code == 200
            shown = answer.json()
            assert shown["name"] == "王**"
            assert [point["value"] for point in shown["contact_points"]] == ["+86138****0001", "c***@example.com"]
            assert shown["open_case_id"] == await portfolio.case_of()
            assert "13812340001" not in answer.text
            again = await client.get("/v1/customers/C-1", headers={"if-none-match": answer.headers["etag"]})
            assert again.status_code == 304


async def test_unmasking_shows_what_was_asked_for_and_goes_on_record(portfolio, owner):
    await portfolio.overdue()
    async with portfolio.as_(Role.COLLECTOR, subject="li.na") as client:
        answer = await client.post("/v1/customers/C-1/unmask", json={"fields": ["mobile"], "reason": REASON})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "name" not in answer.json()
    assert [point["value"] for point in answer.json()["contact_points"]] == ["+8613812340001"]
    row = await owner.fetchrow("select actor, action, subject, detail::text, at from audit")
    assert tuple(row)[:3] == ("li.na", "customer.unmasked", "customer/C-1")
    assert REASON in row["detail"]
    assert "138" not in row["detail"]
    assert row["at"] == portfolio.now
    assert await verify_chain(owner) is None


@pytest.mark.parametrize("role", [Role.AUDITOR, Role.OPERATIONS, Role.ADMIN, Role.CORE_BANKING])
async def test_not_every_reader_may_unmask(portfolio, owner, role):
    await portfolio.overdue()
    async with portfolio.as_(role) as client:
        answer = await client.post("/v1/customers/C-1/unmask", json={"fields": ["name"], "reason": REASON})
    assert answer.status_code == 403
    assert await owner.fetchval("select count(*) from audit") == 0


@pytest.mark.parametrize(
    "body",
    [
        {"fields": ["name"]},
        {"fields": [], "reason": REASON},
        {"fields": ["card"], "reason": REASON},
        {"fields": ["name"], "reason": "he called from 138 1234 0001"},
        {"fields": ["name"], "reason": "wrote from someone@example.com"},
        {"fields": ["name"], "reason": "    "},
        {"fields": ["name"], "reason": "\u200b\u200b\u200b ..."},
    ],
)
async def test_unmasking_takes_a_reason_without_personal_data(portfolio, owner, body):
    await portfolio.overdue()
    async with portfolio.as_(Role.SUPERVISOR) as client:
        answer = await client.post("/v1/customers/C-1/unmask", json=body)
    assert answer.status_code == 422
    assert "1234" not in answer.text
    assert await owner.fetchval("select count(*) from audit") == 0


async def test_a_collector_sees_own_team_and_unassigned_customers_only(portfolio):
    for number, (owner, team) in enumerate(
        [("li.na", None), (None, "south"), (None, None), ("zhao", "north"), (None, "north")], start=1
    ):
        await portfolio.overdue(f"C-{number}", f"A-{number}", customer=wang(f"C-{number}"))
        await portfolio.assign(await portfolio.case_of(f"C-{number}"), owner=owner, team=team)
    async with portfolio.as_(Role.COLLECTOR, subject="li.na", teams=["south"]) as client:
        seen = (await client.get("/v1/customers")).json()["items"]
        assert [each["customer_id"] for each in seen] == ["C-1", "C-2", "C-3"]
        assert {each["name"] for each in seen} == {"王**"}
        for path in ("/v1/customers/C-4", "/v1/accounts/A-4", "/v1/accounts/A-5/statement", "/v1/accounts/A-4/history"):
            assert (await client.get(path)).status_code == 404, path
        refused = await client.post("/v1/customers/C-4/unmask", json={"fields": ["name"], "reason": REASON})
        assert refused.status_code == 404
        found = await client.post("/v1/customers/search", json={"phone_last4": "0001"})
        assert [each["customer_id"] for each in found.json()["items"]] == ["C-1", "C-2", "C-3"]
    async with portfolio.as_(Role.COLLECTOR, Role.SUPERVISOR) as client:
        assert len((await client.get("/v1/customers")).json()["items"]) == 5


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"phone": "138 1234 0001"}, ["C-1"]),
        ({"phone": "+8613812340001"}, ["C-1"]),
        ({"phone_last4": "0002"}, ["C-2"]),
        ({"email": " C-2@Example.com"}, ["C-2"]),
        ({"name": "王小明"}, ["C-1", "C-2"]),
        ({"name": "王小明", "phone_last4": "0002"}, ["C-2"]),
        ({"name": "王小"}, []),
        ({"phone": "+8613912340001"}, []),
    ],
)
async def test_customers_are_found_by_whole_values_in_the_body(portfolio, body, found):
    await portfolio.overdue("C-1", "A-1")
    await portfolio.overdue("C-2", "A-2", customer=wang("C-2", mobile="13812340002"))
    async with portfolio.as_(Role.SUPERVISOR) as client:
        answer = await client.post("/v1/customers/search", json=body)
    assert answer.status_code == 200
    assert [each["customer_id"] for each in answer.json()["items"]] == found


async def test_what_can_not_be_searched_by_is_said_without_repeating_it(portfolio):
    async with portfolio.as_(Role.SUPERVISOR) as client:
        for body in ({"phone": "abcdefgh"}, {}, {"phone_last4": "12"}, {"phone": None}):
            answer = await client.post("/v1/customers/search", json=body)
            assert answer.status_code == 422, body
            assert "abcdefgh" not in answer.text
            assert "Value error" not in answer.text


async def test_customers_are_filtered_by_segment_bucket_and_open_case(portfolio):
    await portfolio.overdue("C-1", "A-1")
    await portfolio.overdue("C-2", "A-2", unpaid=0, customer=wang("C-2") | {"segment": "vip"})
    async with portfolio.as_(Role.SUPERVISOR) as client:
        for query, expected in [
            ("segment=vip", ["C-2"]),
            ("bucket=M1", ["C-1"]),
            ("has_open_case=false", ["C-2"]),
            ("has_open_case=true&segment=vip", []),
            ("limit=1", ["C-1"]),
        ]:
            answer = await client.get(f"/v1/customers?{query}")
            assert [each["customer_id"] for each in answer.json()["items"]] == expected, query
        assert answer.links["next"]["url"].startswith("/v1/customers?limit=1&cursor=")


async def test_ids_with_a_slash_are_reached_like_any_other(portfolio):
    async with portfolio.as_(Role.SUPERVISOR) as client:
        for sequence in (1, 2):
            await portfolio.overdue("C/1", "A/1 2", sequence=sequence)
        assert (await client.get("/v1/customers/C%2F1")).json()["customer_id"] == "C/1"
        assert (await client.get("/v1/customers/C%2f1/preferences")).status_code == 200
        assert (await client.get("/v1/customers/C/1")).status_code == 404
        assert (await client.get("/v1/accounts/A%2F1%202/statement")).status_code == 200
        page = await client.get("/v1/accounts/A%2F1%202/history", params={"limit": 1})
        assert page.links["next"]["url"].startswith("/v1/accounts/A%2F1%202/history?")
        rest = await client.get(page.links["next"]["url"])
        assert rest.json()["items"] != page.json()["items"]


async def test_a_number_without_a_country_is_a_local_one_and_found_as_such(portfolio):
    """Read as a mainland number it would be a stranger's, who would then be told of the debt."""
    await portfolio.overdue(customer=wang(mobile="9123 4567") | {"jurisdiction": "HK"})
    async with portfolio.as_(Role.COLLECTOR) as client:
        shown = await client.post("/v1/customers/C-1/unmask", json={"fields": ["mobile"], "reason": REASON})
        assert [point["value"] for point in shown.json()["contact_points"]] == ["+85291234567"]
        for typed in ("+852 9123 4567", "9123-4567"):
            found = await client.post("/v1/customers/search", json={"phone": typed})
            assert [each["customer_id"] for each in found.json()["items"]] == ["C-1"]
