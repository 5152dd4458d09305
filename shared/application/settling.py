"""What came of attempts: one way to move an attempt, its message, its contact in the ledger and its contact point.

Used by the sender for answers, by callbacks for receipts, by the doubt resolver for queries, and by people. An attempt
only moves upwards in rank, so answers may come twice, late and out of order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from shared.application.book import Book, Changes
from shared.application.gateway import ErrorClass
from shared.domain.announcement import Announcement
from shared.domain.message import (
    AttemptState,
    LedgerState,
    MessageState,
    attempt_id,
    ledger_after,
    message_after,
    outranks,
)


class Settlement(NamedTuple):
    """What is now known of an attempt."""

    attempt_id: UUID
    state: AttemptState
    provider_id: str | None = None
    code: str | None = None
    error: ErrorClass | None = None
    this_message_only: bool = False  # the provider took others at the same time: it is this one that must wait


@dataclass(slots=True)
class OpenAttempt:
    """An attempt as it stands, with what is needed of its message; settling moves it on."""

    attempt_id: UUID
    message_id: UUID
    customer_id: str
    channel: str
    point_id: UUID
    state: AttemptState
    message_state: MessageState
    case_id: UUID | None
    follow_up_id: UUID | None
    step: str
    purpose: str
    channels: tuple[str, ...]
    tries: int  # of the message; the newest attempt is the one that speaks for it

    @property
    def newest(self) -> bool:
        """The one that speaks for its message. One that is still sending is: the next is marked when it has ended."""
        return self.state is AttemptState.SENDING or self.attempt_id == attempt_id(self.message_id, self.tries)


class MessageChange(NamedTuple):
    state: MessageState
    reason: str | None
    channels: tuple[str, ...]
    wait: timedelta


@dataclass(slots=True)
class SettlingChanges:
    """The last word on each attempt, message and contact point."""

    attempts: dict[UUID, tuple[Settlement, LedgerState]] = field(default_factory=dict)
    messages: dict[UUID, MessageChange] = field(default_factory=dict)
    bad_points: dict[UUID, str] = field(default_factory=dict)


class SettlingStore(Protocol):
    @property
    def now(self) -> datetime: ...

    async def open_attempts(self, attempt_ids: Sequence[UUID]) -> dict[UUID, OpenAttempt]: ...

    async def still_sending(self, attempt_ids: Sequence[UUID], fence: int) -> set[UUID]: ...

    async def save_settling(self, changes: SettlingChanges) -> None: ...


async def settle(
    tx: SettlingStore,
    book: Book,
    settlements: Sequence[Settlement],
    attempts: Mapping[UUID, OpenAttempt] | None = None,
) -> list[Settlement]:
    """Apply settlements under the customers' locks; those that moved something are returned.

    ``attempts`` are the only ones that may move, for who knows how they stand; else they are read."""
    if attempts is None:
        attempts = await tx.open_attempts([one.attempt_id for one in settlements])
    changes = SettlingChanges()
    moved = []
    for settlement in settlements:
        attempt = attempts.get(settlement.attempt_id)
        if attempt is None or not outranks(settlement.state, attempt.state):
            continue
        moved.append(settlement)
        _move(book, attempt, settlement, changes)
    await tx.save_settling(changes)
    return moved


def _move(book: Book, attempt: OpenAttempt, settlement: Settlement, changes: SettlingChanges) -> None:
    """Note what the settlement means, and move the attempt."""
    if settlement.state is AttemptState.REJECTED and settlement.error is ErrorClass.ROUTE:
        # Our side of the road is broken; the message is not burnt.
        settlement = settlement._replace(state=AttemptState.RELEASED)
    state, newest = settlement.state, attempt.newest
    attempt.state = state
    changes.attempts[attempt.attempt_id] = (settlement, ledger_after(state))
    if settlement.error is ErrorClass.ADDRESS and message_after(state) is MessageState.FAILED:
        changes.bad_points[attempt.point_id] = settlement.code or "refused by the provider"
    if not newest:  # a late receipt of an earlier try; a newer one speaks for the message
        return
    change = _message_change(attempt, settlement)
    changes.messages[attempt.message_id] = change
    word = _NEWS.get(change.state)
    if word is not None and attempt.message_state is not change.state:
        announce_end(book.changes, attempt.customer_id, attempt, word, reason=change.reason, channel=attempt.channel)
    attempt.message_state, attempt.channels = change.state, change.channels


def _message_change(attempt: OpenAttempt, settlement: Settlement) -> MessageChange:
    message, channels, wait = message_after(settlement.state), attempt.channels, NO_WAIT
    if message is MessageState.FAILED and settlement.error is ErrorClass.ADDRESS:
        channels = tuple(channel for channel in channels if channel != attempt.channel)
        if channels:
            message = MessageState.PLANNED  # the follow-up falls to its next channel
    elif message is MessageState.PLANNED and settlement.this_message_only:
        wait = FIRST_WAIT * 2 ** (attempt.tries - 1)
        message = MessageState.DEFERRED if attempt.tries < MOST_TRIES else MessageState.FAILED
    reason = settlement.code if message not in (MessageState.DONE, MessageState.IN_DOUBT) else None
    return MessageChange(message, reason, channels, wait)


NO_WAIT = timedelta()
FIRST_WAIT = timedelta(hours=1)  # a provider's limit on one number is counted in hours and days, not in seconds
MOST_TRIES = 5
_NEWS = {MessageState.DONE: "sent", MessageState.FAILED: "failed", MessageState.IN_DOUBT: "in_doubt"}


def announce_end(
    changes: Changes,
    customer_id: str,
    message: Any,
    word: str,
    *,
    reason: str | None = None,
    channel: str | None = None,
) -> None:
    """Say what became of a message: sent, failed, suppressed or in doubt."""
    data = {
        "message_id": str(message.message_id),
        "customer_id": customer_id,
        "case_id": str(message.case_id) if message.case_id else None,
        "follow_up_id": str(message.follow_up_id) if message.follow_up_id else None,
        "step": message.step,
        "purpose": message.purpose,
        "channel": channel,
        "reason": reason,
    }
    changes.announce([Announcement("arrears.message", f"arrears.message.{word}.v1", customer_id, data)])
