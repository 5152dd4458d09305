"""What is done with a batch of records: our own events into the pipeline, inbound ones into intake."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any
from uuid import UUID

import structlog

from shared.adapters.codec import CodecError, decode_kafka, encode_structured
from shared.adapters.kafka.consumer import Take
from shared.adapters.kafka.records import Unreadable, our_event, unreadable
from shared.application.facts import InboundEvent, Refused, read_event
from shared.application.intake import CONSUMER as INTAKE
from shared.application.intake import ingest
from shared.application.judging import PolicyShelf
from shared.application.pipeline import Consumer, OurEvent, consume
from shared.domain.inbound import Answer

log = structlog.get_logger(__name__)


def own_events(consumer: Consumer) -> Take:
    """Our events through the consumer's table; of those it does not care about only the place is noted."""

    async def take(work: Any, epoch: UUID, records: Sequence[Any]) -> None:
        read = [our_event(record, epoch) for record in records]
        events = [each for each in read if isinstance(each, OurEvent)]
        await _keep(work, consumer.name, epoch, [each for each in read if isinstance(each, Unreadable)])
        await consume(work, consumer, events)

    return take


def inbound_events(shelf: PolicyShelf) -> Take:
    """Events of the core-banking system: the answers that HTTP would give are on record in the inbox."""

    async def take(work: Any, epoch: UUID, records: Sequence[Any]) -> None:
        now = await _now(work)
        kept: list[Unreadable] = []
        refused: list[tuple[Refused, bytes]] = []
        events: list[InboundEvent] = []
        for record in records:
            try:
                body = encode_structured(decode_kafka(record.headers, record.value))
            except (CodecError, ValueError) as error:
                kept.append(unreadable(record, str(error)))
                continue
            read = read_event(body, now)
            if isinstance(read, InboundEvent):
                events.append(read)
            elif read.source and read.id:
                refused.append((read, body))
            else:
                kept.append(unreadable(record, _why(read)))
        await _keep(work, INTAKE, epoch, kept)
        await ingest(work, shelf, events)
        await _record_refusals(work, refused)

    return take


async def _now(work: Any) -> Any:
    async with work() as tx:
        return tx.now


def _why(refused: Refused) -> str:
    return "; ".join(f"{problem.field} {problem.reason}".strip() for problem in refused.problems)


async def _keep(work: Any, consumer: str, epoch: UUID, kept: Sequence[Unreadable]) -> None:
    if not kept:
        return
    async with work() as tx:
        for one in kept:
            origin = f"{one.topic}/{one.partition}@{str(epoch)[:8]}"
            await tx.keep_unreadable(consumer, origin, one.offset, one.raw, one.error)
    log.error("kafka.unreadable", consumer=consumer, count=len(kept))


async def _record_refusals(work: Any, refused: Sequence[tuple[Refused, bytes]]) -> None:
    """Nobody waits for an answer here, so a refusal is put where it can be asked for."""
    if not refused:
        return
    async with work() as tx:
        keys = [(one.source, one.id) for one, _ in refused]
        seen = await tx.seen(INTAKE, keys)
        lines = {
            (one.source, one.id): (one.source, one.id, sha256(body).digest(), Answer.REJECTED, _why(one)[:1000], None)
            for one, body in refused
            if (one.source, one.id) not in seen
        }
        await tx.add_to_inbox(INTAKE, list(lines.values()))
    log.warning("kafka.refused", count=len(refused))
