"""The statement over HTTP: today, a day to come, a past day as it was and as we knew it; disputes; bad questions."""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from urllib.parse import quote

import pytest
from pypdf import PdfReader

from shared.application.principal import Role
from shared.domain.money import decimal_text

URL = "/v1/accounts/A-1/statement"


@pytest.fixture
async def client(portfolio):
    await portfolio.overdue()
    async with portfolio.as_(Role.SUPERVISOR) as client:
        yield client


async def line(client, **query):
    answer = await client.get(URL, params={name: str(value) for name, value in query.items()})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["currencies"]
    return found


async def back_dated(portfolio, amount, days, payment_id="P-late"):
    """A payment that is posted now and counts for a day so long ago."""
    payment = {
        "payment_id": payment_id,
        "account_id": "A-1",
        "amount": amount,
        "currency": "CNY",
        "value_date": (portfolio.now - timedelta(days=days)).date().isoformat(),
        "posted_at": portfolio.now.isoformat(),
        "channel": "branch",
    }
    assert await portfolio.tell("payment.posted.v1", payment) == "accepted"


async def test_every_step_is_told_and_the_changes_sum_to_what_is_owed(portfolio, client):
    await portfolio.pay(30_000)
    found = await line(client)
    assert [(each["kind"], each["change"]) for each in found["entries"]] == [
        ("snapshot", 1_205_200),
        ("payment", -30_000),
    ]
    assert sum(each["change"] for each in found["entries"]) == sum(found["owed"].values())
    assert (await line(client, entries="false"))["entries"] is None


async def test_asked_about_today_it_is_the_plain_statement(portfolio, client):
    await portfolio.pay(30_000)
    assert await line(client, on="2026-11-09") == await line(client)
    assert await line(client, known_at=portfolio.now.isoformat()) == await line(client)


async def test_a_later_day_says_what_is_due_by_then(portfolio, client):
    dues = [
        {"due_date": "2026-11-01", "minimum_due": 100_000, "unpaid": 80_000},
        {"due_date": "2026-12-01", "minimum_due": 90_000, "unpaid": 90_000},
    ]
    await portfolio.overdue(dues=dues)
    assert (await line(client))["to_bring_current"] == 80_000
    later = await line(client, on="2026-12-01")
    assert (later["to_bring_current"], later["days_past_due"], later["bucket"]) == (170_000, 30, "M1")


async def test_what_comes_late_is_in_the_past_as_it_was_and_never_in_what_we_knew(portfolio, client):
    knew_at = portfolio.now.isoformat()
    await portfolio.move_to(portfolio.now + timedelta(days=1))
    knew = await line(client, known_at=knew_at)
    await portfolio.move_to(portfolio.now + timedelta(days=4))
    await back_dated(portfolio, 80_000, days=5)
    as_it_was = await line(client, on="2026-11-09")
    assert (as_it_was["past_due"], as_it_was["days_past_due"]) == (0, 0)
    assert await line(client, known_at=knew_at) == knew
    assert (knew["past_due"], knew["days_past_due"]) == (80_000, 8)
    await portfolio.overdue(unpaid=0)
    await portfolio.tell("account.closed.v1", {"account_id": "A-1", "currency": "CNY", "sequence": 9, "reason": "paid"})
    assert await line(client, known_at=knew_at) == knew


async def test_a_reversal_that_waited_in_vain_stays_in_what_we_knew(portfolio, client):
    reversal = {
        "reversal_id": "R-1",
        "payment_id": "P-1",
        "account_id": "A-1",
        "amount": 99_000,
        "currency": "CNY",
        "reason": "bounced",
        "reversed_at": portfolio.now.isoformat(),
    }
    assert await portfolio.tell("payment.reversed.v1", reversal) == "unmatched"
    knew_at = portfolio.now.isoformat()
    knew = await line(client)
    assert [(each["kind"], each["counts"]) for each in knew["entries"]] == [("snapshot", True), ("reversal", False)]
    await portfolio.move_to(portfolio.now + timedelta(days=1))
    await portfolio.pay(30_000)  # less than would be taken back
    assert [each["kind"] for each in (await line(client))["entries"]] == ["snapshot", "payment"]
    assert await line(client, known_at=knew_at) == knew


async def test_a_closed_account_is_current_until_a_newer_report_opens_it(portfolio, client):
    closed_at = portfolio.now + timedelta(days=1)
    await portfolio.move_to(closed_at)
    closing = {"account_id": "A-1", "currency": "CNY", "sequence": 1, "reason": "paid"}
    assert await portfolio.tell("account.closed.v1", closing) == "accepted"
    assert (await line(client))["bucket"] == "M0"
    await portfolio.move_to(closed_at + timedelta(days=1))
    await portfolio.overdue()
    for known_at, bucket in (
        (closed_at - timedelta(hours=1), "M1"),
        (closed_at, "M0"),
        (portfolio.now, "M1"),
    ):
        assert (await line(client, known_at=known_at.isoformat()))["bucket"] == bucket, known_at


async def test_nothing_is_asked_of_what_is_disputed_while_it_is(portfolio, client):
    hold = {
        "customer_id": "C-1",
        "account_id": "A-1",
        "kind": "dispute",
        "reason": "amount",
        "disputed": {"currency": "CNY", "component": "principal", "amount": 1_180_000},
    }
    placed = await client.post("/v1/holds", json=hold, headers={"idempotency-key": "d-1"})
    assert placed.status_code == 201, placed.text
    assert placed.json()["disputed"] == hold["disputed"]
    found = await line(client)
    assert (found["disputed"]["principal"], found["payable"]) == (1_180_000, 25_200)
    assert (found["due"], found["to_bring_current"]) == (80_000, 25_200)
    path = placed.headers["location"]
    tag = (await client.get(path)).headers["etag"]
    await portfolio.move_to(portfolio.now + timedelta(days=1))
    headers = {"if-match": tag, "idempotency-key": "d-2"}
    released = await client.post(path + "/release", json={"reason": "settled"}, headers=headers)
    assert released.status_code == 200, released.text
    assert ((await line(client))["to_bring_current"], (await line(client))["entries"][-1]["kind"]) == (
        80_000,
        "dispute_end",
    )
    assert (await line(client, on="2026-11-09"))["to_bring_current"] == 25_200


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"kind": "hardship"}, "/disputed"),
        ({"account_id": None}, "/disputed"),
        ({"disputed": {"currency": "USD", "component": "fees", "amount": 1}}, "/disputed/currency"),
        ({"disputed": {"currency": "CNY", "component": "fees", "amount": 0}}, "/disputed/amount"),
        ({"disputed": {"currency": "CNY", "component": "tips", "amount": 1}}, "/disputed/component"),
    ],
)
async def test_a_dispute_of_what_can_not_be_disputed_is_refused(client, change, pointer):
    hold = {
        "customer_id": "C-1",
        "account_id": "A-1",
        "kind": "dispute",
        "reason": "amount",
        "disputed": {"currency": "CNY", "component": "fees", "amount": 5},
    }
    answer = await client.post("/v1/holds", json=hold | change, headers={"idempotency-key": "d-1"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("on=9999-12-31", 422, "on"),
        ("on=0001-01-01", 422, "on"),
        ("on=2026-02-30", 422, "on"),
        ("on=1762646400", 422, "on"),
        ("on=2028-01-01", 422, "on"),
        ("known_at=" + quote("2026-11-10T00:00:00+08:00"), 422, "known_at"),
        ("known_at=2026-11-09", 422, "known_at"),
        ("known_at=" + quote("0001-01-01T00:00:00+14:00"), 422, "known_at"),
        ("currency=yuan", 422, "currency"),
        ("on=1999-01-01", 404, None),
        ("known_at=" + quote("2020-01-01T00:00:00+08:00"), 404, None),
        ("currency=EUR", 404, None),
    ],
)
async def test_a_question_that_makes_no_sense_is_answered_by_a_problem(client, query, status, said):
    answer = await client.get(f"{URL}?{query}")
    assert answer.status_code == status, answer.text
    if said is not None:
        (error,) = answer.json()["errors"]
        assert (error["in"], error["pointer"]) == ("query", said)


async def test_the_statement_of_a_stranger_is_none(portfolio, client):
    await portfolio.assign(await portfolio.case_of(), owner="somebody.else")
    async with portfolio.as_(Role.COLLECTOR, subject="li.na") as collector:
        assert (await collector.get(URL)).status_code == 404


async def test_what_is_owed_is_the_same_as_the_account_says(portfolio, client):
    await portfolio.pay(30_000)
    (account,) = (await client.get("/v1/accounts/A-1")).json()["currencies"]
    found = await line(client)
    same = ("past_due", "oldest_due", "days_past_due", "bucket", "dues", "estimated", "sequence")
    assert {name: found[name] for name in same} == {name: account[name] for name in same}
    assert datetime.fromisoformat(found["as_of"]) == portfolio.now


def read_pdf(content: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(BytesIO(content)).pages)


@pytest.mark.parametrize(("language", "heading"), [("zh-CN", "账户欠款明细"), ("en", "Statement of what is owed")])
async def test_the_document_shows_the_figures_of_the_statement(portfolio, client, language, heading):
    await portfolio.pay(30_001)
    await portfolio.overdue(currency="JPY", unpaid=5_000)
    stated = (await client.get(URL)).json()["currencies"]
    answer = await client.get(f"{URL}.pdf", params={"language": language})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    text = read_pdf(answer.content)
    assert heading in text
    for found in stated:
        shown = [*found["owed"].values(), sum(found["owed"].values()), found["to_bring_current"]]
        shown += [amount for due in found["dues"] for amount in (due["minimum_due"], due["unpaid"])]
        shown += [amount for entry in found["entries"] for amount in (entry["change"], entry["owed"])]
        for amount in shown:
            assert decimal_text(amount, found["currency"], ",") in text, amount
        assert {due["due_date"] for due in found["dues"]} <= set(text.split())
    assert "王小明" not in text
    assert "1234" in text


async def test_the_same_figures_give_the_same_bytes_and_every_document_is_on_the_audit_trail(portfolio, client):
    first, again = await client.get(f"{URL}.pdf"), await client.get(f"{URL}.pdf")
    assert first.content == again.content
    not_again = await client.get(f"{URL}.pdf", headers={"if-none-match": first.headers["etag"]})
    assert not_again.status_code == 304
    rows = await portfolio.deps.pool.fetch(
        "select subject, detail->>'sha256' from audit where action = 'statement.document_made'"
    )
    assert [tuple(row) for row in rows] == [("account/A-1", sha256(first.content).hexdigest())] * 3
    assert "账户欠款明细" in read_pdf(first.content)  # the customer's own language


async def test_a_long_history_goes_on_over_pages_and_odd_names_are_shown_as_far_as_they_can(portfolio, client):
    for number in range(60):
        await portfolio.pay(100 + number, payment_id=f"P-{number}")
    content = (await client.get(f"{URL}.pdf?language=en")).content
    pages = PdfReader(BytesIO(content)).pages
    assert len(pages) > 1
    text = read_pdf(content)
    assert all(f"-1.{number:02d}" in text for number in range(60))
    short = (await client.get(f"{URL}.pdf?language=en&entries=false")).content
    assert len(PdfReader(BytesIO(short)).pages) == 1
    assert (await client.get(f"{URL}.pdf?language=fr")).status_code == 422
    assert (await client.get("/v1/accounts/none/statement.pdf")).status_code == 404
