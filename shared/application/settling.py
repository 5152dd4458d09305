"""What came of attempts: one way to move an attempt, its message, its contact in the ledger and its contact point.

Used by the sender for answers, by callbacks for receipts, by the doubt resolver for queries, and by people. An attempt
only moves upwards in rank, so answers may come twice, late and out of order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Protocol
from uuid import UUID

from shared.application.book import Book, Changes
from shared.application.gateway import ErrorClass
from shared.domain.announcement import Announcement
from shared.domain.message import (
    AttemptState,
    LedgerState,
    MessageState,
    ledger_after,
    message_after,
    outranks,
)


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is now known of an attempt."""

    attempt_id: UUID
    state: AttemptState
    provider_id: str | None = None
    code: str | None = None
    error: ErrorClass | None = None


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt as it stands, with what is needed of its message."""

    attempt_id: UUID
    message_id: UUID
    customer_id: str
    channel: str
    point_id: UUID
    state: AttemptState
    fence: int
    message_state: MessageState
    case_id: UUID | None
    follow_up_id: UUID | None
    step: str
    anchor: date | None
    purpose: str
    channels: tuple[str, ...]


@dataclass(slots=True)
class SettlingChanges:
    attempts: list[tuple[Settlement, LedgerState]] = field(default_factory=list)
    messages: list[tuple[UUID, MessageState, str | None, tuple[str, ...]]] = field(default_factory=list)
    bad_points: list[tuple[UUID, str]] = field(default_factory=list)


class SettlingStore(Protocol):
    @property
    def now(self) -> datetime: ...

    async def open_attempts(self, attempt_ids: Sequence[UUID]) -> dict[UUID, OpenAttempt]: ...

    async def save_settling(self, changes: SettlingChanges) -> None: ...


async def settle(
    tx: SettlingStore, book: Book, settlements: Sequence[Settlement], *, fence: int | None = None
) -> list[Settlement]:
    """Apply settlements under the customers' locks; those that moved something are returned.

    With ``fence`` only attempts that are still *sending* under that fence move: the answer of a holder that lost its
    lease is refused."""
    attempts = await tx.open_attempts([one.attempt_id for one in settlements])
    changes = SettlingChanges()
    moved = []
    for settlement in settlements:
        attempt = attempts.get(settlement.attempt_id)
        if attempt is None or not _may_move(attempt, settlement, fence):
            continue
        moved.append(settlement)
        _move(book, attempt, settlement, changes)
    await tx.save_settling(changes)
    return moved


def _may_move(attempt: OpenAttempt, settlement: Settlement, fence: int | None) -> bool:
    if fence is not None and (attempt.state is not AttemptState.SENDING or attempt.fence != fence):
        return False
    return outranks(settlement.state, attempt.state)


def _move(book: Book, attempt: OpenAttempt, settlement: Settlement, changes: SettlingChanges) -> None:
    state = settlement.state
    if state is AttemptState.REJECTED and settlement.error is ErrorClass.ROUTE:
        state = AttemptState.RELEASED  # our side of the road is broken; the message is not burnt
        settlement = Settlement(attempt.attempt_id, state, settlement.provider_id, settlement.code, settlement.error)
    changes.attempts.append((settlement, ledger_after(state)))
    channels, message = attempt.channels, message_after(state)
    if message is MessageState.FAILED and settlement.error is ErrorClass.ADDRESS:
        changes.bad_points.append((attempt.point_id, settlement.code or "refused by the provider"))
        channels = tuple(channel for channel in channels if channel != attempt.channel)
        if channels:
            message = MessageState.PLANNED  # the follow-up falls to its next channel
    reason = settlement.code if message in (MessageState.FAILED, MessageState.PLANNED) else None
    changes.messages.append((attempt.message_id, message, reason, channels))
    word = _NEWS.get(message)
    if word is not None and attempt.message_state is not message:
        announce_end(book.changes, attempt.customer_id, attempt, word, reason=reason, channel=attempt.channel)


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
