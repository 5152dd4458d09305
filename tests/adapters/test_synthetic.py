"""The made-up portfolio is a feed that we could get: readable, in order, agreeing with itself, and always the same."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from itertools import islice
from typing import Any

import phonenumbers
import pytest

from shared.adapters.synthetic import portfolio
from shared.application.facts import InboundEvent, read_event
from shared.domain.inbound import FACT_TYPES

START = date(2026, 4, 1)
AFTER = datetime(2026, 10, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    return list(portfolio(1500, 6, 3, START))


@pytest.fixture(scope="module")
def events(lines: list[bytes]) -> list[Any]:
    return [json.loads(line) for line in lines]


def test_every_line_is_an_event_that_intake_reads(lines: list[bytes]) -> None:
    assert [line for line in lines if not isinstance(read_event(line, AFTER), InboundEvent)] == []


def test_the_same_seed_gives_the_same_bytes_and_another_one_others() -> None:
    assert list(portfolio(50, 3, 1, START)) == list(portfolio(50, 3, 1, START))
    assert list(portfolio(50, 3, 1, START)) != list(portfolio(50, 3, 2, START))


def test_a_customer_does_as_they_do_whoever_else_is_there() -> None:
    few = list(portfolio(10, 6, 1, START))
    assert [line for line in portfolio(40, 6, 1, START) if line in few] == few


def test_events_come_in_the_order_of_time_and_each_once(events: list[Any]) -> None:
    times = [event["time"] for event in events]
    assert times == sorted(times)
    assert len({event["id"] for event in events}) == len(events)
    assert {time[:7] for time in times} == {f"2026-{month:02d}" for month in range(4, 10)}


def test_all_that_core_banking_can_tell_is_told(events: list[Any]) -> None:
    kinds = Counter(event["type"] for event in events)
    assert set(kinds) == set(FACT_TYPES)
    assert 8 <= len(events) / 1500 <= 11
    assert {event["data"].get("currency") for event in events} >= {"CNY", "USD", "HKD", "JPY"}
    kinds_of_points = Counter(
        tuple(point["kind"] for point in event["data"]["customer"]["contact_points"])
        for event in events
        if event["data"].get("customer")
    )
    assert kinds_of_points[("mobile", "address")] > 100  # nobody can mail them
    reasons = {event["data"]["reason"] for event in events if event["type"] == "account.closed.v1"}
    assert reasons == {"paid", "sold", "fraud"}


def test_a_report_shows_what_the_payments_before_it_left(events: list[Any]) -> None:
    """Between two reports of an account, a due loses what was paid, oldest first, and nothing else."""
    before: dict[tuple[str, str], dict[str, int]] = {}
    paid: Counter[tuple[str, str]] = Counter()
    for event in events:
        data = event["data"]
        key = (data.get("account_id"), data.get("currency"))
        if event["type"] == "payment.posted.v1":
            paid[key] += data["amount"]
        elif event["type"] == "payment.reversed.v1":
            paid[key] -= data["amount"]
        elif event["type"] == "delinquency.reported.v1":
            dues = {due["due_date"]: due["unpaid"] for due in data["dues"]}
            if key in before:
                owed = sum(before[key].values())
                still = sum(unpaid for day, unpaid in dues.items() if day in before[key])
                assert still == max(0, owed - paid[key])
            before[key], paid[key] = dues, Counter[tuple[str, str]]()[key]


def test_nobody_real_can_be_reached(events: list[Any]) -> None:
    points = [
        point
        for event in events
        if event["data"].get("customer")
        for point in event["data"]["customer"]["contact_points"]
    ]
    assert {point["value"].split("@")[1] for point in points if point["kind"] == "email"} == {"example.com"}
    numbers = [phonenumbers.parse(point["value"]) for point in points if point["kind"] == "mobile"]
    assert not any(phonenumbers.is_valid_number(number) for number in islice(numbers, 500))
