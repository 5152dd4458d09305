"""What a transport outside of the database needs inside of it: where each consumer is, under a fence, and the epoch.

An *epoch* is the pairing of one database with one broker's log. When either is not what it was (the log was wiped, the
database was restored), a new epoch begins: what the database knows and a consumer has not taken is shipped again, and
events of another epoch are passed over.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from shared.application.ports import UnitOfWork
from shared.domain.message import LedgerState


class Fenced(Exception):
    """A partition is somebody else's by now, or a new epoch has begun. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A partition that a consumer was assigned. ``next_offset`` is where it reads on, None from the beginning."""

    topic: str
    partition: int
    next_offset: int | None
    fence: int


@dataclass(frozen=True, slots=True)
class Epoch:
    """``ask_first_until`` in real time: so long providers are asked before anything is submitted."""

    epoch: UUID
    cluster_id: str
    ask_first_until: datetime | None = None


class Pairing(StrEnum):
    """What became of the pairing of database and broker since it was last looked at."""

    SAME = "same"
    FIRST = "first"  # they never met before
    WIPED = "wiped"  # the broker's log is another one
    RESTORED = "restored"  # the database is older than what the broker knows of it


class KnownSend(NamedTuple):
    """A message of which the event log says that it was sent, or may have been; by which channel where it says so."""

    message_id: UUID
    customer_id: str
    channel: str | None
    purpose: str | None
    at: datetime
    state: LedgerState


Committed = Mapping[tuple[str, str, int], int]
"""(consumer, topic, partition) to the offset that the broker knows the consumer at."""

Ends = Mapping[tuple[str, int], int]
"""(topic, partition) to the offset that its log ends at; what is not there is missing or empty."""


def compare(known: Epoch | None, cluster_id: str, committed: Committed, ours: Committed, ends: Ends) -> Pairing:
    """Judge the pairing. ``ours`` is how far the database knows each consumer.

    A log that ends before is another one, though the cluster may have been given its predecessor's id. The database
    commits first, so a broker that is ahead of it has seen a later state of it than it is in now."""
    if known is None:
        return Pairing.FIRST
    if known.cluster_id != cluster_id:
        return Pairing.WIPED
    if any(offset > ends.get((topic, partition), 0) for (_, topic, partition), offset in ours.items()):
        return Pairing.WIPED
    if any(offset > ours.get(partition, 0) for partition, offset in committed.items()):
        return Pairing.RESTORED
    return Pairing.SAME


class GuardedWork:
    """A unit of work of whoever holds ``claims``: each transaction first makes sure that it still does.

    So a process that was stopped past its session, and goes on, writes nothing: the new holder's claims carry a higher
    fence. Transactions raise Fenced."""

    def __init__(self, work: UnitOfWork, consumer: str, claims: Sequence[Claim]) -> None:
        self._work = work
        self._consumer = consumer
        self._claims = claims

    def __call__(self) -> AbstractAsyncContextManager[Any]:
        return self._guarded()

    @asynccontextmanager
    async def _guarded(self) -> AsyncIterator[Any]:
        async with self._work() as tx:
            held: Any = tx
            await held.hold_claims(self._consumer, self._claims)
            yield held
