"""Accounts as they stand, what is owed, and what was reported when; payments beside them."""

from datetime import date, timedelta

import pytest

from shared.application.principal import Role


@pytest.fixture
async def client(portfolio):
    async with portfolio.as_(Role.SUPERVISOR) as client:
        yield client


async def test_an_account_stands_as_reported_less_what_was_paid_since(portfolio, client):
    await portfolio.overdue()
    await portfolio.pay(30_000)
    answer = await client.get("/v1/accounts/A-1")
    account = answer.json()
    assert (account["account_id"], account["customer_id"]) == ("A-1", "C-1")
    (cny,) = account["currencies"]
    assert (cny["bucket"], cny["days_past_due"], cny["past_due"], cny["estimated"]) == ("M1", 8, 50_000, True)
    assert cny["dues"] == [{"due_date": "2026-11-01", "minimum_due": 100_000, "unpaid": 50_000}]
    assert cny["balances"]["principal"] == 1_200_000
    tag = answer.headers["etag"]
    assert (await client.get("/v1/accounts/A-1", headers={"if-none-match": tag})).status_code == 304
    await portfolio.move_to(portfolio.now + timedelta(days=1))
    tomorrow = await client.get("/v1/accounts/A-1", headers={"if-none-match": tag})
    assert tomorrow.status_code == 200  # a day older is another answer
    assert tomorrow.json()["currencies"][0]["days_past_due"] == 9


async def test_a_dual_currency_card_is_one_account_with_two_currencies(portfolio, client):
    await portfolio.overdue()
    await portfolio.overdue(currency="USD", unpaid=5_000)
    account = (await client.get("/v1/accounts/A-1")).json()
    assert [(each["currency"], each["past_due"]) for each in account["currencies"]] == [("CNY", 80_000), ("USD", 5_000)]
    statement = (await client.get("/v1/accounts/A-1/statement")).json()
    assert [each["currency"] for each in statement["currencies"]] == ["CNY", "USD"]
    assert len((await client.get("/v1/accounts/A-1/statement?currency=USD")).json()["currencies"]) == 1
    assert (await client.get("/v1/accounts/A-1/statement?currency=EUR")).status_code == 404


async def test_the_statement_says_what_is_owed_and_what_brings_it_current(portfolio, client):
    await portfolio.overdue()
    await portfolio.pay(30_000)
    (line,) = (await client.get("/v1/accounts/A-1/statement")).json()["currencies"]
    assert line["to_bring_current"] == line["past_due"] == 50_000
    assert sum(line["owed"].values()) == sum(line["reported"].values()) - 30_000
    assert (line["days_past_due"], line["bucket"], line["estimated"]) == (8, "M1", True)


async def test_the_history_keeps_every_report_and_every_bucket(portfolio, client):
    await portfolio.overdue(sequence=5)
    assert await portfolio.overdue(sequence=4) == "stale"
    await portfolio.overdue(sequence=6, unpaid=0)
    entries = (await client.get("/v1/accounts/A-1/history")).json()["items"]
    assert {(e["number"], e["stale"]) for e in entries if e["kind"] == "snapshot"} == {
        (4, True),
        (5, False),
        (6, False),
    }
    assert [(e["previous"], e["bucket"]) for e in entries if e["kind"] == "bucket"] == [("M1", "M0"), ("M0", "M1")]
    seen, url = [], "/v1/accounts/A-1/history?limit=2"
    while url:
        answer = await client.get(url)
        seen += answer.json()["items"]
        url = answer.links["next"]["url"] if "link" in answer.headers else None
    assert seen == entries


async def test_accounts_are_listed_by_what_a_person_would_ask_for(portfolio, client):
    await portfolio.overdue("C-1", "A-1")
    await portfolio.overdue("C-1", "A-2", unpaid=0, card_last4="9999")
    await portfolio.overdue("C-2", "B-1", due=date(2026, 8, 1))
    for query, expected in [
        ("customer_id=C-1", ["A-1", "A-2"]),
        ("bucket=M1", ["A-1"]),
        ("past_due=true", ["A-1", "B-1"]),
        ("status=closed", []),
    ]:
        answer = await client.get(f"/v1/accounts?{query}")
        assert [each["account_id"] for each in answer.json()["items"]] == expected, query
    found = await client.post("/v1/accounts/search", json={"card_last4": "9999"})
    assert [each["account_id"] for each in found.json()["items"]] == ["A-2"]


async def test_payments_are_listed_matched_or_not_and_read_with_their_reversals(portfolio, client):
    await portfolio.overdue()
    await portfolio.pay(30_000)
    assert await portfolio.pay(500, "A-unknown", payment_id="P-2") == "unmatched"
    reversal = {
        "reversal_id": "R-1",
        "payment_id": "P-1",
        "account_id": "A-1",
        "amount": 10_000,
        "currency": "CNY",
        "reason": "bounced",
        "reversed_at": portfolio.now.isoformat(),
    }
    await portfolio.tell("payment.reversed.v1", reversal)
    payment = (await client.get("/v1/payments/P-1")).json()
    assert (payment["effective_amount"], payment["reversals"][0]["reversal_id"]) == (20_000, "R-1")
    for query, expected in [
        ("matched=false", ["P-2"]),
        ("account_id=A-1", ["P-1"]),
        ("customer_id=C-1&reversed=true", ["P-1"]),
        ("value_from=2026-11-13", []),
        ("posted_from=2026-11-09T00:00:00Z", ["P-2", "P-1"]),
    ]:
        answer = await client.get(f"/v1/payments?{query}")
        assert sorted(each["payment_id"] for each in answer.json()["items"]) == sorted(expected), query
    async with portfolio.as_(Role.COLLECTOR) as collector:
        assert (await collector.get("/v1/payments?matched=false")).json()["items"] == []
    await portfolio.pay(1, "A-1", source="/other")
    assert (await client.get("/v1/payments/P-1")).status_code == 409
    assert (await client.get("/v1/payments/P-1?source=/other")).json()["amount"] == 1


async def test_odd_ids_and_dates_are_answered_by_problems(client):
    for path in (
        "/v1/accounts/%00",
        "/v1/customers/%00",
        "/v1/payments?posted_from=0001-01-01T00:00:00%2B14:00",
        "/v1/payments?posted_from=2026-11-12T00:00:00",
        "/v1/payments?account_id=%00",
        "/v1/accounts?limit=0",
    ):
        assert (await client.get(path)).status_code in (400, 422), path
    for path in ("/v1/accounts/none", "/v1/accounts/%E8%B4%A6%20x/statement", "/v1/payments/none"):
        assert (await client.get(path)).status_code == 404, path


async def test_the_longest_ids_are_paged_too(portfolio, client):
    for number in (1, 2):
        await portfolio.pay(500, "A-unknown", payment_id=str(number) + "付" * 199, source="源" * 200)
    page = await client.get("/v1/payments", params={"limit": 1})
    rest = await client.get(page.links["next"]["url"])
    assert rest.status_code == 200, rest.text
    assert [each["payment_id"][0] for each in (*page.json()["items"], *rest.json()["items"])] == ["2", "1"]
