"""A feed of today, under the real clock: reports and payments of customers for whom it is about noon."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tests.faults.separate_world import World
from tests.feeds import event, payment, report


def overdue(number: int, now: datetime) -> bytes:
    """Five days past due: the first reminder is due at once. By SMS, and by e-mail where the mobile is refused."""
    document = orjson.loads(
        report(number, now - timedelta(minutes=1), [((now - timedelta(days=5)).date(), 100_000)], 1)
    )
    # Mainland China's rules keep the bank's night as well, wherever the customer is.
    document["data"]["customer"] |= {"time_zone": noon(now), "jurisdiction": "HK"}
    return orjson.dumps(document)


def paid(number: int, now: datetime) -> bytes:
    return payment(number, now, 100_000)


def noon(now: datetime) -> str:
    """A zone in which it is about noon, whatever the hour of the test."""
    return f"Etc/GMT{now.astimezone(UTC).hour - 12:+d}"


async def post(world: World, events: Sequence[bytes], replica: int = 0) -> list[str]:
    """Send events over HTTP; their answers."""
    async with world.client(replica=replica) as client:
        sent = await client.post(
            "/v1/events",
            content=b"[" + b",".join(events) + b"]",
            headers={"content-type": "application/cloudevents-batch+json"},
        )
    sent.raise_for_status()
    return [item["answer"] for item in sent.json()["items"]]


async def produce(world: World, events: Iterable[bytes], topic: str = "arrears.inbound") -> None:
    """Put events on a topic in structured mode, keyed by account, as a core-banking system would by customer."""
    from aiokafka import AIOKafkaProducer

    producer = AIOKafkaProducer(bootstrap_servers=world.kafka.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for one in events:
            key: Any = orjson.loads(one)["data"]["account_id"] if one.startswith(b"{") else "garbage"
            await producer.send_and_wait(
                world.kafka.topic(topic),
                one,
                key=key.encode(),
                headers=[("content-type", b"application/cloudevents+json")],
            )
    finally:
        await producer.stop()


__all__ = ["event", "noon", "overdue", "paid", "post", "produce"]
