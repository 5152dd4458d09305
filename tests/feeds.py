"""Feeds for whole-suite tests. Small ones: few instants, many customers, so that a lot is in flight at once. A whole
one: half a year of a real card issuer's portfolio."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from services.demo import Instant
from shared.adapters.synthetic import portfolio

CHINA = timezone(timedelta(hours=8))
SOURCE = "/banks/test/core"
TOOL = Path(__file__).parents[2] / "shared/tools/card_clients_to_events.py"
"""Beside the repository, where the real portfolio is; elsewhere a made-up one stands in."""


def event(kind: str, key: str, at: datetime, data: dict[str, Any]) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": sha256(f"{kind}|{key}".encode()).hexdigest()[:32],
            "source": SOURCE,
            "type": kind,
            "time": at.isoformat(),
            "data": data,
        }
    )


def customer(number: int, version: int) -> dict[str, Any]:
    points = [{"kind": "mobile", "value": f"+86138{number:05d}777", "source": "contract"}]
    if number % 3:
        points.append({"kind": "email", "value": f"client{number}@example.com", "source": "contract"})
    return {
        "version": version,
        "name": f"王{number}",
        "language": "zh-CN",
        "time_zone": "Asia/Shanghai",
        "jurisdiction": "CN",
        "segment": "standard",
        "contact_points": points,
    }


def report(number: int, at: datetime, dues: list[tuple[date, int]], sequence: int) -> bytes:
    data = {
        "account_id": f"A{number}",
        "customer_id": f"C{number}",
        "cutoff_at": at.isoformat(),
        "sequence": sequence,
        "currency": "CNY",
        "product": "credit-card",
        "card_last4": f"{number % 10000:04d}",
        "credit_limit": 5_000_000,
        "balances": {"principal": 1_000_000, "interest": 1000, "fees": 0, "penalty": 500},
        "dues": [{"due_date": day.isoformat(), "minimum_due": owed, "unpaid": owed} for day, owed in dues],
        "customer": customer(number, sequence),
    }
    return event("delinquency.reported.v1", f"{number}-{sequence}", at, data)


def payment(number: int, at: datetime, amount: int) -> bytes:
    data = {
        "payment_id": f"P{number}-{at:%Y%m%d}",
        "account_id": f"A{number}",
        "amount": amount,
        "currency": "CNY",
        "value_date": at.date().isoformat(),
        "posted_at": at.isoformat(),
        "channel": "transfer",
    }
    return event("payment.posted.v1", f"{number}-{at:%Y%m%d}", at, data)


def three_months(customers: int) -> Iterator[Instant]:
    """Everybody falls behind in April; a third pays in May, a third in June, a third rolls on."""
    dues: dict[int, list[tuple[date, int]]] = {number: [] for number in range(customers)}
    for index, month in enumerate((4, 5, 6)):
        pays = datetime(2026, month, 15, 10, tzinfo=CHINA)
        paying = [number for number in dues if dues[number] and number % 3 == index - 1]
        lines = [payment(number, pays, sum(owed for _, owed in dues[number])) for number in paying]
        for number in paying:
            dues[number] = []
        if lines:
            yield Instant(pays.astimezone(UTC), tuple(lines))
        cut = datetime(2026, month, 25, 2, tzinfo=CHINA)
        for number in dues:
            if number not in paying:
                dues[number].append((date(2026, month, 20), 100_000 + number))
        lines = [report(number, cut, dues[number], 100 + index) for number in dues]
        yield Instant(cut.astimezone(UTC), tuple(lines))


def write_portfolio(path: Path) -> Path:
    """Half a year of a portfolio as NDJSON, in the order of time."""
    with path.open("wb") as out:
        if TOOL.exists():
            subprocess.run([sys.executable, str(TOOL), "--year", "2026"], stdout=out, check=True)
        else:
            out.writelines(portfolio(3_000, 6, seed=7, start=date(2026, 1, 1)))
    return path
