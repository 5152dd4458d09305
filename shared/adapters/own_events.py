"""Our own events between the bytes that they travel as and what consumers see; the same for every transport."""

from __future__ import annotations

from datetime import UTC
from functools import partial

from shared.adapters.codec import CodecError, Envelope, decode_structured, encode_structured
from shared.application.pipeline import OurEvent
from shared.application.retrying import Parked


def seen_as(topic: str, event: Envelope, body: bytes | None = None) -> OurEvent:
    """As consumers see it; ``body`` is its structured form where it came as that. Raises CodecError."""
    if event.subject is None or event.time is None:
        raise CodecError("", "an event of ours names its customer and its time")
    return OurEvent(
        id=event.id,
        type=event.type,
        topic=topic,
        customer_id=event.subject,
        at=event.time if event.time.tzinfo is UTC else event.time.astimezone(UTC),
        data=event.payload(),
        written=partial(encode_structured, event) if body is None else lambda: body,
    )


def read_parked(parked: Parked) -> OurEvent:
    """A parked event of ours, from the bytes that it was kept as."""
    topic = ".".join(parked.type.split(".")[:2])
    return seen_as(topic, decode_structured(parked.envelope), parked.envelope)
