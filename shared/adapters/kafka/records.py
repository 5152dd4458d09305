"""A Kafka record as an event of ours, or as one from the core-banking system, or as what can not be read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from shared.adapters.codec import CodecError, decode_kafka, encode_structured
from shared.adapters.kafka.publisher import EPOCH
from shared.application.pipeline import OurEvent


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Bytes that are no event: kept as they came, with where they lay."""

    topic: str
    partition: int
    offset: int
    raw: bytes
    error: str


def our_event(record: Any, epoch: UUID) -> OurEvent | Unreadable | None:
    """One of ours; None when it belongs to another epoch, whose events were shipped again in this one."""
    headers = dict(record.headers)
    mark = headers.get(EPOCH)
    if mark is not None and mark != str(epoch).encode():
        return None
    try:
        event = decode_kafka(record.headers, record.value)
        if event.subject is None or event.time is None:
            raise CodecError("", "an event of ours names its customer and its time")
        data = event.payload()
    except ValueError as error:
        return unreadable(record, str(error))
    return OurEvent(
        id=event.id,
        type=event.type,
        topic=record.topic,
        customer_id=event.subject,
        at=event.time.astimezone(UTC),
        data=data,
        envelope=encode_structured(event),
    )


def unreadable(record: Any, error: str) -> Unreadable:
    return Unreadable(record.topic, record.partition, record.offset, record.value or b"", error)
