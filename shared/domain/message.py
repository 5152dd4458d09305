"""A logical message and its attempts: the states, and which way each may move.

A message is *submitting* while an attempt at a provider is marked; *in doubt* when nobody knows whether the provider
has it. A doubt is resolved by asking or waiting, never by sending again.
"""

from __future__ import annotations

from enum import StrEnum
from uuid import UUID

from shared.domain.identity import derive, derive_text


class MessageState(StrEnum):
    PLANNED = "planned"
    DEFERRED = "deferred"
    SUPPRESSED = "suppressed"
    SUBMITTING = "submitting"
    DONE = "done"
    IN_DOUBT = "in_doubt"
    FAILED = "failed"


class AttemptState(StrEnum):
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    RELEASED = "released"  # surely never handed over: the contact is given back
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"


class LedgerState(StrEnum):
    """A contact in the ledger; all but ``released`` count against the caps."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    UNKNOWN = "unknown"
    RELEASED = "released"


# A receipt moves an attempt only upwards; receipts come twice, late and out of order.
_RANK = {
    AttemptState.SENDING: 0,
    AttemptState.IN_DOUBT: 1,
    AttemptState.RELEASED: 1,
    AttemptState.ACCEPTED: 2,
    AttemptState.REJECTED: 3,
    AttemptState.UNDELIVERED: 4,
    AttemptState.DELIVERED: 5,
}

OPEN_ATTEMPTS = frozenset({AttemptState.SENDING, AttemptState.IN_DOUBT})


def outranks(new: AttemptState, old: AttemptState) -> bool:
    return _RANK[new] > _RANK[old]


def ledger_after(state: AttemptState) -> LedgerState:
    """What an attempt's state means for the contact it reserved. A rejected message reached nobody."""
    if state in (AttemptState.RELEASED, AttemptState.REJECTED):
        return LedgerState.RELEASED
    if state is AttemptState.SENDING:
        return LedgerState.RESERVED
    if state is AttemptState.IN_DOUBT:
        return LedgerState.UNKNOWN
    return LedgerState.COMMITTED


def message_after(state: AttemptState) -> MessageState:
    """What an attempt's state means for its message, when no further attempt follows."""
    if state is AttemptState.SENDING:
        return MessageState.SUBMITTING
    if state is AttemptState.IN_DOUBT:
        return MessageState.IN_DOUBT
    if state is AttemptState.RELEASED:
        return MessageState.PLANNED
    if state in (AttemptState.REJECTED, AttemptState.UNDELIVERED):
        return MessageState.FAILED
    return MessageState.DONE


def message_id(follow_up: UUID) -> str:
    """The message of a follow-up, as text: one, whatever the number of times it is planned."""
    return derive_text("message", follow_up)


def attempt_id(message: UUID, tries: int) -> UUID:
    """The n-th try of a message; a process that lost its answer finds the same one again."""
    return derive("attempt", message, tries)
