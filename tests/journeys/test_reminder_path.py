"""From a report of core banking to the customer's phone and back, as the customers and the bank's people see it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from tests.journeys.stories import Customer, Stories, told

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120), pytest.mark.xdist_group("reminders")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stories(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stories]:
    async with told(tmp_path_factory.mktemp("suite")) as stories:
        yield stories


async def test_a_reminder_goes_out_when_it_is_due_and_a_payment_ends_it(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer()
    due = evening.date() - timedelta(days=3)
    assert await customer.owes((due, 120_000)) == "accepted"
    assert await customer.cases() == [], "three days of grace"
    await stories.days(1)
    (case,) = await customer.cases()
    assert case["state"] == "open"
    ((channel, at, text),) = await customer.reads()
    assert (channel, at) == ("sms", f"{evening + timedelta(days=1):%m-%d} 10:00")
    assert "1,200.00" in text
    await stories.days(2)
    assert await customer.pays(120_000) == "accepted"
    assert [case["state"] for case in await customer.cases()] == ["cured"]
    *_, (channel, _, thanks) = await customer.reads()
    assert (channel, "1,200.00" in thanks) == ("sms", False)
    read = await customer.reads()
    await stories.days(30)
    assert await customer.reads() == read, "silence"
    assert await customer.follow_ups("planned") == []


async def test_who_pays_a_part_is_reminded_of_the_rest(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer()
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.days(1)
    await customer.pays(70_000)
    await stories.days(4)
    first, second = await customer.reads()
    assert "1,200.00" in first[2]
    assert "500.00" in second[2]
    assert "1,200.00" not in second[2]


async def test_a_late_report_brings_the_newest_step_only_and_in_the_morning(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer()
    await stories.until(evening + timedelta(hours=8))
    await customer.owes((evening.date() - timedelta(days=33), 90_000))
    assert await customer.reads() == [], "it is two in the night"
    (waiting,) = await customer.messages()
    assert (waiting["state"], waiting["step"]) == ("deferred", "m2-sms")
    await stories.until(evening + timedelta(hours=14, minutes=1))
    ((channel, at, _),) = await customer.reads()
    assert (channel, at) == ("sms", f"{evening + timedelta(days=1):%m-%d} 08:00")
    passed = {each["step"] for each in await customer.follow_ups("passed_over")}
    assert {"m1-first-sms", "m1-second-sms", "m1-details-email", "m1-late-sms"} <= passed


async def test_a_number_that_does_not_exist_makes_the_reminder_a_mail_and_is_not_tried_again(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer(mobile_ends="0001")
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.days(5)
    read = await customer.reads()
    assert [channel for channel, _, _ in read] == ["email", "email"]
    assert read[0][1].endswith("10:00"), "at once, not a step later"
    tries = [message["tries"] for message in await customer.messages()]
    assert tries == [2, 1], "the second one went straight to the mailbox"


async def test_a_phone_that_is_not_reached_makes_the_reminder_a_mail_when_the_receipt_comes(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer(mobile_ends="0003")
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.until(evening + timedelta(hours=16, minutes=1))
    read = await eventually(customer, 2)
    await stories.quiet()
    assert [channel for channel, _, _ in read] == ["sms", "email"]
    (message,) = await customer.messages()
    assert (message["channel"], message["state"]) == ("email", "done")


async def test_who_can_be_reached_by_no_means_is_not_reminded_and_somebody_sees_why(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer(mobile_ends="0001", email=False)
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.days(1)
    assert await customer.reads() == []
    (message,) = await customer.messages()
    assert (message["state"], message["reason"], message["tries"]) == ("suppressed", "no usable contact point", 1)
    await stories.days(4)
    _, second = await customer.messages()
    assert (second["state"], second["reason"], second["tries"]) == ("suppressed", "no usable contact point", 0)


async def test_a_payment_that_bounces_opens_the_case_again_and_the_ladder_goes_on(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer()
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.days(1)
    (case,) = await customer.cases()
    await customer.pays(120_000)
    assert (await customer.cases())[0]["state"] == "cured"
    await stories.days(1)
    assert await customer.payment_bounces(120_000) == "accepted"
    (again,) = await customer.cases()
    assert (again["case_id"], again["state"]) == (case["case_id"], "open")
    told = [line["what"] for line in await timeline(stories, case["case_id"])]
    assert "case.reopened" in told
    before = len(await customer.reads())
    await stories.days(7)
    after = (await customer.reads())[before:]
    assert after, "they owe it still"
    assert all("1,200.00" in text for _, _, text in after)


async def test_two_customers_who_turn_out_to_be_one_get_one_message(stories: Stories) -> None:
    evening = await stories.begin()
    left, right = stories.customer(), stories.customer()
    due = evening.date() - timedelta(days=3)
    await left.owes((due, 120_000))
    await right.owes((due, 50_000))
    await stories.days(1)
    assert (len(await left.reads()), len(await right.reads())) == (1, 1)
    assert await left.is_really(right) == "accepted"
    assert [case["state"] for case in await left.cases() if case["state"] == "open"] == []
    await stories.days(3)
    assert len(await left.reads()) == 1
    _, (_, _, text) = await right.reads()
    assert "1,700.00" in text, "both accounts in one message"


async def test_a_complaint_stops_reminders_at_once_and_its_end_lets_them_go_on(stories: Stories) -> None:
    evening = await stories.begin()
    customer = stories.customer()
    await customer.owes((evening.date() - timedelta(days=3), 120_000))
    await stories.days(1)
    said = len(await customer.reads())
    body = {"customer_id": customer.id, "category": "contact_times", "channel": "phone", "text": "Too early."}
    complaint = (await stories.create("/v1/complaints", body))["complaint_id"]
    await stories.days(5)
    assert len(await customer.reads()) == said, "day 7 came, its reminder did not"
    await stories.change(f"/v1/complaints/{complaint}/acknowledge")
    await stories.change(f"/v1/complaints/{complaint}/respond", {"response": "We are sorry."})
    await stories.change(f"/v1/complaints/{complaint}/resolve", {"outcome": "upheld"})
    await stories.days(15)
    reminders = [message for message in await customer.messages() if message["purpose"] == "dunning"]
    assert [message["state"] for message in reminders][-1] == "done"
    assert len(reminders) > 1


async def timeline(stories: Stories, case_id: str) -> list[dict[str, Any]]:
    return list((await stories.read(f"/v1/cases/{case_id}/timeline", limit="200"))["items"])


async def eventually(customer: Customer, entries: int) -> list[tuple[str, str, str]]:
    """Receipts take their own real time."""
    async with asyncio.timeout(20):
        while len(read := await customer.reads()) < entries:
            await asyncio.sleep(0.05)
    return read
