"""A Kafka record as an event of ours, or as one from the core-banking system, or as what can not be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from shared.adapters.codec import decode_kafka
from shared.adapters.kafka.publisher import EPOCH
from shared.adapters.own_events import seen_as
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
    mark = dict(record.headers).get(EPOCH)
    if mark is not None and mark != _mark(epoch):
        return None
    try:
        return seen_as(record.topic, decode_kafka(record.headers, record.value))
    except ValueError as error:
        return unreadable(record, str(error))


@lru_cache(maxsize=4)
def _mark(epoch: UUID) -> bytes:
    return str(epoch).encode()


def unreadable(record: Any, error: str) -> Unreadable:
    return Unreadable(record.topic, record.partition, record.offset, record.value or b"", error)
