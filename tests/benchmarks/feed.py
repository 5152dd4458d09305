"""Made-up reports and payments of accounts that are all alike but for their ids, so that counts are exact."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import orjson

SOURCE = "/banks/bench/core"
SHANGHAI = "Asia/Shanghai"
UNPAID = 50_000


def reports(
    numbers: range, cutoff: datetime, days: int = 5, *, sequence: int = 1, zone: str = SHANGHAI, profile: bool = True
) -> Iterator[bytes]:
    """A line for each number: its account, ``days`` past due at the cut-off."""
    oldest = cutoff.date() - timedelta(days=days)
    for number in numbers:
        yield report(number, cutoff, oldest, sequence=sequence, zone=zone, profile=profile)


def report(
    number: int, cutoff: datetime, oldest: date, *, sequence: int = 1, zone: str = SHANGHAI, profile: bool = True
) -> bytes:
    account = f"ACC{number:08d}"
    data = {
        "account_id": account,
        "customer_id": customer_id(number),
        "cutoff_at": cutoff.isoformat(),
        "sequence": sequence,
        "currency": "CNY",
        "product": "credit-card",
        "card_last4": account[-4:],
        "credit_limit": 5_000_000,
        "balances": {"principal": 800_000 + number, "interest": 1_500, "fees": 2_000, "penalty": 700},
        "dues": [{"due_date": oldest.isoformat(), "minimum_due": UNPAID, "unpaid": UNPAID}],
    }
    if profile:
        data["customer"] = _profile(number, zone)
    return _event(f"{account}-{sequence}", "delinquency.reported.v1", account, cutoff, data)


def payment(number: int, at: datetime, ordinal: int = 1, amount: int = 100) -> bytes:
    account = f"ACC{number:08d}"
    payment_id = f"PMT-{account}-{ordinal}"
    data = {
        "payment_id": payment_id,
        "account_id": account,
        "amount": amount,
        "currency": "CNY",
        "value_date": at.date().isoformat(),
        "posted_at": at.isoformat(),
        "channel": "transfer",
    }
    return _event(payment_id, "payment.posted.v1", account, at, data)


def customer_id(number: int) -> str:
    return f"CUS{number:08d}"


def _profile(number: int, zone: str) -> dict[str, object]:
    """Numbers begin with a prefix that no carrier gives out; mail goes to a domain kept for examples."""
    return {
        "version": 1,
        "name": f"样本{number}",
        "language": "zh-CN",
        "segment": "standard",
        "time_zone": zone,
        "jurisdiction": "CN",
        "contact_points": [
            {"kind": "mobile", "value": f"+86100{number:08d}", "source": "contract"},
            {"kind": "email", "value": f"person{number}@example.com", "source": "contract"},
        ],
    }


def _event(event_id: str, kind: str, subject: str, at: datetime, data: dict[str, object]) -> bytes:
    return orjson.dumps(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": SOURCE,
            "type": kind,
            "subject": subject,
            "time": at.isoformat(),
            "data": data,
        }
    )
