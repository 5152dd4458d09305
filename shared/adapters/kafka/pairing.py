"""Keep database and broker paired: notice that the log was wiped or the database restored, and begin a new epoch.

Compared when a process starts, before it reads or sends anything, and by the relay's process every few seconds. The
topics of a wiped broker are made only after the new epoch has begun, so that nothing can be read in the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from datetime import UTC, datetime
from typing import Any, Protocol
from uuid import UUID

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

from shared.adapters.codec import decode_kafka
from shared.adapters.kafka.clients import KafkaClients
from shared.adapters.kafka.closing import end_consumer
from shared.adapters.kafka.topics import ALL, ensure_topics, look
from shared.application.transport import Committed, Ends, Epoch, KnownSend, Pairing, compare
from shared.domain.message import LedgerState

_JOURNAL = "arrears.message"
_SENT = {
    "arrears.message.sent.v1": LedgerState.COMMITTED,
    "arrears.message.in_doubt.v1": LedgerState.UNKNOWN,
}
log = structlog.get_logger(__name__)


class Turn(Protocol):
    @property
    def known(self) -> Epoch | None: ...

    async def positions(self) -> Committed: ...

    async def note_sends(self, sends: Collection[KnownSend]) -> None: ...

    async def start_epoch(self, cluster_id: str, why: Pairing, committed: Committed) -> Epoch: ...


class EpochKeeper(Protocol):
    """The database's side (``shared/adapters/postgres/epochs.py``)."""

    async def current(self) -> Epoch | None: ...

    def turn(self) -> AbstractAsyncContextManager[Turn]: ...

    async def consumers(self) -> dict[str, set[str]]: ...


class EpochWatch:
    """The epoch as this process knows it. ``consumers`` are those whose groups the broker may know though the database
    has not met them yet."""

    def __init__(self, clients: KafkaClients, epochs: EpochKeeper, *, consumers: Collection[str] = ()) -> None:
        self._clients = clients
        self._epochs = epochs
        self._consumers = frozenset(consumers)
        self._topics = [clients.settings.topic(topic.name) for topic in ALL]
        self._epoch: Epoch | None = None

    @property
    def current(self) -> UUID:
        if self._epoch is None:
            raise RuntimeError("the pairing was not looked at yet")
        return self._epoch.epoch

    def ask_first(self) -> bool:
        """Was the database restored so lately that providers must be asked before anything is submitted?"""
        until = self._epoch.ask_first_until if self._epoch is not None else None
        return until is not None and datetime.now(UTC) < until

    async def refresh(self) -> None:
        self._epoch = await self._epochs.current() or self._epoch

    async def ensure(self) -> Pairing:
        """Compare, begin a new epoch where one is due, make or check the topics. Raises TopicClash, KafkaError."""
        async with self._clients.admin() as admin:
            cluster_id, found = await look(admin, self._clients.settings)
            committed = await self._all_committed(admin)
            async with self._epochs.turn() as turn:
                ours = {key: offset for key, offset in (await turn.positions()).items() if key[1] in self._topics}
                ends = await self._ends(found, {key[1:] for key in (*ours, *committed)})
                # Of what a log has lost, the group may still know; that says nothing of the database.
                committed = {key: min(offset, ends.get(key[1:], 0)) for key, offset in committed.items()}
                pairing = compare(turn.known, cluster_id, committed, ours, ends)
                if pairing is Pairing.RESTORED:
                    async with aclosing(self._lost_sends(ours)) as lost:
                        async for sends in lost:
                            await turn.note_sends(sends)
                if pairing is not Pairing.SAME:
                    await turn.start_epoch(cluster_id, pairing, committed)
            await ensure_topics(admin, self._clients.settings)
        await self.refresh()
        if pairing is not Pairing.SAME:
            log.warning("kafka.new_epoch", why=pairing.value)
        return pairing

    async def watch(self, stop: asyncio.Event, *, every: float = 2.0) -> None:
        """See to it that a log that was wiped under us is paired anew."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every)
                return
            try:
                if not await self._as_it_was():
                    await self.ensure()
            except (KafkaError, OSError, TimeoutError) as error:
                log.warning("kafka.not_reached", error=type(error).__name__)

    async def _as_it_was(self) -> bool:
        async with asyncio.timeout(30), self._clients.admin() as admin:
            cluster_id, found = await look(admin, self._clients.settings)
        await self.refresh()
        return self._epoch is not None and self._epoch.cluster_id == cluster_id and len(found) == len(ALL)

    async def follow(self, stop: asyncio.Event, *, every: float = 2.0) -> None:
        """Know what the watching process has begun."""
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), every)
                return
            await self.refresh()

    async def _all_committed(self, admin: Any) -> Committed:
        found: dict[tuple[str, str, int], int] = {}
        for consumer in sorted(self._consumers | (await self._epochs.consumers()).keys()):
            for partition, offset in (await committed_offsets(admin, self._clients.group(consumer))).items():
                if partition.topic in self._topics:
                    found[consumer, partition.topic, partition.partition] = offset
        return found

    async def _ends(self, found: Mapping[str, int], wanted: Collection[tuple[str, int]]) -> Ends:
        """Where the logs of these partitions end; those that are not ``found`` are left out."""
        there = [TopicPartition(topic, number) for topic, number in wanted if number < found.get(topic, 0)]
        if not there:
            return {}
        async with self._reading() as reader:
            return {(each.topic, each.partition): end for each, end in (await reader.end_offsets(there)).items()}

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[Any]:
        reader = self._clients.onlooker()
        try:
            await reader.start()
            yield reader
        finally:
            await end_consumer(reader)

    async def _lost_sends(self, positions: Committed) -> AsyncGenerator[list[KnownSend], None]:
        """Messages that the log says were sent after the point that the database was restored to."""
        journal = self._clients.settings.topic(_JOURNAL)
        starts: dict[int, int] = {}
        for (_, topic, partition), offset in positions.items():
            if topic == journal:
                starts[partition] = min(offset, starts.get(partition, offset))
        async with self._reading() as reader:
            numbers = reader.partitions_for_topic(journal) or await _partitions(reader, journal)
            partitions = [TopicPartition(journal, number) for number in sorted(numbers)]
            if not partitions:
                return
            reader.assign(partitions)
            ends = await reader.end_offsets(partitions)
            begins = await reader.beginning_offsets(partitions)
            for each in partitions:
                reader.seek(each, min(max(starts.get(each.partition, 0), begins[each]), ends[each]))
            async for sends in _read_to(reader, partitions, ends):
                yield sends


async def _partitions(reader: Any, topic: str) -> Collection[int]:
    await reader._client._wait_on_metadata(topic)
    found: Collection[int] = reader.partitions_for_topic(topic) or ()
    return found


async def _read_to(reader: Any, partitions: Collection[Any], ends: dict[Any, int]) -> AsyncIterator[list[KnownSend]]:
    while any([await reader.position(each) < ends[each] for each in partitions]):
        fetched = await reader.getmany(timeout_ms=500, max_records=5_000)
        known = (_known_send(record) for records in fetched.values() for record in records)
        yield [one for one in known if one is not None]


def _known_send(record: Any) -> KnownSend | None:
    """What a record says was sent; None where it speaks of something else, or can not be read."""
    kind = dict(record.headers).get("ce_type", b"").decode()
    if kind not in _SENT:
        return None
    with contextlib.suppress(ValueError, KeyError, TypeError):
        event = decode_kafka(record.headers, record.value)
        data = event.payload()
        who, at = event.subject, event.time
        if who is not None and at is not None:
            return KnownSend(UUID(data["message_id"]), who, data.get("channel"), data.get("purpose"), at, _SENT[kind])
    return None


async def committed_offsets(admin: Any, group: str) -> dict[TopicPartition, int]:
    """What the broker knows of a group. Raises KafkaError where the library's own call would answer nothing at all."""
    coordinator = await admin.find_coordinator(group)
    answer = await admin._send_request_to_node(coordinator, OffsetFetchRequest(group, None))
    if getattr(answer, "error_code", 0):
        raise for_code(answer.error_code)(f"the offsets of {group} can not be read")
    found = {}
    for topic, partitions in answer.topics:
        for partition, offset, _metadata, code in partitions:
            if code:
                raise for_code(code)(f"the offset of {group} in {topic}/{partition} can not be read")
            if offset >= 0:
                found[TopicPartition(topic, partition)] = offset
    return found
